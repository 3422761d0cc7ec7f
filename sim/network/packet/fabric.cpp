#include "sim/network/packet/fabric.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>

#include "core/base/error.hpp"
#include "core/base/hash.hpp"
#include "core/base/prefetch.hpp"

namespace lockstep::sim::packet {
namespace {

constexpr double picoseconds_per_second = 1e12;
constexpr std::uint32_t pause_frame = 84;  // bytes: 64 and what Ethernet puts between frames
constexpr std::uint32_t header_of_trimmed = 64;
constexpr std::uint64_t draws_of_losses = std::uint64_t{1} << 39;
constexpr std::int64_t least_lookahead = 100'000;  // picoseconds: shorter windows are not worth it

std::int64_t time_of(std::uint64_t bytes, double picoseconds_per_byte) {
  return static_cast<std::int64_t>(static_cast<double>(bytes) * picoseconds_per_byte + 0.5);
}

}  // namespace

Fabric::Fabric(const Topology& topology, const Switching& settings, RoutingMode routing, Hosts& hosts,
               std::uint32_t largest_packet, std::uint64_t seed)
    : settings_(settings),
      hosts_(hosts),
      control_first_(settings.flow_control.value_or(FlowControl::none) != FlowControl::none || settings.trimming),
      seed_(seed),
      mode_(routing),
      flow_control_(settings.flow_control.value_or(FlowControl::none)) {
  ports_.resize(topology.links.size());
  switches_.resize(topology.devices.size());
  if (settings.samples > 0) series_.assign(topology.links.size(), Series(static_cast<std::size_t>(settings.samples)));
  for (std::size_t d = 0; d < topology.devices.size(); ++d)
    switches_[d].switches = topology.devices[d].kind == DeviceKind::network_switch;
  std::vector<std::uint64_t> headroom(topology.devices.size(), 0);
  for (PortId id = 0; id < ports_.size(); ++id) {
    const Link& link = topology.links[id];
    Port& port = ports_[id];
    const auto bits = static_cast<double>(link.bandwidth.bits_per_second());
    port.picoseconds_per_byte = 8 * picoseconds_per_second / bits;
    port.latency_of_link = link.latency.count();
    port.latency = (link.latency + topology.devices[link.to].latency).count();
    port.to = link.to;
    port.loss = link.loss;
    if (link.queue) port.limit = static_cast<std::uint64_t>(link.queue->count());
    if (link.burst) {
      port.shaped = true;
      port.burst = static_cast<std::uint64_t>(link.burst->count());
      port.burst_time = time_of(port.burst, port.picoseconds_per_byte);
    }
    port.ecn_min = std::numeric_limits<std::uint64_t>::max();
    if (settings.ecn_probability > 0 && switches_[link.from].switches) {
      const auto usual_min = static_cast<std::uint64_t>(bits * 4e3 / 1e9), usual_max = 4 * usual_min;
      port.ecn_max = settings.ecn_max ? static_cast<std::uint64_t>(settings.ecn_max->count()) : usual_max;
      port.ecn_min =
          settings.ecn_min ? static_cast<std::uint64_t>(settings.ecn_min->count()) : std::min(usual_min, port.ecn_max);
      port.ecn_max = std::max(port.ecn_min, port.ecn_max);
      port.ecn_probability = settings.ecn_probability;
    }
    // What can come until a pause holds: what is on the link in both directions, a packet that has just begun at either
    // end, the one that was too much, the pause frame, what a token bucket lets pass at once.
    const auto on_link =
        static_cast<std::uint64_t>(2.0 * static_cast<double>(port.latency) / port.picoseconds_per_byte);
    port.headroom = settings.headroom ? static_cast<std::uint64_t>(settings.headroom->count())
                                      : on_link + 3 * std::uint64_t{largest_packet} + pause_frame + port.burst;
    headroom[link.to] += port.headroom;
    port.credits =
        settings.credit_buffer
            ? settings.credit_buffer->count()
            : std::max({std::int64_t{65536}, static_cast<std::int64_t>(2 * on_link), 2 * std::int64_t{largest_packet}});
    port.credit_grain = port.credits / 8;
  }
  const auto buffer = static_cast<std::uint64_t>(settings.buffer.count());
  for (std::size_t d = 0; d < switches_.size(); ++d) {
    const std::uint64_t reserved = flow_control_ == FlowControl::pfc ? headroom[d] : 0;
    // A switch whose buffer is all headroom still takes a packet of each ingress before it pauses it.
    switches_[d].shared = buffer > reserved ? buffer - reserved : 0;
  }
  resume_below_ = 2 * std::uint64_t{largest_packet};
  find_domains(topology);
}

void Fabric::find_domains(const Topology& topology) {
  domains_.assign(topology.devices.size(), at_hosts);
  std::vector<std::int64_t> least(topology.devices.size(), never);  // latency of a device's links
  for (const Link& link : topology.links)
    for (const DeviceId end : {link.from, link.to}) least[end] = std::min(least[end], link.latency.count());
  DomainId count = 1;
  for (std::size_t d = 0; d < domains_.size(); ++d) {
    if (!switches_[d].switches || least[d] < least_lookahead || least[d] == never) continue;
    domains_[d] = count++;
    lookahead_ = std::min(lookahead_, least[d]);
  }
  queues_.resize(count);
  next_.assign(count, never);
}

// --- Ways ---

WayId Fabric::add_way(const Topology& topology, const Routing& routing, DeviceId from, DeviceId to,
                      std::uint64_t label) {
  if (from == to) return none;
  const bool many = mode_ == RoutingMode::spray || mode_ == RoutingMode::adaptive;
  std::vector<std::vector<LinkId>> routes;
  if (many) {
    for (auto& route : routing.routes(from, to, label)) routes.push_back(std::move(route.links));
  } else {
    routes.push_back(routing.route(from, to, label));
  }
  // Devices by their distance from the target: a device that is passed at two distances is two.
  std::map<std::pair<std::size_t, DeviceId>, std::vector<PortId>> choices;
  std::size_t longest = 0;
  for (const auto& links : routes) {
    longest = std::max(longest, links.size());
    for (std::size_t i = 0; i < links.size(); ++i) {
      auto& ports = choices[{links.size() - i, topology.links[links[i]].from}];
      if (std::find(ports.begin(), ports.end(), links[i]) == ports.end()) ports.push_back(links[i]);
    }
  }
  std::map<std::pair<std::size_t, DeviceId>, WayId> ids;  // from the target back
  for (auto& [place, ports] : choices) {
    std::sort(ports.begin(), ports.end());
    Ways way{static_cast<std::uint32_t>(steps_.size()), static_cast<std::uint32_t>(ports.size())};
    for (const PortId port : ports) {
      WayId next = none;
      if (place.first > 1) next = ids.at({place.first - 1, topology.links[port].to});
      steps_.push_back({port, next});
    }
    ids[place] = static_cast<WayId>(ways_.size());
    ways_.push_back(way);
  }
  const WayId first = ids.at({longest, from});
  for (const Step& step : steps(first)) ports_[step.port].source = true;
  return first;
}

std::uint32_t Fabric::step_over(WayId way, PortId port) const {
  for (std::uint32_t s = ways_[way].first; s < ways_[way].first + ways_[way].count; ++s)
    if (steps_[s].port == port) return s;
  LOCKSTEP_CHECK(false, "way {} does not begin with port {}", way, port);
  return none;
}

std::int64_t Fabric::latency(WayId way) const {
  std::int64_t most = 0;
  if (way == none) return 0;
  for (const Step& step : steps(way)) most = std::max(most, ports_[step.port].latency + latency(step.next));
  return most;
}

std::uint32_t Fabric::choose(WayId way, const Packet& packet) const {
  const Ways& here = ways_[way];
  if (here.count == 1) return here.first;
  const std::uint64_t hash =
      mix64(seed_ ^ mix64(std::uint64_t{packet.connection} << 32 | way) ^ mix64(packet.sequence + packet.serial));
  const auto start = static_cast<std::uint32_t>(hash % here.count);
  if (mode_ != RoutingMode::adaptive) return here.first + start;
  std::uint32_t best = none;
  double least = std::numeric_limits<double>::infinity();
  for (std::uint32_t i = 0; i < here.count; ++i) {
    const std::uint32_t step = here.first + (start + i) % here.count;
    const Port& port = ports_[steps_[step].port];
    if (port.picoseconds_per_byte <= 0) continue;  // down; if all are, the drawn one
    const double held = port.paused || port.blocked ? picoseconds_per_second : 0;
    const double wait = held + static_cast<double>(port.queued) * port.picoseconds_per_byte +
                        static_cast<double>(std::max<std::int64_t>(0, port.busy_until - now_));
    if (wait < least) {
      least = wait;
      best = step;
    }
  }
  return best == none ? here.first + start : best;
}

// --- Packets ---

PacketId Fabric::make() {
  if (free_.empty()) {
    packets_.emplace_back();
    return static_cast<PacketId>(packets_.size() - 1);
  }
  const PacketId id = free_.back();
  free_.pop_back();
  packets_[id] = {};
  return id;
}

void Fabric::release(PacketId packet) { free_.push_back(packet); }

void Fabric::append(List& list, PacketId packet) {
  packets_[packet].next = none;
  if (list.last == none)
    list.first = packet;
  else
    packets_[list.last].next = packet;
  list.last = packet;
}

PacketId Fabric::pop(List& list) {
  const PacketId packet = list.first;
  list.first = packets_[packet].next;
  if (list.first == none) list.last = none;
  return packet;
}

// Uniform in [0, 1).
double Fabric::draw(PortId port, std::uint64_t counter) const {
  return static_cast<double>(mix64(seed_ ^ mix64(std::uint64_t{port} << 40 ^ counter)) >> 11) * 0x1.0p-53;
}

PortStatistics Fabric::statistics(PortId id) const {
  const Port& port = ports_[id];
  PortStatistics all = port.rare;
  all.packets = port.packets;
  all.bytes = port.bytes;
  all.largest_queue = port.largest_queue;
  all.queue_time = port.queue_time;
  return all;
}

// --- Events ---

// Thousands of ports do not fit into a fast cache: while a switch is handled, the packets that the next one begins with
// are fetched, and the ports of the one after that, where the packets stand.
void Fabric::prefetch_switches(std::size_t done) {
  constexpr std::size_t most = 12;  // events
  for (std::size_t n = 0; done + 2 < those_due_.size() && n < most; ++n) {
    const Event* event = queues_[those_due_[done + 2]].upcoming(n);
    if (event == nullptr) break;
    prefetch(&ports_[event->entity], offsetof(Port, stored));
  }
  for (std::size_t n = 0; done + 1 < those_due_.size() && n < most; ++n) {
    const Event* event = queues_[those_due_[done + 1]].upcoming(n);
    if (event == nullptr) break;
    const Port& port = ports_[event->entity];
    if (port.flying.first != none) prefetch(&packets_[port.flying.first]);
    if (port.data.first != none) prefetch(&packets_[port.data.first]);
  }
}

void Fabric::push(DomainId domain, std::int64_t time, EventKind kind, std::uint32_t entity, std::uint32_t counter,
                  std::uint64_t data) {
  Event event;
  event.time = time;
  event.kind = static_cast<std::uint8_t>(kind);
  event.entity = entity;
  event.counter = counter;
  event.data = data;
  queues_[domain].push(event);
  if (domain != at_hosts && domain != here_ && time < next_[domain]) {
    next_[domain] = time;
    due_.set(domain, time);
  }
}

bool Fabric::run_moment(std::int64_t limit) {
  EventQueue& queue = queues_[at_hosts];
  for (;;) {
    const std::int64_t next = queue.next_time();
    if (next < switches_done_ || due_.empty()) {
      if (next > limit || next == never) return false;
      run_batch(queue);
      return true;
    }
    const std::int64_t begin = std::min(next, due_.top_time());
    if (begin > limit) return false;
    run_switches(std::min(limit - begin, lookahead_ - 1) + begin);
  }
}

// All events of switches up to `limit`.
void Fabric::run_switches(std::int64_t limit) {
  due_.take_until(limit, those_due_);
  std::sort(those_due_.begin(), those_due_.end());  // neighbours' ports are neighbours
  for (std::size_t i = 0; i < those_due_.size(); ++i) {
    prefetch_switches(i);
    here_ = those_due_[i];
    EventQueue& queue = queues_[here_];
    while (queue.next_time() <= limit) run_batch(queue);
    note_due(here_);
  }
  here_ = at_hosts;
  switches_done_ = limit + 1;
}

// After the events of a switch have been handled, or added to from outside.
void Fabric::note_due(DomainId domain) {
  next_[domain] = queues_[domain].next_time();
  if (next_[domain] != never) due_.set(domain, next_[domain]);
}

void Fabric::run_batch(EventQueue& queue) {
  queue.next(batch_);
  now_ = queue.now();
  events_ += batch_.size();
  for (const Event& event : batch_) {
    switch (static_cast<EventKind>(event.kind)) {
      case EventKind::ready:
        ports_[event.entity].ready_set = false;
        start(event.entity);
        break;
      case EventKind::pause:
        pause(event.entity, event.data != 0);
        break;
      case EventKind::credit: {
        Port& port = ports_[event.entity];
        port.credits += static_cast<std::int64_t>(event.data);
        if (port.blocked) {
          port.blocked = false;
          start(event.entity);
        }
        break;
      }
      case EventKind::arrival:
        arrive(event.entity);
        break;
      case EventKind::wake:
        if (ports_[event.entity].wake_at == now_) {
          ports_[event.entity].wake_at = never;
          start(event.entity);
        }
        break;
      case EventKind::left:
        hosts_.left(event.entity, event.data);
        break;
      case EventKind::timer:
        hosts_.timer(event.entity, event.data);
        break;
      case EventKind::handed_over:
        hosts_.deliver(static_cast<PacketId>(event.data & none));
        break;
    }
  }
}

void Fabric::set_timer(std::uint32_t connection, std::int64_t time, std::uint64_t data) {
  push(at_hosts, time, EventKind::timer, connection, 0, data);
}

void Fabric::hand_over(PacketId packet, std::int64_t delay) {
  // Of one connection and moment the order is that of the sequence numbers, then that of their causes.
  const Packet& p = packets_[packet];
  const std::uint64_t cause = std::uint64_t{p.serial} << 2 | static_cast<std::uint64_t>(p.kind);
  push(at_hosts, now_ + delay, EventKind::handed_over, p.connection, static_cast<std::uint32_t>(p.sequence),
       cause << 32 | packet);
}

void Fabric::kick(PortId id) {
  if (!ports_[id].ready_set) start(id);
}

void Fabric::wake(PortId id, std::int64_t time) {
  Port& port = ports_[id];
  if (port.wake_at <= time) return;
  port.wake_at = time;
  push(at_hosts, time, EventKind::wake, id, 0);
}

// --- Ports ---

void Fabric::retry_at(PortId id, std::int64_t time) {
  Port& port = ports_[id];
  if (port.ready_set) return;
  port.ready_set = true;
  push(here_, time, EventKind::ready, id, 0);
}

// Sends the next packet if the port may and has one.
void Fabric::start(PortId id) {
  Port& port = ports_[id];
  if (port.busy_until > now_) return retry_at(id, port.busy_until);
  if (port.picoseconds_per_byte <= 0) return;
  PacketId packet = none;
  const bool control = port.control.first != none;
  if (control) {
    packet = port.control.first;
  } else if (port.paused || port.blocked) {
    return;
  } else {
    while (port.source && (hosts_fill_ || port.data.first == none)) {
      const PacketId fresh = hosts_.pull(id);
      if (fresh == none) break;
      packets_[fresh].ingress = none;
      append(port.data, fresh);
      count_queue(port);
      port.queued += packets_[fresh].bytes;
      port.largest_queue = std::max(port.largest_queue, port.queued);
    }
    packet = port.data.first;
    if (packet == none) return;
  }
  const std::uint32_t bytes = packets_[packet].bytes;
  if (!control && flow_control_ == FlowControl::credits && port.credits < std::int64_t{bytes}) {
    port.blocked = true;
    return;
  }
  if (port.shaped) {
    // What the bucket can never hold passes when it is full (tc-tbf splits such packets).
    const std::int64_t time = time_of(bytes, port.picoseconds_per_byte);
    const std::int64_t conforms = port.theoretical - std::max(port.burst_time, time) + time;
    if (conforms > now_) return retry_at(id, conforms);
  }
  begin(id, pop(control ? port.control : port.data), control);
}

void Fabric::begin(PortId id, PacketId packet, bool control) {
  Port& port = ports_[id];
  Packet& p = packets_[packet];
  count_queue(port);
  port.queued -= p.bytes;
  leave(p);
  if (!control && flow_control_ == FlowControl::credits) port.credits -= p.bytes;
  const std::int64_t time = time_of(p.bytes, port.picoseconds_per_byte);
  if (port.shaped) {
    port.theoretical = std::max(port.theoretical, now_) + time;
    port.busy_until = now_;
  } else {
    port.busy_until = now_ + time;
  }
  p.arrival = port.busy_until + port.latency;
  ++port.packets;
  port.bytes += p.bytes;
  if (!series_.empty()) series_[id].send(now_, p.bytes);
  p.ingress = id;
  if (p.last) {
    p.last = false;
    push(at_hosts, port.busy_until, EventKind::left, p.connection, p.serial, p.sequence + p.payload);
  }
  if (port.flying.first == none) push(domains_[port.to], p.arrival, EventKind::arrival, id, 0);
  append(port.flying, packet);
  if (port.control.first != none || port.data.first != none || port.source) retry_at(id, port.busy_until);
}

void Fabric::arrive(PortId id) {
  Port& port = ports_[id];
  const PacketId packet = pop(port.flying);
  ++hops_;
  if (port.flying.first != none) push(here_, packets_[port.flying.first].arrival, EventKind::arrival, id, 0);
  Packet& p = packets_[packet];
  if (port.loss > 0) {
    if (draw(id, draws_of_losses | ++port.losses_drawn) < port.loss) {
      ++port.rare.lost;
      if (flow_control_ == FlowControl::credits && is_data(p)) give_back(id, p.bytes);
      return release(packet);
    }
  }
  const WayId way = steps_[p.step].next;
  if (way == none) {
    if (flow_control_ == FlowControl::credits && is_data(p)) give_back(id, p.bytes);
    return hosts_.deliver(packet);
  }
  enter(packet, way, id);
}

bool Fabric::is_data(const Packet& packet) const {
  return !control_first_ || (packet.kind == PacketKind::data && !packet.trimmed);
}

void Fabric::send(PacketId packet, WayId way) { enter(packet, way, none); }

// Into the egress queue of a device.
void Fabric::enter(PacketId packet, WayId way, PortId ingress) {
  Packet& p = packets_[packet];
  p.step = choose(way, p);
  const PortId egress = steps_[p.step].port;
  Port& port = ports_[egress];
  p.ingress = ingress;
  if (ingress != none && is_data(p) && !admit(p, port, ingress)) {
    if (!settings_.trimming || p.kind != PacketKind::data) {
      ++port.rare.drops;
      return release(packet);
    }
    ++port.rare.trims;
    p.trimmed = true;
    p.bytes = header_of_trimmed;
    p.payload = 0;
  }
  const bool control = !is_data(p);
  if (!control) mark(p, egress);
  count_queue(port);
  port.queued += p.bytes;
  port.largest_queue = std::max(port.largest_queue, port.queued);
  append(control ? port.control : port.data, packet);
  if (!port.ready_set) start(egress);
}

// --- Buffers ---

bool Fabric::admit(Packet& packet, const Port& egress, PortId ingress) {
  Port& from = ports_[ingress];
  Switch& device = switches_[from.to];
  if (flow_control_ == FlowControl::none) {
    if (device.switches || egress.limit > 0) {
      const std::uint64_t free = device.shared > device.used ? device.shared - device.used : 0;
      const auto most = egress.limit > 0
                            ? egress.limit
                            : static_cast<std::uint64_t>(settings_.alpha.value_or(1.0) * static_cast<double>(free));
      if (egress.queued + packet.bytes > most) return false;
      if (egress.limit == 0 && packet.bytes > free) return false;
    }
  } else if (flow_control_ == FlowControl::pfc && device.switches &&
             (from.pause_sent || device.used + packet.bytes > device.shared)) {
    // The ingress is paused, or the shared buffer has no room left: what still comes goes into the headroom.
    if (from.in_headroom + packet.bytes > from.headroom) return false;
    from.in_headroom += packet.bytes;
    if (!from.pause_sent) tell(ingress, true);
    from.stored += packet.bytes;
    return true;
  }
  device.used += packet.bytes;
  from.stored += packet.bytes;
  if (flow_control_ == FlowControl::pfc && !from.pause_sent && from.stored > pause_threshold(device))
    tell(ingress, true);
  return true;
}

// The packet gives back what it took of the device that it begins to leave.
void Fabric::leave(const Packet& packet) {
  if (packet.ingress == none || !is_data(packet)) return;
  Port& from = ports_[packet.ingress];
  Switch& device = switches_[from.to];
  from.stored -= packet.bytes;
  // The headroom is free again before the shared part.
  const std::uint64_t of_headroom = std::min<std::uint64_t>(from.in_headroom, packet.bytes);
  from.in_headroom -= of_headroom;
  device.used -= packet.bytes - of_headroom;
  if (flow_control_ == FlowControl::credits) return give_back(packet.ingress, packet.bytes);
  if (from.pause_sent && from.in_headroom == 0) {
    const std::uint64_t threshold = pause_threshold(device);
    const std::uint64_t resume = threshold > resume_below_ ? threshold - resume_below_ : 0;
    if (from.stored <= resume) tell(packet.ingress, false);
  }
}

std::uint64_t Fabric::pause_threshold(const Switch& device) const {
  if (settings_.xoff) return static_cast<std::uint64_t>(settings_.xoff->count());
  if (!device.switches) return 16 * resume_below_;
  const std::uint64_t free = device.shared > device.used ? device.shared - device.used : 0;
  return static_cast<std::uint64_t>(settings_.alpha.value_or(0.125) * static_cast<double>(free));
}

// Pause and go-ahead travel back over the link, behind the frame that it is busy with.
void Fabric::tell(PortId ingress, bool on) {
  Port& from = ports_[ingress];
  const Port& back = ports_[ingress ^ 1U];
  from.pause_sent = on;
  const std::int64_t begins = std::max(now_, back.busy_until);
  // Rates may change meanwhile (faults); what was told first arrives first.
  from.told_at =
      std::max(from.told_at, begins + time_of(pause_frame, back.picoseconds_per_byte) + back.latency_of_link);
  push(domains_[back.to], from.told_at, EventKind::pause, ingress, ++from.counter, on ? 1 : 0);
}

void Fabric::pause(PortId id, bool on) {
  Port& port = ports_[id];
  if (on == port.paused) return;
  port.paused = on;
  if (on) {
    ++port.rare.pauses;
    port.paused_since = now_;
    return;
  }
  port.rare.paused += now_ - port.paused_since;
  if (!port.ready_set) start(id);
}

void Fabric::give_back(PortId ingress, std::uint32_t bytes) {
  Port& from = ports_[ingress];
  from.owed += bytes;
  if (from.owed < from.credit_grain) return;
  const Port& back = ports_[ingress ^ 1U];
  push(domains_[back.to], now_ + back.latency_of_link, EventKind::credit, ingress, ++from.counter,
       static_cast<std::uint64_t>(from.owed));
  from.owed = 0;
}

void Fabric::mark(Packet& packet, PortId id) {
  Port& port = ports_[id];
  if (port.queued <= port.ecn_min || packet.ingress == none) return;
  bool marked = port.queued >= port.ecn_max;
  if (!marked) {
    const double share = static_cast<double>(port.queued - port.ecn_min) /
                         static_cast<double>(port.ecn_max - port.ecn_min) * port.ecn_probability;
    marked = draw(id, ++port.marks_drawn) < share;
  }
  if (!marked) return;
  packet.marked = true;
  ++port.rare.marks;
}

void Fabric::count_queue(Port& port) {
  port.queue_time += static_cast<double>(port.queued) * static_cast<double>(now_ - port.queued_since);
  if (!series_.empty())
    series_[static_cast<std::size_t>(&port - ports_.data())].queue(port.queued_since, now_, port.queued);
  port.queued_since = now_;
}

void Fabric::rest() {
  for (Port& port : ports_) port.theoretical = std::min(port.theoretical, now_);
}

void Fabric::set_rate(PortId id, double bits_per_second) {
  Port& port = ports_[id];
  port.picoseconds_per_byte = bits_per_second > 0 ? 8 * picoseconds_per_second / bits_per_second : 0;
  port.burst_time = time_of(port.burst, port.picoseconds_per_byte);
  here_ = domains_[ports_[id ^ 1U].to];
  if (!port.ready_set) start(id);
  if (here_ != at_hosts) note_due(here_);
  here_ = at_hosts;
}

std::size_t Fabric::bytes() const {
  return packets_.capacity() * sizeof(Packet) + ports_.capacity() * sizeof(Port) + steps_.capacity() * sizeof(Step) +
         ways_.capacity() * sizeof(Ways) + free_.capacity() * sizeof(PacketId);
}

}  // namespace lockstep::sim::packet
