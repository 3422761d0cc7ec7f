// What all transports of fidelity packet have in common: connections that carry messages as one stream of bytes from
// one device to another, segments, what has arrived in order, what was lost. How fast a sender goes and what it makes
// of marks and losses is each transport's own: rdma.hpp, tcp.hpp, sender_based.hpp.
//
// A message is *accepted* when its last byte has left its host for the first time, or, with a send buffer, when no more
// than the buffer's size has not been acknowledged before it and with it; the sender goes on then. It is *delivered*
// when all its bytes have arrived in order. Acknowledgements that weigh nothing cross no queue: they come after the
// latencies alone.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/profile/packet_transport.hpp"
#include "core/topology/routing.hpp"
#include "core/topology/topology.hpp"
#include "sim/line.hpp"
#include "sim/network/packet/fabric.hpp"
#include "sim/network/packet/ranges.hpp"

namespace lockstep::sim::packet {

using ConnectionId = std::uint32_t;

/// Sizes on the wire, from a profile's framing.
struct Frames {
  std::uint32_t payload = 1500;       ///< most of a frame
  std::uint32_t overhead = 0;         ///< bytes of a frame that carry none
  std::uint32_t acknowledgement = 0;  ///< bytes of one; 0: it weighs nothing
  std::uint32_t acknowledged = 0;     ///< payload per acknowledgement; 0: as the transport says
};

/// What connections have done, summed up.
struct TransportStatistics {
  std::uint64_t packets = 0;
  std::uint64_t retransmitted = 0;  ///< packets
  std::uint64_t timeouts = 0;
  std::uint64_t notifications = 0;  ///< of congestion, that senders received
  double least_rate = 1;            ///< share of the line's rate of the slowest connection at any time (dcqcn)
};

class Transport : public Hosts {
 public:
  struct Settings {
    PacketTransport transport;
    Frames frames;
    std::int64_t send_buffer = 0;  ///< bytes; 0: none
    std::int64_t host_queue = 0;   ///< tcp: bytes of a connection that may wait in its host's queue; 0: a packet
    RoutingMode routing = RoutingMode::ecmp;
    /// Packets of a connection may overtake each other.
    [[nodiscard]] bool reorders() const { return routing == RoutingMode::spray || routing == RoutingMode::adaptive; }
  };
  struct Notice {
    std::uint32_t tag = 0;
    bool delivered = false;  ///< else: accepted
  };

  Transport(const Topology& topology, const Switching& switching, const Settings& settings, std::uint64_t seed);
  /// Bytes on the wire.
  static std::uint32_t largest_packet(const Settings& settings);

  /// From one device to another, both of them ends of routes. `rate` limits what the sender's and the receiver's
  /// software move (bit/s on the wire; 0: no limit).
  ConnectionId connect(const Routing& routing, DeviceId from, DeviceId to, std::uint64_t label, double rate);
  /// `bytes` > 0. Messages of a connection are delivered in order.
  void send(ConnectionId connection, std::uint64_t bytes, std::uint32_t tag, std::int64_t now);
  /// Handles what happens until `limit` (included); stops after the first moment that has notices. Returns its time, or
  /// `limit` where there was none.
  std::int64_t run(std::int64_t limit);
  /// In bit/s on the wire; 0: no limit.
  void set_software_rate(ConnectionId connection, double rate) { connections_[connection].software_rate = rate; }
  [[nodiscard]] std::int64_t next_time() { return fabric_.next_time(); }
  [[nodiscard]] std::vector<Notice>& notices() { return notices_; }

  [[nodiscard]] Fabric& fabric() { return fabric_; }
  [[nodiscard]] const Fabric& fabric() const { return fabric_; }
  [[nodiscard]] const TransportStatistics& statistics() const { return statistics_; }
  /// Bytes that have arrived in order.
  [[nodiscard]] std::uint64_t received(ConnectionId connection) const { return connections_[connection].received; }
  /// What finds the ways of a connection where `given` finds its route: under adaptive routing all shortest paths.
  [[nodiscard]] const Routing& ways_of(const Routing& given) const { return all_paths_ ? *all_paths_ : given; }
  /// Of the latencies alone, over all connections.
  [[nodiscard]] std::int64_t longest_round_trip() const { return longest_round_trip_; }
  [[nodiscard]] bool idle() const { return open_messages_ == 0; }

  // Hosts
  void deliver(PacketId packet) final;
  PacketId pull(PortId port) final;
  void left(std::uint32_t connection, std::uint64_t end) final;

 protected:
  struct Message {
    std::uint64_t end = 0;  // in the stream
    std::uint32_t tag = 0;
  };
  class Messages : public Line<Message> {
   public:
    // Where the message ends that the byte at `sequence` belongs to; the largest number if it is none of these.
    [[nodiscard]] std::uint64_t end_behind(std::uint64_t sequence) const;
  };

