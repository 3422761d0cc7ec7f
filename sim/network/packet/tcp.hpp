// TCP as Linux does it, as far as it decides how long transfers of a training step take: a window of segments, in
// packets of `burst_segments` that leave their host as one (segmentation offload).
//
// Growth: slow start to ssthresh, left early by HyStart where a round trip or its train of acknowledgements grows
// (cubic); then cubic or a segment per round trip (reno). The window grows only while it limits. Losses: whatever is
// missing three segments below what has arrived, or for a quarter of the least round trip; the window falls to 0.7
// (cubic) or half of it, once per window, in proportion to what arrives (PRR): no burst of repeats. What was sent again
// and is still missing when something sent later has arrived is lost again (RACK). A tail that nobody acknowledges is
// probed after two round trips (TLP), and begins anew after the retransmission timeout, at one segment, doubling. Idle
// for longer than that, the window is halved for each such time, down to the initial one (slow_start_after_idle).
//
// A host answers an acknowledgement after a time of its own, drawn up to what a packet takes on the slowest link:
// without that the order of packets in a full queue never changes (Floyd and Jacobson, "Traffic phase effects in
// packet-switched gateways", 1991).
//
// Buffers: a socket's buffer is memory, of which data are a part. The sender's holds packets with what the kernel keeps
// beside each; a writer that found it full comes back when a third of it is free, so data come in by thirds. Of the
// receiver's, 0.8 is window, less a packet that has not been read yet when its acknowledgement leaves.
//
// Acknowledgements: at the end of a message, out of order, and every `framing.acknowledged` bytes, else every
// acknowledge_every packets; they wait in the queues of data. Assumptions: the receiver reads at once, nothing delays
// an acknowledgement by a timer, selective acknowledgements and timestamps are on.
//
// Sources: RFC 5681, 6298, 6675, 6937, 8312, 8985; Ha and Rhee, "Taming the elephants: New TCP slow start", Computer
// Networks 2011; for the order of magnitude of constants, Linux 6.
#pragma once

#include "sim/fifo.hpp"
#include "sim/network/packet/transport.hpp"

namespace lockstep::sim::packet {

class Tcp final : public Transport {
 public:
  Tcp(const Topology& topology, const Switching& switching, const Settings& settings, std::uint64_t seed);
  /// What a receive buffer lets a sender have under way.
  static Bytes window_of(Bytes receive_buffer, const Settings& settings);
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
    // Since the loss: bytes that have arrived, and that were sent; the window before it.
    double arrived_since = 0, sent_since = 0, before_cut = 0;
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
    // What is lost and not yet sent again, and what has been and is not acknowledged, in the order of sending.
    struct Resent {
      std::uint64_t begin = 0, end = 0;
      std::int64_t sent = 0;
    };
    Ranges lost;
    std::vector<Resent> resent;
    // What waits in the host's queue: bytes on the wire, and of each packet.
    std::uint64_t queued = 0;
    Fifo<std::uint32_t> packets;
    // The send buffer: how far the writer has got at most; it waits where it found no room.
    std::uint64_t filled = 0;
    bool waits = false;
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
  void sent(ConnectionId connection, Packet& packet) override;
  void data_arrived(ConnectionId connection, const Packet& packet) override;
  void acknowledged(ConnectionId connection, const Packet& packet) override;
  void timer_due(ConnectionId connection, Timer timer) override;
  void departed(ConnectionId connection) override;

  [[nodiscard]] std::int64_t timeout(ConnectionId connection) const;
  void sample_trip(Flow& flow, std::int64_t trip);
  void leave_slow_start_early(ConnectionId connection, std::int64_t trip);
  void grow(Flow& flow, std::uint64_t acknowledged);
  void grow_cubic(Flow& flow, double acknowledged);
  void find_losses(ConnectionId connection, bool patient, std::int64_t delivered);
  /// Missing bytes of [begin, end) that are not marked as lost; returns whether there were any.
  bool mark_lost(ConnectionId connection, std::uint64_t begin, std::uint64_t end);
  [[nodiscard]] std::uint64_t reaction_time(const Connection& connection) const;
  void set_window_of_recovery(ConnectionId connection, double arrived);
  [[nodiscard]] std::uint64_t flying(ConnectionId connection);
  [[nodiscard]] double queue_limit(const Flow& flow) const;
  [[nodiscard]] double buffers_let(ConnectionId connection);
  [[nodiscard]] std::uint64_t fill_buffer(ConnectionId connection);
  void cut(Flow& flow);
  void wake_from_idle(ConnectionId connection);
  void arm(ConnectionId connection);

  std::uint64_t seed_;
  double segment_;  // bytes
  bool cubic_;
  bool controls_;
  double receive_window_;
  std::uint64_t packet_;  // payload bytes of a full one
  std::int64_t least_timeout_;
  std::vector<Flow> flows_;
};

}  // namespace lockstep::sim::packet
