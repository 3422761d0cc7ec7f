// A window that the sender steers by the delay and the marks of every single packet, for networks that spray packets
// and trim what does not fit; after NSCC of the Ultra Ethernet transport.
//
// Quantities: window w (bytes), the round trip without queues T0 (the least one seen, at first that of the links), the
// delay of a packet d = round trip - T0, the target t. For a packet of p bytes that arrived:
//   not marked, d < t   w += p (t - d) / t * p / w * gain    proportional
//   not marked, d >= t  w += p / w * segment                  a segment per round trip: fair shares
//   marked, d < t       w stays
//   marked, d >= t      w -= p / 2 * (d - t) / d
// A packet that was trimmed is sent again at once and takes its bytes out of the window. w stays between a segment and
// 1.25 w0, and begins at w0, what the line holds in T0 + t. What nobody acknowledges is sent again after `timeout`.
// Source: Ultra Ethernet specification 1.0, 3.6.13 (network signal based congestion control), in outline only.
#pragma once

#include "sim/network/packet/transport.hpp"

namespace lockstep::sim::packet {

class SenderBased final : public Transport {
 public:
  SenderBased(const Topology& topology, const Switching& switching, const Settings& settings, std::uint64_t seed);
  /// In bytes.
  [[nodiscard]] double window(ConnectionId connection) const { return flows_[connection].window; }

 private:
  struct Flow {
    double window = 0;
    double most = 0;
    std::int64_t trip = 0;  // without queues
    std::int64_t timeout = 0;
    Ranges missing;  // trimmed, to be sent again
  };

  void opened(ConnectionId connection) override;
  Offer offer(ConnectionId connection) override;
  void sent(ConnectionId connection, Packet& packet) override;
  void data_arrived(ConnectionId connection, const Packet& packet) override;
  void acknowledged(ConnectionId connection, const Packet& packet) override;
  void timer_due(ConnectionId connection, Timer timer) override;

  double segment_;
  std::int64_t target_;
  std::vector<Flow> flows_;
};

}  // namespace lockstep::sim::packet
