// The network of fidelity packet: ports with queues, switches with shared buffers, pauses, credits, marks, drops. It
// knows devices and links; what is in a packet and when a host sends one is the transport's (transport.hpp).
//
// Quantities: a *port* is the sending end of a directed link. A packet of b bytes on the wire occupies its port for b /
// bandwidth and is at the other end `latency` later, the link's and that of the switch there. Packets of a port leave
// first in, first out; control packets (acknowledgements) overtake data where the settings say so. With a token bucket
// of B bytes a packet leaves at once while the bucket holds it, and waits until it does otherwise (tc-tbf with an
// unlimited peak rate).
//
// A switch stores packets in one buffer of `buffer` bytes, output queued. Packets give their room back when their
// transmission begins.
//  - none: an egress queue may grow to the link's `queue`, else to `alpha` times what is free of the buffer; what
//    exceeds it is dropped, or trimmed to its header.
//  - pfc (IEEE 802.1Qbb): each ingress is counted. Above `xoff`, else alpha times what is free of the buffer less all
//    headroom, the sender at the other end is paused; below that less two packets it may go on. What arrives until the
//    pause holds goes to the ingress' `headroom`; what exceeds that is dropped. A pause takes effect after the frame
//    that its way back is busy with, a pause frame, and the latency. Default headroom: 2 latencies of the link at its
//    rate, three packets (at either end, and the one that was too much), a pause frame, and the link's `burst`, so
//    nothing is dropped.
//  - credits (InfiniBand): a port sends while the input buffer at the other end has room; credits come back when a
//    packet has left that buffer, an eighth of the buffer at a time, after the latency.
//  - marks (RED on the queue at the arrival of the packet): never below `ecn_min`, with a probability that rises to
//    `ecn_probability` at `ecn_max`, always above.
//
// Devices that forward inside a node (PCIe switches, NICs) never drop; unless the settings say `none` they pause who
// sends to them.
//
// Events: one per packet and hop, and one more where a packet waits. Assumptions: store and forward; a switch's
// crossbar is never a limit; one traffic class. Costs: 64 bytes per packet under way, 320 per port, 2 KiB per switch.
//
// Order: what happens at one device reaches another a link's latency later at the earliest. So time goes on in
// *windows* of the least latency of the links at switches (the *lookahead*), and in a window the switches come one
// after the other, each with all its events of the window, from a queue of its own; then the hosts, whose order the
// executor sees, in the order of time. The result is that of one queue, for events of one moment at different devices
// never meant anything to each other; what a switch touches is in a fast cache meanwhile. Devices whose links have next
// to no latency are handled with the hosts. (Conservative simulation with lookahead: Chandy, Misra, "Distributed
// simulation", IEEE TSE 1979; here for the cache's sake.)
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "core/topology/routing.hpp"
#include "core/topology/topology.hpp"
#include "sim/engine/event_queue.hpp"
#include "sim/engine/indexed_heap.hpp"
#include "sim/network/packet/series.hpp"

namespace lockstep::sim::packet {

using PacketId = std::uint32_t;
using PortId = std::uint32_t;  ///< the directed link's id
using WayId = std::uint32_t;   ///< where a packet may go from a device
inline constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

enum class PacketKind : std::uint8_t { data, acknowledgement, negative, congestion };

struct alignas(64) Packet {
  std::uint64_t sequence = 0;  ///< of the first payload byte; of an acknowledgement: what is expected next
  std::uint64_t other = 0;     ///< of an acknowledgement: the sequence that caused it
  std::int64_t sent = 0;       ///< when it left its host; an acknowledgement echoes that of its cause
  std::int64_t arrival = 0;    ///< at the other end of the link that it is on
  std::uint32_t connection = 0;
  std::uint32_t step = 0;  ///< the one it is on
  std::uint32_t next = none;
  std::uint32_t payload = 0;
  std::uint32_t bytes = 0;       ///< on the wire
  std::uint32_t ingress = none;  ///< the port it came over; none: it is still in its host
  std::uint32_t serial = 0;      ///< of its connection: every transmission has its own
  PacketKind kind = PacketKind::data;
  bool marked : 1 = false;   ///< congestion experienced; of an acknowledgement: its cause was
  bool trimmed : 1 = false;  ///< the payload is gone
  bool asks : 1 = false;     ///< the sender can send no more before it hears of this one
  bool last : 1 = false;     ///< Hosts::left() is to be told when it has left its host
};

static_assert(sizeof(Packet) == 64, "a packet is one cache line");

/// What is counted of a port.
struct PortStatistics {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint64_t marks = 0;
  std::uint64_t drops = 0;
  std::uint64_t trims = 0;
  std::uint64_t lost = 0;           ///< on the link
  std::uint64_t pauses = 0;         ///< it was told to pause
  std::int64_t paused = 0;          ///< picoseconds
  std::uint64_t largest_queue = 0;  ///< bytes
  double queue_time = 0;            ///< integral of the queue, bytes x picoseconds
  bool operator==(const PortStatistics&) const = default;
};

/// The transport, as the fabric sees it.
class Hosts {
 public:
  virtual ~Hosts() = default;
  /// The packet has arrived at its host. Takes it over.
  virtual void deliver(PacketId packet) = 0;
  /// The next packet of a host for an idle port; `none`: nothing to send, and Fabric::kick() follows when there is.
  virtual PacketId pull(PortId port) = 0;
  /// A packet with `last`, whose payload ends at `end`, has left its host.
  virtual void left(std::uint32_t connection, std::uint64_t end) = 0;
  virtual void timer(std::uint32_t connection, std::uint64_t data) = 0;
};

class Fabric {
 public:
  static constexpr std::int64_t never = EventQueue::never;

