// How a stack puts messages into packets and reacts to the network: `transport:` of a profile. Only fidelity packet
// looks at it.
//
//   rdma          a NIC's reliable connection: sends at the line's rate, or as DCQCN says; lost packets by go-back-N or
//                 selective repeat
//   tcp           a window that grows until packets are lost (cubic or reno), acknowledgements in the queues of data
//   sender_based  a window around a target delay; every packet is acknowledged, trimmed ones are sent again at once
//                 (after NSCC of the Ultra Ethernet transport)
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/config/type.hpp"
#include "core/units/duration.hpp"
#include "core/units/quantity.hpp"

namespace lockstep {

enum class TransportKind : std::uint8_t { rdma, tcp, sender_based };
enum class CongestionControl : std::uint8_t { none, dcqcn, cubic, reno };
enum class Recovery : std::uint8_t { go_back_n, selective_repeat };

/// DCQCN by the names of NIC settings; the defaults are those of the paper, but for rates, which are shares of the
/// link: the paper's 40 Mbit/s of 40 Gbit/s let the shares of two flows wander by 15% for tenths of a second. Source:
/// Zhu et al., "Congestion Control for Large-Scale RDMA Deployments", SIGCOMM 2015.
struct Dcqcn {
  double g = 1.0 / 256;                        ///< weight of a new mark in alpha (dce_tcp_g)
  Duration alpha_period{55'000'000};           ///< without a mark alpha falls every so often (dce_tcp_rtt)
  Duration time_reset{55'000'000};             ///< rpg_time_reset: the rate rises every so often
  Bytes byte_reset{10'000'000};                ///< rpg_byte_reset: and after so many bytes
  std::int64_t threshold = 5;                  ///< rpg_threshold: rises of fast recovery
  std::optional<Bandwidth> additive_increase;  ///< rpg_ai_rate; none: 0.4% of the link
  std::optional<Bandwidth> hyper_increase;     ///< rpg_hai_rate; none: a hundredth
  Duration min_time_between_cnps{50'000'000};  ///< of one connection
  Duration rate_reduce_monitor_period{0};      ///< at most one cut in so long
  double min_decrease = 0.5;                   ///< rpg_min_dec_fac: what a cut leaves at least
  std::optional<Bandwidth> min_rate;           ///< rpg_min_rate; none: a thousandth of the link
};

struct PacketTransport {
  std::optional<TransportKind> kind;                    ///< none: tcp for profiles of tcp and the lab, else rdma
  std::optional<CongestionControl> congestion_control;  ///< none given: cubic for tcp, else none
  Recovery recovery = Recovery::go_back_n;              ///< of rdma
  std::optional<Bytes> window;                          ///< rdma: bytes without an acknowledgement; none: no limit
  std::optional<std::int64_t> acknowledge_every;  ///< packets, where `framing` does not say; none: 2 for tcp, else 4
  std::optional<Duration> timeout;                ///< least time until a retransmission; none: the transport's own
  Dcqcn dcqcn;
  std::int64_t initial_window = 10;     ///< tcp: segments
  std::optional<Bytes> receive_window;  ///< tcp: none: no limit
  bool slow_start_after_idle = true;    ///< tcp: an idle window shrinks to the initial one
  std::int64_t burst_segments = 1;      ///< tcp: segments that leave as one (GSO)
  Duration target_delay{6'000'000};     ///< sender_based: of queues
};

/// The declaration of the section (reader, messages, schema).
config::Type<PacketTransport> packet_transport_type();
/// The section's keys in YAML, indented by two; empty if all are the defaults.
std::string to_yaml(const PacketTransport& transport);

/// What is wrong with this control under this transport ("transport 'tcp' has no ..."); nothing: it fits.
std::optional<std::string> misfit(TransportKind kind, CongestionControl control);

std::string_view to_string(TransportKind kind);
std::string_view to_string(CongestionControl control);

}  // namespace lockstep