  struct Connection {
    WayId forward = none;
    WayId backward = none;
    std::int64_t latency_back = 0;
    double line_rate = 0;      // bit/s
    double software_rate = 0;  // bit/s; 0: no limit
    // The sender. Bytes below `acknowledged` have arrived; [acknowledged, next) are under way, but for what `sacked`
    // says has arrived and what is lost: below `lost_below`, and not sent again yet, from `again` on.
    std::uint64_t written = 0;
    std::uint64_t next = 0;
    std::uint64_t sent = 0;  // the most that next ever was
    std::uint64_t acknowledged = 0;
    std::uint64_t lost_below = 0;
    std::uint64_t again = 0;
    Ranges sacked;
    Messages unaccepted;
    std::int64_t may_send = 0;  // not before that
    std::uint32_t serial = 0;
    int timeouts = 0;               // since anything was acknowledged
    std::int64_t silent_since = 0;  // the first of them
    bool listed = false;
    // The receiver.
    std::uint64_t received = 0;
    Ranges ahead;
    Messages undelivered;
    std::uint64_t unacknowledged = 0;  // bytes that arrived since the last acknowledgement
    std::uint32_t packets_unacknowledged = 0;
    // Timers: when each is due; `never`: not running. An event that comes earlier goes on to then.
    static constexpr std::size_t timers = 3;
    std::int64_t due[timers] = {Fabric::never, Fabric::never, Fabric::never};
    std::int64_t event_at[timers] = {Fabric::never, Fabric::never, Fabric::never};
  };
  enum Timer : std::uint8_t { retransmission, second, third };

  struct Offer {
    enum class What : std::uint8_t { nothing, wait, packet } what = What::nothing;
    std::uint64_t sequence = 0;
    std::uint32_t payload = 0;
    std::int64_t time = 0;  // wait: until then
    bool lost = false;      // the next of what is lost
    static Offer nothing() { return {}; }
    static Offer wait(std::int64_t until) { return {What::wait, 0, 0, until, false}; }
    static Offer packet(std::uint64_t sequence, std::uint64_t payload) {
      return {What::packet, sequence, static_cast<std::uint32_t>(payload), 0, false};
    }
  };

  // What a transport decides.
  /// The rate that a connection keeps between packets, in bit/s; 0: the line's.
  [[nodiscard]] virtual double pace(ConnectionId) const { return 0; }
  virtual void opened(ConnectionId connection) = 0;
  virtual Offer offer(ConnectionId connection) = 0;
  virtual void sent(ConnectionId connection, Packet& packet) = 0;
  virtual void data_arrived(ConnectionId connection, const Packet& packet) = 0;
  virtual void acknowledged(ConnectionId connection, const Packet& packet) = 0;
  virtual void timer_due(ConnectionId connection, Timer timer) = 0;
  /// A packet has left its host; asked for with Packet::last.
  virtual void departed(ConnectionId) {}

  void timer(std::uint32_t connection, std::uint64_t data) final;

  [[nodiscard]] Connection& at(ConnectionId connection) { return connections_[connection]; }
  [[nodiscard]] std::int64_t now() const { return fabric_.now(); }
  [[nodiscard]] std::uint64_t frames_of(std::uint64_t payload) const;
  [[nodiscard]] std::uint32_t wire_bytes(std::uint64_t payload) const;
  void set_timer(ConnectionId connection, Timer timer, std::int64_t due);
  void stop_timer(ConnectionId connection, Timer timer) { at(connection).due[timer] = Fabric::never; }
  /// How long a connection waits before it repeats what nobody asks for: as the settings say, else `least`, or what two
  /// switch buffers take to drain.
  [[nodiscard]] std::int64_t usual_timeout(ConnectionId connection, std::int64_t least) const;
  /// The timer of retransmission: `timeout` from now, longer after timeouts, while anything is not acknowledged.
  void await_acknowledgement(ConnectionId connection, std::int64_t timeout);
  /// Counts a timeout; returns by how much longer the next one is (1, 2, 4 to 64 times). Throws RunFailure where
  /// nothing has got through for a minute.
  std::int64_t count_timeout(ConnectionId connection);
  /// By how much longer the timeout is now.
  [[nodiscard]] std::int64_t backoff(ConnectionId connection) const {
    return std::int64_t{1} << std::min(connections_[connection].timeouts, 6);
  }
  /// What a packet of so many bytes takes on the way when nobody else is there; with the links' own rates.
  [[nodiscard]] std::int64_t transit(WayId way, std::uint64_t bytes) const;
  /// There may be something to send.
  void list(ConnectionId connection);
  /// Takes in what a data packet brought; false if it was nothing new.
  bool take_in(ConnectionId connection, std::uint64_t begin, std::uint64_t end);
  /// The sender learns that all below has arrived.
  void advance(ConnectionId connection, std::uint64_t acknowledged);
  /// The next bytes that are lost and not yet sent again, at most `most` of them.
  [[nodiscard]] Offer lost_segment(const Connection& connection, std::uint64_t most) const;
  /// Bytes under way, as far as the sender knows.
  [[nodiscard]] std::uint64_t in_flight(const Connection& connection) const;
  /// From the receiver: cumulative, with the packet that caused it.
  void reply(ConnectionId connection, const Packet& cause, PacketKind kind);
  /// Counts a data packet that arrived; true where it is time for an acknowledgement.
  bool count_arrival(ConnectionId connection, const Packet& packet, std::int64_t every);

  bool asking_ = false;  // offer() is asked what could follow at any time
  Settings settings_;
  double buffer_;  // bytes of a switch
  Fabric fabric_;
  TransportStatistics statistics_;
  std::vector<Connection> connections_;

 private:
  [[nodiscard]] bool has_more(ConnectionId connection);
  void accept(ConnectionId connection, std::uint64_t until);
  void accept_acknowledged(ConnectionId connection);

  const Topology& topology_;
  std::optional<Routing> all_paths_;  // of adaptive routing
  struct Sender {
    std::vector<ConnectionId> ready;  // a ring: served in turn
    std::size_t head = 0;
  };
  std::vector<Sender> senders_;  // by port
  std::vector<Notice> notices_;
  std::uint64_t open_messages_ = 0;
  std::int64_t longest_round_trip_ = 0;
};

}  // namespace lockstep::sim::packet