  /// `settings` with its flow control said. No packet is larger than `largest_packet` bytes on the wire. `hosts`, which
  /// outlives the fabric, is told of everything while run_moment() runs.
  Fabric(const Topology& topology, const Switching& settings, RoutingMode routing, Hosts& hosts,
         std::uint32_t largest_packet, std::uint64_t seed);

  /// The ways from one device to another: the route of the flow, or under `spray` and `adaptive` every shortest path.
  /// `none` if from == to.
  WayId add_way(const Topology& topology, const Routing& routing, DeviceId from, DeviceId to, std::uint64_t label);
  struct Step {
    PortId port = 0;
    WayId next = none;  ///< none: the port leads to the target
  };
  [[nodiscard]] std::span<const Step> steps(WayId way) const {
    return std::span<const Step>(steps_).subspan(ways_[way].first, ways_[way].count);
  }

  [[nodiscard]] std::int64_t now() const { return now_; }
  /// When something happens next; `never` if nothing does.
  [[nodiscard]] std::int64_t next_time() { return std::min(queues_[at_hosts].next_time(), due_.top_time()); }
  /// Handles all events of the hosts' next moment, and before it what happens at switches; nothing later than `limit`.
  /// False if the hosts have no such moment.
  bool run_moment(std::int64_t limit);
  /// For calls from outside while nothing is handled: they happen at `now`, which is not before the last moment, and
  /// for set_rate and set_loss not before the last `limit` either.
  void set_now(std::int64_t now) { now_ = now; }

  /// A fresh packet, all fields but the lists' to be set by the caller.
  PacketId make();
  void release(PacketId packet);
  [[nodiscard]] Packet& at(PacketId packet) { return packets_[packet]; }
  /// Sends a packet of the host's own, on the way, behind what waits there: acknowledgements.
  void send(PacketId packet, WayId way);
  /// The step of `way` that begins with the port.
  [[nodiscard]] std::uint32_t step_over(WayId way, PortId port) const;
  /// There is something to pull.
  void kick(PortId port);
  /// Pulls at `time`, if nothing does before.
  void wake(PortId port, std::int64_t time);
  void set_timer(std::uint32_t connection, std::int64_t time, std::uint64_t data);
  /// Hands a packet over after `delay` without touching the network (acknowledgements that weigh nothing).
  void hand_over(PacketId packet, std::int64_t delay);

  /// Hosts give what they have, though earlier packets wait: the limit is theirs. Else a packet at a time.
  void let_hosts_fill() { hosts_fill_ = true; }
  /// A quiet spell: every token bucket is full again, but for what switches have sent since, within a window.
  void rest();
  /// 0: nothing passes.
  void set_rate(PortId port, double bits_per_second);
  void set_loss(PortId port, double probability) { ports_[port].loss = probability; }

  [[nodiscard]] PortStatistics statistics(PortId port) const;
  /// What `samples` asked for; nothing: none.
  [[nodiscard]] const Series* series(PortId port) const { return series_.empty() ? nullptr : &series_[port]; }
  [[nodiscard]] std::size_t port_count() const { return ports_.size(); }
  [[nodiscard]] std::uint64_t queued(PortId port) const { return ports_[port].queued; }
  /// Latency of the longest way, without the packets' own times.
  [[nodiscard]] std::int64_t latency(WayId way) const;
  [[nodiscard]] std::uint64_t events() const { return events_; }
  [[nodiscard]] std::uint64_t hops() const { return hops_; }
  /// Memory of packets, ports and ways.
  [[nodiscard]] std::size_t bytes() const;

 private:
  enum class EventKind : std::uint8_t { ready, pause, credit, arrival, wake, left, timer, handed_over };

