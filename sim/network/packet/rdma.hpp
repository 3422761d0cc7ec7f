// Reliable connections of RDMA NICs (RoCEv2, InfiniBand): a queue pair sends at the line's rate, or as DCQCN says, and
// no more than `window` bytes without an acknowledgement.
//
// Lost packets. go_back_n: the receiver takes nothing out of order, asks once for what it misses, and the sender starts
// again there. selective_repeat: the receiver keeps what comes out of order and says so; the sender repeats what is
// missing below it. Where routes reorder (spray, adaptive), both keep what is out of order, and a gap counts as lost
// only when 128 packets behind it have arrived. What nobody asks for is sent again after `timeout`; by default that is
// 67 ms (exponent 14 of InfiniBand), or what two switch buffers take to drain, if that is longer.
//
// Notifications (CNP): the receiver of a marked packet sends one, at most every min_time_between_cnps.
#pragma once

#include "sim/network/packet/dcqcn.hpp"
#include "sim/network/packet/transport.hpp"

namespace lockstep::sim::packet {

class Rdma final : public Transport {
 public:
  Rdma(const Topology& topology, const Switching& switching, const Settings& settings, std::uint64_t seed);
  /// The rate that a connection may send at now, in bit/s.
  [[nodiscard]] double rate(ConnectionId connection) const { return pairs_[connection].rate.rate(); }

 private:
  struct QueuePair {
    DcqcnRate rate;
    std::int64_t last_notification = -1;  // that the receiver sent
    bool asked = false;                   // the receiver, for what it misses
    std::int64_t timeout = 0;
  };
  static constexpr Timer alpha_timer = second, rate_timer = third;

  void opened(ConnectionId connection) override;
  [[nodiscard]] double pace(ConnectionId connection) const override;
  Offer offer(ConnectionId connection) override;
  void sent(ConnectionId connection, Packet& packet) override;
  void data_arrived(ConnectionId connection, const Packet& packet) override;
  void acknowledged(ConnectionId connection, const Packet& packet) override;
  void timer_due(ConnectionId connection, Timer timer) override;
  void notified(ConnectionId connection);

  bool controls_;     // DCQCN
  bool keeps_order_;  // the receiver takes nothing out of order
  std::uint64_t window_;
  std::uint64_t tolerated_;  // bytes out of order that are no sign of a loss
  std::vector<QueuePair> pairs_;
};

}  // namespace lockstep::sim::packet
