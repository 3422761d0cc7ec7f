#include "sim/network/packet/transport.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "core/base/error.hpp"

namespace lockstep::sim::packet {
namespace {

constexpr std::uint64_t unknown = std::numeric_limits<std::uint64_t>::max();

constexpr int patience = 10;                                // timeouts in a row, and
constexpr std::int64_t long_patience = 60'000'000'000'000;  // a minute

}  // namespace

std::uint32_t Transport::largest_packet(const Settings& settings) {
  const auto frames =
      static_cast<std::uint32_t>(settings.transport.kind == TransportKind::tcp ? settings.transport.burst_segments : 1);
  return frames * (settings.frames.payload + settings.frames.overhead);
}

std::int64_t Transport::count_timeout(ConnectionId id) {
  ++statistics_.timeouts;
  Connection& c = at(id);
  if (c.timeouts++ == 0) c.silent_since = now();
  if (c.timeouts < patience || now() - c.silent_since < long_patience) return backoff(id);
  const Link& first = topology_.links[fabric_.steps(c.forward).front().port];
  throw RunFailure(
      fmt::format("a connection of {} has repeated itself for a minute and heard nothing: a link on its way is "
                  "down, loses everything, or is paused for ever",
                  topology_.devices[first.from].name));
}

std::int64_t Transport::usual_timeout(ConnectionId id, std::int64_t least) const {
  if (settings_.transport.timeout) return settings_.transport.timeout->count();
  return std::max(least, static_cast<std::int64_t>(2 * buffer_ * 8e12 / connections_[id].line_rate));
}

void Transport::await_acknowledgement(ConnectionId id, std::int64_t timeout) {
  const Connection& c = at(id);
  if (c.acknowledged < c.sent)
    set_timer(id, retransmission, now() + timeout * backoff(id));
  else
    stop_timer(id, retransmission);
}

std::int64_t Transport::transit(WayId way, std::uint64_t bytes) const {
  double time = 0;
  for (WayId w = way; w != none; w = fabric_.steps(w).front().next) {
    const Link& link = topology_.links[fabric_.steps(w).front().port];
    time += static_cast<double>(bytes) * 8e12 / static_cast<double>(link.bandwidth.bits_per_second());
  }
  return fabric_.latency(way) + static_cast<std::int64_t>(time + 0.5);
}

std::uint64_t Transport::Messages::end_behind(std::uint64_t sequence) const {
  for (const Message& message : *this)
    if (message.end > sequence) return message.end;
  return unknown;
}

Transport::Transport(const Topology& topology, const Switching& switching, const Settings& settings, std::uint64_t seed)
    : settings_(settings),
      buffer_(static_cast<double>(switching.buffer.count())),
      fabric_(topology, switching, settings_.routing, *this, largest_packet(settings_), seed),
      topology_(topology),
      all_paths_(
          settings_.routing == RoutingMode::adaptive
              ? std::optional<Routing>(std::in_place, topology,
                                       RoutingOptions{seed, RoutingPolicy{RoutingMode::spray, topology.routing.pxn}})
              : std::nullopt),
      senders_(topology.links.size()) {}

ConnectionId Transport::connect(const Routing& given, DeviceId from, DeviceId to, std::uint64_t label, double rate) {
  const auto id = static_cast<ConnectionId>(connections_.size());
  Connection connection;
  const Routing& routing = ways_of(given);
  connection.forward = fabric_.add_way(topology_, routing, from, to, label);
  connection.backward = fabric_.add_way(topology_, routing, to, from, label);
  LOCKSTEP_CHECK(connection.forward != none, "a connection of a device with itself");
  connection.latency_back = fabric_.latency(connection.backward);
  longest_round_trip_ = std::max(longest_round_trip_, fabric_.latency(connection.forward) + connection.latency_back);
  connection.line_rate = std::numeric_limits<double>::infinity();
  for (WayId w = connection.forward; w != none; w = fabric_.steps(w).front().next)
    connection.line_rate =
        std::min(connection.line_rate,
                 static_cast<double>(topology_.links[fabric_.steps(w).front().port].bandwidth.bits_per_second()));
  connection.software_rate = rate;
  connections_.push_back(std::move(connection));
  opened(id);
  return id;
}

std::uint64_t Transport::frames_of(std::uint64_t payload) const {
  return (payload + settings_.frames.payload - 1) / settings_.frames.payload;
}

std::uint32_t Transport::wire_bytes(std::uint64_t payload) const {
  return static_cast<std::uint32_t>(payload + frames_of(payload) * settings_.frames.overhead);
}

void Transport::send(ConnectionId id, std::uint64_t bytes, std::uint32_t tag, std::int64_t now) {
  fabric_.set_now(now);
  Connection& c = at(id);
  c.written += bytes;
  c.unaccepted.push({c.written, tag});
  c.undelivered.push({c.written, tag});
  ++open_messages_;
  accept_acknowledged(id);
  list(id);
}

std::int64_t Transport::run(std::int64_t limit) {
  // What was sent since may have been accepted at once.
  if (!notices_.empty()) return fabric_.now();
  while (fabric_.run_moment(limit))
    if (!notices_.empty()) return fabric_.now();
  return limit;
}

void Transport::list(ConnectionId id) {
  Connection& c = at(id);
  if (!c.listed) {
    c.listed = true;
    for (const Fabric::Step& step : fabric_.steps(c.forward)) senders_[step.port].ready.push_back(id);
  }
  // The steps may not be held on to: a kick may open nothing, but sends.
  const std::size_t ports = fabric_.steps(c.forward).size();
  for (std::size_t i = 0; i < ports; ++i) fabric_.kick(fabric_.steps(at(id).forward)[i].port);
}

PacketId Transport::pull(PortId port) {
  Sender& sender = senders_[port];
  auto& ready = sender.ready;
  std::int64_t earliest = Fabric::never;
  // Each is asked once; who has nothing leaves the list.
  for (std::size_t asked = 0, most = ready.size(); asked < most; ++asked) {
    if (sender.head >= ready.size()) sender.head = 0;
    const ConnectionId id = ready[sender.head];
    const Offer offer = this->offer(id);
    if (offer.what == Offer::What::nothing) {
      at(id).listed = false;
      for (const Fabric::Step& step : fabric_.steps(at(id).forward)) {
        Sender& other = senders_[step.port];
        const auto place = std::find(other.ready.begin(), other.ready.end(), id);
        if (place == other.ready.end()) continue;
        if (static_cast<std::size_t>(place - other.ready.begin()) < other.head) --other.head;
        other.ready.erase(place);
      }
      continue;
    }
    ++sender.head;
    if (offer.what == Offer::What::wait) {
      earliest = std::min(earliest, offer.time);
      continue;
    }
    const PacketId packet = fabric_.make();
    Packet& p = fabric_.at(packet);
    Connection& c = at(id);
    p.sequence = offer.sequence;
    p.payload = offer.payload;
    p.bytes = wire_bytes(offer.payload);
    p.connection = id;
    p.sent = now();
    p.serial = ++c.serial;
    p.step = fabric_.step_over(c.forward, port);
    const std::uint64_t end = offer.sequence + offer.payload;
    // The first packet that carries the end of a message, wherever it begins.
    p.last = settings_.send_buffer == 0 && end > c.sent && !c.unaccepted.empty() && c.unaccepted.front().end <= end;
    if (offer.lost)
      c.again = end;
    else if (offer.sequence >= c.next)
      c.next = end;
    ++statistics_.packets;
    if (offer.sequence < c.sent) ++statistics_.retransmitted;
    c.sent = std::max(c.sent, end);
    const double software = c.software_rate, pace = this->pace(id);
    if (const double rate = software > 0 && pace > 0 ? std::min(software, pace) : std::max(software, pace); rate > 0)
      c.may_send =
          std::max(c.may_send, now()) + static_cast<std::int64_t>(static_cast<double>(p.bytes) * 8e12 / rate + 0.5);
    sent(id, p);
    fabric_.at(packet).asks = !has_more(id);
    return packet;
  }
  if (earliest != Fabric::never) fabric_.wake(port, earliest);
  return none;
}

// Whether anything may follow without another acknowledgement, be it later: by its rate, or when its host's queue is
// shorter.
bool Transport::has_more(ConnectionId id) {
  asking_ = true;
  const std::int64_t may_send = std::exchange(at(id).may_send, 0);
  const bool more = offer(id).what != Offer::What::nothing;
  at(id).may_send = may_send;
  asking_ = false;
  return more;
}

void Transport::left(std::uint32_t connection, std::uint64_t end) {
  if (settings_.send_buffer == 0) accept(connection, end);
  departed(connection);
}

// What has room in the send buffer.
void Transport::accept_acknowledged(ConnectionId id) {
  if (settings_.send_buffer > 0) accept(id, at(id).acknowledged + static_cast<std::uint64_t>(settings_.send_buffer));
}

// Sends whose data the sender may change from now on.
void Transport::accept(ConnectionId id, std::uint64_t until) {
  Connection& c = at(id);
  while (!c.unaccepted.empty() && c.unaccepted.front().end <= until) {
    notices_.push_back({c.unaccepted.front().tag, false});
    c.unaccepted.pop();
  }
}

void Transport::deliver(PacketId packet) {
  // A copy: what follows may make packets.
  const Packet p = fabric_.at(packet);
  fabric_.release(packet);
  if (p.kind == PacketKind::data)
    data_arrived(p.connection, p);
  else
    acknowledged(p.connection, p);
}

bool Transport::take_in(ConnectionId id, std::uint64_t begin, std::uint64_t end) {
  Connection& c = at(id);
  if (end <= c.received) return false;
  if (begin > c.received) {
    c.ahead.add(begin, end);
    return true;
  }
  c.received = end;
  if (!c.ahead.empty()) {
    c.received = std::max(c.received, c.ahead.first_missing(c.received));
    c.ahead.drop_below(c.received);
    c.received = std::max(c.received, c.ahead.first_missing(c.received));
  }
  while (!c.undelivered.empty() && c.undelivered.front().end <= c.received) {
    notices_.push_back({c.undelivered.front().tag, true});
    c.undelivered.pop();
    --open_messages_;
  }
  return true;
}

void Transport::advance(ConnectionId id, std::uint64_t acknowledged) {
  Connection& c = at(id);
  if (acknowledged <= c.acknowledged) return;
  c.acknowledged = acknowledged;
  c.timeouts = 0;
  c.next = std::max(c.next, acknowledged);
  c.again = std::max(c.again, acknowledged);
  c.sacked.drop_below(acknowledged);
  accept_acknowledged(id);
}

Transport::Offer Transport::lost_segment(const Connection& c, std::uint64_t most) const {
  std::uint64_t at = std::max(c.again, c.acknowledged);
  if (at >= c.lost_below) return Offer::nothing();
  at = c.sacked.first_missing(at);
  if (at >= c.lost_below) return Offer::nothing();
  const std::uint64_t end = std::min({c.lost_below, c.sacked.next_present(at), at + most});
  Offer offer = Offer::packet(at, end - at);
  offer.lost = true;
  return offer;
}

std::uint64_t Transport::in_flight(const Connection& c) const {
  std::uint64_t bytes = c.next - c.acknowledged - c.sacked.count(c.acknowledged, c.next);
  const std::uint64_t at = std::max(c.again, c.acknowledged);
  if (at < c.lost_below) bytes -= c.lost_below - at - c.sacked.count(at, c.lost_below);
  return bytes;
}

bool Transport::count_arrival(ConnectionId id, const Packet& packet, std::int64_t every) {
  Connection& c = at(id);
  c.unacknowledged += packet.payload;
  c.packets_unacknowledged += static_cast<std::uint32_t>(frames_of(packet.payload));
  const bool due = settings_.frames.acknowledged > 0 ? c.unacknowledged >= settings_.frames.acknowledged
                                                     : c.packets_unacknowledged >= every;
  if (!due && !packet.asks) return false;
  c.unacknowledged = 0;
  c.packets_unacknowledged = 0;
  return true;
}

void Transport::reply(ConnectionId id, const Packet& cause, PacketKind kind) {
  const PacketId packet = fabric_.make();
  Packet& p = fabric_.at(packet);
  Connection& c = at(id);
  p.kind = kind;
  p.connection = id;
  p.sequence = c.received;
  p.other = cause.sequence;
  p.payload = cause.payload;
  p.sent = cause.sent;
  p.marked = cause.marked;
  p.trimmed = false;
  p.serial = cause.serial;
  p.bytes = settings_.frames.acknowledgement;
  if (p.bytes == 0)
    fabric_.hand_over(packet, c.latency_back);
  else
    fabric_.send(packet, c.backward);
}

void Transport::set_timer(ConnectionId id, Timer timer, std::int64_t due) {
  Connection& c = at(id);
  c.due[timer] = due;
  if (c.event_at[timer] <= due) return;  // that event will go on to the new time
  c.event_at[timer] = due;
  fabric_.set_timer(id, due, timer);
}

void Transport::timer(std::uint32_t id, std::uint64_t data) {
  const auto timer = static_cast<Timer>(data);
  Connection& c = at(id);
  if (c.event_at[timer] != now()) return;  // an earlier one took its place
  c.event_at[timer] = Fabric::never;
  const std::int64_t due = c.due[timer];
  if (due == Fabric::never) return;
  if (due > now()) {
    c.event_at[timer] = due;
    return fabric_.set_timer(id, due, timer);
  }
  c.due[timer] = Fabric::never;
  timer_due(id, timer);
}

}  // namespace lockstep::sim::packet