  struct List {
    PacketId first = none;
    PacketId last = none;
  };
  // The first two cache lines are what every packet touches.
  struct alignas(64) Port {
    double picoseconds_per_byte = 0;  // 0: nothing passes
    std::int64_t latency = 0;         // with that of the switch at the other end
    std::int64_t busy_until = 0;
    List flying, data, control;
    std::uint64_t queued = 0;  // bytes
    std::int64_t queued_since = 0;

    double queue_time = 0;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    std::uint64_t largest_queue = 0;
    std::uint64_t ecn_min = 0;  // the largest number: no packet is marked
    DeviceId to = no_id;
    std::uint32_t counter = 0;
    bool ready_set = false;  // an event will try again
    bool paused = false;
    bool blocked = false;  // waits for credits
    bool source = false;   // a host pulls
    bool shaped = false;
    bool pause_sent = false;
    std::int64_t wake_at = never;

    // What of this link is in the switch at its other end.
    std::uint64_t stored = 0;
    std::uint64_t in_headroom = 0;
    std::uint64_t headroom = 0;
    std::int64_t credits = 0;  // bytes that the other end has room for
    std::int64_t owed = 0;     // credits to be returned
    std::int64_t credit_grain = 0;
    std::int64_t latency_of_link = 0;
    double loss = 0;

    std::int64_t theoretical = 0;  // token bucket: when it would be full if nothing more passed
    std::int64_t burst_time = 0;   // its depth
    std::uint64_t limit = 0;       // of the queue; 0: the switch's
    std::uint64_t ecn_max = 0;
    double ecn_probability = 0;
    std::uint64_t marks_drawn = 0;   // where the queue is
    std::uint64_t losses_drawn = 0;  // at the other end, which goes on by itself
    std::int64_t paused_since = 0;
    std::int64_t told_at = 0;  // when the last pause or go-ahead for this port takes effect
    std::uint64_t burst = 0;   // bytes of the token bucket
    PortStatistics rare;       // what few packets touch
  };
  struct Switch {
    std::uint64_t shared = 0;  // bytes, of the buffer without headroom
    std::uint64_t used = 0;
    bool switches = false;  // is one of the network's
  };
  struct Ways {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
  };

  // Devices that are handled together, in the order of time: the hosts and what is close to them, or a switch.
  using DomainId = std::uint32_t;
  static constexpr DomainId at_hosts = 0;

  void find_domains(const Topology& topology);
  void run_switches(std::int64_t limit);
  void run_batch(EventQueue& queue);
  void note_due(DomainId domain);
  void prefetch_switches(std::size_t done);
  void push(DomainId domain, std::int64_t time, EventKind kind, std::uint32_t entity, std::uint32_t counter,
            std::uint64_t data = 0);
  void start(PortId id);
  void begin(PortId id, PacketId packet, bool control);
  void retry_at(PortId id, std::int64_t time);
  void arrive(PortId id);
  void enter(PacketId packet, WayId way, PortId ingress);
  [[nodiscard]] std::uint32_t choose(WayId way, const Packet& packet) const;
  [[nodiscard]] bool is_data(const Packet& packet) const;
  bool admit(Packet& packet, const Port& egress, PortId ingress);
  void leave(const Packet& packet);
  void give_back(PortId ingress, std::uint32_t bytes);
  void mark(Packet& packet, PortId id);
  void pause(PortId id, bool on);
  void tell(PortId ingress, bool on);
  [[nodiscard]] std::uint64_t pause_threshold(const Switch& device) const;
  void count_queue(Port& port);
  void append(List& list, PacketId packet);
  PacketId pop(List& list);
  [[nodiscard]] double draw(PortId port, std::uint64_t counter) const;

  Switching settings_;
  Hosts& hosts_;
  bool control_first_;  // acknowledgements and trimmed packets overtake data and take no room
  bool hosts_fill_ = false;
  std::uint64_t seed_;
  RoutingMode mode_;
  FlowControl flow_control_;
  std::uint64_t resume_below_ = 0;  // the threshold by so much: the sender may go on
  std::int64_t now_ = 0;
  std::vector<DomainId> domains_;   // by device
  std::vector<EventQueue> queues_;  // by domain
  IndexedHeap due_;                 // the switches that have events, but for the one that is handled
  std::vector<std::int64_t> next_;  // by domain: its time there
  std::vector<std::uint32_t> those_due_;
  DomainId here_ = at_hosts;        // what is handled
  std::int64_t lookahead_ = never;  // from a domain to another
  std::int64_t switches_done_ = 0;  // they have handled all that is earlier
  std::vector<Event> batch_;
  std::vector<Packet> packets_;
  std::vector<PacketId> free_;
  std::vector<Port> ports_;
  std::vector<Switch> switches_;  // by device
  std::vector<Series> series_;    // by port, or empty
  std::vector<Step> steps_;
  std::vector<Ways> ways_;
  std::uint64_t events_ = 0;
  std::uint64_t hops_ = 0;
};

}  // namespace lockstep::sim::packet
