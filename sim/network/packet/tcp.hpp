// TCP as Linux does it, as far as it decides how long transfers of a training step take: a window of segments, in
// packets of `burst_segments` that leave their host as one (segmentation offload).
//
// Growth: slow start to ssthresh, left early by HyStart where a round trip or its train of acknowledgements grows
// (cubic); then cubic or a segment per round trip (reno). The window grows only while it limits. Losses: whatever is
// missing three segments below what has arrived, or for a quarter of the least round trip; the window falls to 0.7
// (cubic) or half of it, once per window. A tail that nobody acknowledges is probed after two round trips (TLP), and
// begins anew after the retransmission timeout, at one segment, doubling. Idle for longer than that, the window is
// halved for each such time, down to the initial one (slow_start_after_idle).
//
// Acknowledgements: at the end of a message, out of order, and every `framing.acknowledged` bytes, else every
// acknowledge_every packets; they wait in the queues of data. Assumptions: the receiver reads at once, nothing delays
// an acknowledgement by a timer, selective acknowledgements and timestamps are on.
//
// Sources: RFC 5681, 6298, 6675, 8312, 8985; Ha and Rhee, "Taming the elephants: New TCP slow start", Computer Networks
// 2011; for the order of magnitude of constants, Linux 6.
#pragma once

#include "sim/network/packet/transport.hpp"

namespace lockstep::sim::packet {

class Tcp final : public Transport {
 public:
  Tcp(const Topology& topology, const Switching& switching, const Settings& settings, std::uint64_t seed);
  /// In bytes.
  [[nodiscard]] double window(ConnectionId connection) const { return flows_[connection].window; }

 private:
  struct Flow {
    double window = 0;     // bytes
    double threshold = 0;  // of slow start
    double smoothed = 0;   // round trip and its deviation, picoseconds; 0: not yet known
    double deviation = 0;
    std::int64_t least_trip = Fabric::never;
    std::uint64_t recover = 0;  // a loss below that belongs to the window that has been cut
    bool recovering = false;
    // Most bytes in flight in this round trip and the last: a window that is not used does not grow.
    double used = 0;
    double used_before = 0;
    std::uint64_t used_round = 0;
    bool probed = false;   // the tail, since the last acknowledgement
    bool probing = false;  // a segment may pass beyond the window
    std::int64_t last_sent = -1;
    // Cubic: the window at the last cut, in segments; when this growth began, and after how many seconds it is there.
    double at_cut = 0;
    double seconds_to_cut = 0;
    std::int64_t growth_began = -1;
    double origin = 0;
    double reno = 0;
    // HyStart.
    std::uint64_t round_end = 0;
    std::int64_t round_began = 0;
    std::int64_t last_acknowledgement = 0;
    std::int64_t least_of_round = Fabric::never;
    int samples = 0;
  };
  static constexpr Timer reorder_timer = second, probe_timer = third;

  void opened(ConnectionId connection) override;
  Offer offer(ConnectionId connection) override;
  void sent(ConnectionId connection, const Packet& packet) override;
  void data_arrived(ConnectionId connection, const Packet& packet) override;
  void acknowledged(ConnectionId connection, const Packet& packet) override;
  void timer_due(ConnectionId connection, Timer timer) override;

  [[nodiscard]] std::int64_t timeout(ConnectionId connection) const;
  void sample_trip(Flow& flow, std::int64_t trip);
  void leave_slow_start_early(ConnectionId connection, std::int64_t trip);
  void grow(Flow& flow, std::uint64_t acknowledged);
  void grow_cubic(Flow& flow, double acknowledged);
  void find_losses(ConnectionId connection, bool patient);
  void cut(Flow& flow);
  void wake_from_idle(ConnectionId connection);
  void arm(ConnectionId connection);

  double segment_;  // bytes
  bool cubic_;
  bool controls_;
  double receive_window_;
  std::int64_t least_timeout_;
  std::vector<Flow> flows_;
};

}  // namespace lockstep::sim::packet
