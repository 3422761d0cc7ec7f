// The lab: a topology of hosts and switches as a real network of Linux namespaces, inside run_isolated().
//
// Contract:
//  - one namespace per device; one veth pair per cable; every direction of every link shaped at its sending end
//  (shaping.hpp);
//  - every byte between two hosts, acknowledgements too, follows Routing::route of its own direction (forwarding.hpp);
//  - nothing but the ranks' traffic is on the links: no IPv6, no ARP (neighbours are written), no learning floods;
//  - as_built() says what was built, so that a prediction can be made for exactly that network.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/topology/routing.hpp"
#include "core/topology/topology.hpp"
#include "real/lab/delay_line.hpp"
#include "real/lab/forwarding.hpp"
#include "real/lab/isolate.hpp"
#include "real/lab/link_counters.hpp"
#include "real/lab/network_namespace.hpp"
#include "real/lab/shaping.hpp"
#include "real/lab/tcp_settings.hpp"
#include "real/lab/token_bucket.hpp"

namespace lockstep::real {

struct LabOptions {
  bool tcp_defaults =
      false;  ///< leave TCP as the machine has it, on purpose; windows and metrics then shape the result too
  std::vector<LinkId> relayed{};  ///< their cables go through the delay line, which can lose and delay on demand
};

class LabNetwork {
 public:
  /// Builds it. Call inside run_isolated(). Throws InputError (a topology that cannot be a lab, a missing program) or
  /// RunFailure.
  LabNetwork(const Topology& topology, const Routing& routing, const Isolation& isolation, LabOptions options = {});

  /// Moves the calling thread to the host of a rank: LocalRanks::enter.
  void enter_host(int rank) const;
  void enter_device(DeviceId device) const;
  /// Throws RunFailure if something that the network consists of has ended.
  void check() const {
    if (delay_line_) delay_line_->check();
  }
  /// The namespace of a rank's host, for a visit (InNamespace).
  [[nodiscard]] const NetworkNamespace& host(int rank) const;
  /// Where a direction of a link is sent from, and shaped.
  [[nodiscard]] SendingEnd sending_end(LinkId link) const;
  /// LabOptions::relayed there: what the delay line is to do with a direction from now on.
  void disturb(LinkId link, double loss, Duration jitter, std::uint64_t seed) const;
  /// IPv4 address of a rank's host.
  [[nodiscard]] std::string address(int rank) const;

  /// By LinkId: what each direction has sent since the lab was built. Safe in forked children and cheap (see
  /// link_counters.hpp).
  [[nodiscard]] std::vector<LinkCounter> snapshot() const;
  /// By LinkId: bytes on the wire between two snapshots.
  static std::vector<Bytes> difference(const std::vector<LinkCounter>& before, const std::vector<LinkCounter>& after);

  /// Of the delays alone, between any two ranks.
  [[nodiscard]] Duration longest_round_trip() const { return longest_round_trip_; }
  [[nodiscard]] const std::vector<Shaping>& shaping() const { return shaping_; }  ///< by LinkId
  [[nodiscard]] const Forwarding& forwarding() const { return forwarding_; }
  /// The object `as_built` of a result. `wire_bytes` by LinkId, or empty: the key is then null.
  [[nodiscard]] nlohmann::ordered_json as_built(const std::vector<Bytes>& wire_bytes = {}) const;

 private:
  [[nodiscard]] std::int64_t initial_window() const {
    return topology_.tcp.initial_window.value_or(initial_window_segments);
  }
  [[nodiscard]] Duration round_trip(const Routing& routing) const;
  void add_delays();
  void create_cables();
  void configure(DeviceId device);

  const Topology& topology_;
  Isolation isolation_;
  LabOptions options_;
  bool netem_ = false;
  Forwarding forwarding_;
  std::vector<Shaping> shaping_;
  Duration longest_round_trip_{0};
  Bytes host_gso_max_size_;
  std::vector<NetworkNamespace> namespaces_;  // by device
  std::optional<NetworkNamespace> wire_;      // where cables are delayed
  std::vector<DelayLine::Direction> delayed_;
  std::unique_ptr<DelayLine> delay_line_;
  std::vector<std::vector<LinkId>> link_of_index_;  // by device, by interface index
  std::vector<TcpSetting> tcp_wanted_;
  std::vector<TcpSettingFound> tcp_;
  std::vector<std::string> notes_;
  mutable std::vector<LinkCounters> counters_;  // by device, opened by the process `counters_of_`
  mutable int counters_of_ = 0;
};

/// Without netem the lab delays links of this much and more by a process of its own, whose time is about a tenth of it.
inline constexpr Duration least_relayed_delay{500'000'000};  // 500 us

/// Whether the kernel can delay packets (sch_netem), tried in a namespace of its own. Call inside run_isolated().
bool kernel_has_netem();

}  // namespace lockstep::real
