#include "sim/network/packet/tcp.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/base/hash.hpp"
#include "core/faults/draws.hpp"

namespace lockstep::sim::packet {
namespace {

constexpr double picoseconds = 1e12;
constexpr std::int64_t milliseconds = 1'000'000'000;
constexpr double cubic_scaling = 0.4;        // C of RFC 8312, segments per second cubed
constexpr double cubic_decrease = 0.7;       // beta
constexpr double lost_segments = 3;          // so many segments behind a gap: it is lost
constexpr std::int64_t hystart_window = 16;  // segments
constexpr int hystart_samples = 8;
constexpr std::int64_t hystart_rest = 1000 * milliseconds;  // after cubic growth began
constexpr double blind_growth = 0.05;                       // of the window per round trip, before any loss
// Memory beside the data of a packet in a send buffer: seen on Linux 6.18 as packets of 7,240 bytes that fit into
// buffers of 64 KiB to 512 KiB (docs/models/packet.md).
constexpr std::uint64_t packet_memory = 870;
constexpr double window_share = 0.8;  // of the receive buffer

// Without libm, so that every machine gets the same bits.
double cube_root(double x) {
  if (x <= 0) return 0;
  double low = 0, high = std::max(1.0, x);
  for (int i = 0; i < 80; ++i) {
    const double middle = (low + high) / 2;
    (middle * middle * middle < x ? low : high) = middle;
  }
  return high;
}

constexpr std::int64_t default_acknowledge_every = 2;

}  // namespace

Tcp::Tcp(const Topology& topology, const Switching& switching, const Settings& settings, std::uint64_t seed)
    : Transport(topology, switching, settings, seed),
      seed_(seed),
      segment_(settings.frames.payload),
      cubic_(settings.transport.congestion_control == CongestionControl::cubic),
      controls_(settings.transport.congestion_control != CongestionControl::none),
      receive_window_(settings.transport.receive_window
                          ? static_cast<double>(settings.transport.receive_window->count())
                          : std::numeric_limits<double>::infinity()),
      packet_(settings.frames.payload * static_cast<std::uint64_t>(settings.transport.burst_segments)),
      least_timeout_(settings.transport.timeout ? settings.transport.timeout->count() : 200 * milliseconds) {
  if (settings.host_queue > 0) fabric_.let_hosts_fill();
}

Bytes Tcp::window_of(Bytes receive_buffer, const Settings& settings) {
  const double offered = window_share * static_cast<double>(receive_buffer.count());
  const double packet =
      static_cast<double>(settings.frames.payload) * static_cast<double>(settings.transport.burst_segments);
  return Bytes{static_cast<std::int64_t>(offered - std::min(packet, offered / 2))};
}

void Tcp::opened(ConnectionId) {
  Flow flow;
  flow.window = controls_ ? segment_ * static_cast<double>(settings_.transport.initial_window)
                          : std::numeric_limits<double>::infinity();
  flow.threshold = std::numeric_limits<double>::infinity();
  flows_.push_back(std::move(flow));
}

Transport::Offer Tcp::offer(ConnectionId id) {
  Connection& c = at(id);
  Flow& flow = flows_[id];
  if (c.may_send > now()) return Offer::wait(c.may_send);
  if (!asking_ && settings_.host_queue > 0 && static_cast<double>(flow.queued) >= queue_limit(flow))
    return Offer::nothing();
  if (c.next == c.acknowledged) wake_from_idle(id);
  const double burst = segment_ * static_cast<double>(settings_.transport.burst_segments);
  const std::uint64_t under_way = flying(id);
  const double room = flow.window - static_cast<double>(under_way);
  const bool full = room < segment_ && under_way > 0 && !flow.probing;
  if (!flow.lost.empty()) {
    if (full) return Offer::nothing();
    const auto [begin, end] = flow.lost.front();
    return Offer::packet(begin, std::min(end - begin, static_cast<std::uint64_t>(segment_)));
  }
  if (c.next >= c.written) return Offer::nothing();
  if (full) return Offer::nothing();
  const double window = buffers_let(id);
  double payload = std::min({burst, static_cast<double>(c.written - c.next), std::max(room, segment_)});
  payload = std::min(payload, window);
  // Whole segments, unless the data end.
  if (payload < static_cast<double>(c.written - c.next))
    payload = segment_ * static_cast<double>(static_cast<std::int64_t>(payload / segment_));
  if (payload < 1) return Offer::nothing();
  return Offer::packet(c.next, static_cast<std::uint64_t>(payload));
}

// Of a connection's bytes in its host's queue: a millisecond of the rate that its window stands for, with room to grow,
// two packets at least, and what the hosts' setting allows at most (TCP small queues).
double Tcp::queue_limit(const Flow& flow) const {
  const auto most = static_cast<double>(settings_.host_queue);
  if (flow.smoothed <= 0) return most;
  const double gain = flow.window < flow.threshold / 2 ? 2.0 : 1.2;
  const double in_a_millisecond = gain * flow.window / flow.smoothed * picoseconds / 1024;
  return std::min(most, std::max(in_a_millisecond, 2.0 * static_cast<double>(packet_ + packet_memory)));
}

// How many more bytes the buffers of both ends let into the network.
double Tcp::buffers_let(ConnectionId id) {
  const Connection& c = at(id);
  double window = static_cast<double>(c.acknowledged) + receive_window_ - static_cast<double>(c.next);
  // A socket keeps what is not acknowledged in its buffer.
  if (settings_.send_buffer > 0)
    window = std::min(window, static_cast<double>(fill_buffer(id)) - static_cast<double>(c.next));
  return c.next == c.acknowledged ? std::max(window, segment_) : window;  // else nothing would ever be sent
}

// Up to where the writer has filled the send buffer.
std::uint64_t Tcp::fill_buffer(ConnectionId id) {
  const Connection& c = at(id);
  Flow& flow = flows_[id];
  const auto buffer = static_cast<std::uint64_t>(settings_.send_buffer);
  const auto packets = [](std::uint64_t bytes, std::uint64_t size) { return (bytes + size - 1) / size; };
  const std::uint64_t memory =
      packets(flow.filled - std::min(flow.filled, c.acknowledged), packet_) * (packet_ + packet_memory);
  if (flow.waits && 3 * memory > 2 * buffer) return flow.filled;
  // A packet is begun while there is any room.
  flow.filled = c.acknowledged + packets(buffer, packet_ + packet_memory) * packet_;
  flow.waits = c.written > flow.filled;
  return flow.filled;
}

std::uint64_t Tcp::flying(ConnectionId id) {
  const Connection& c = at(id);
  const std::uint64_t under_way = in_flight(c);
  return under_way - std::min(under_way, flows_[id].lost.count(c.acknowledged, c.next));
}

void Tcp::wake_from_idle(ConnectionId id) {
  Flow& flow = flows_[id];
  if (!controls_ || !settings_.transport.slow_start_after_idle || flow.last_sent < 0) return;
  const double first = std::min(flow.window, segment_ * static_cast<double>(settings_.transport.initial_window));
  const std::int64_t patience = timeout(id);
  std::int64_t idle = now() - flow.last_sent;
  if (idle <= patience) return;
  flow.threshold = std::max(flow.threshold, 0.75 * flow.window);
  while ((idle -= patience) > 0 && flow.window > first) flow.window /= 2;
  flow.window = std::max(flow.window, first);
  if (flow.growth_began >= 0) flow.growth_began += now() - flow.last_sent;  // it does not grow while idle
  flow.last_sent = now();
}

void Tcp::departed(ConnectionId id) {
  Flow& flow = flows_[id];
  if (settings_.host_queue == 0) return;
  flow.queued -= flow.packets.pop();
  list(id);
}

void Tcp::sent(ConnectionId id, Packet& packet) {
  Flow& flow = flows_[id];
  if (flow.recovering) flow.sent_since += packet.payload;
  if (settings_.host_queue > 0) {
    packet.last = true;
    flow.queued += packet.bytes;
    flow.packets.push(packet.bytes);
  }
  if (!flow.lost.empty()) {
    const std::uint64_t end = packet.sequence + packet.payload;
    flow.lost.remove(packet.sequence, end);
    flow.resent.push_back({packet.sequence, end, now()});
  }
  flow.last_sent = now();
  flow.probing = false;
  flow.used = std::max(flow.used, static_cast<double>(flying(id)));
  if (at(id).due[retransmission] == Fabric::never) arm(id);
}

std::int64_t Tcp::timeout(ConnectionId id) const {
  const Flow& flow = flows_[id];
  if (flow.smoothed <= 0) return 5 * least_timeout_ * backoff(id);  // 1 s at the usual 200 ms
  const double variation = std::max(4 * flow.deviation, static_cast<double>(least_timeout_));
  return static_cast<std::int64_t>(flow.smoothed + variation) * backoff(id);
}

// The timeout, and before it the probe of the tail.
void Tcp::arm(ConnectionId id) {
  const Connection& c = at(id);
  const Flow& flow = flows_[id];
  if (c.acknowledged >= c.sent) {
    stop_timer(id, retransmission);
    stop_timer(id, probe_timer);
    return;
  }
  set_timer(id, retransmission, now() + timeout(id));
  if (flow.smoothed > 0 && !flow.probed && !flow.recovering) {
    // A single packet may be waiting for a receiver that acknowledges late.
    const bool single = static_cast<double>(c.next - c.acknowledged) <= segment_;
    const std::int64_t wait =
        static_cast<std::int64_t>(2 * flow.smoothed) + (single ? least_timeout_ : 2 * milliseconds);
    if (wait < timeout(id)) set_timer(id, probe_timer, now() + wait);
  }
}

void Tcp::data_arrived(ConnectionId id, const Packet& packet) {
  Connection& c = at(id);
  const bool in_order = packet.sequence <= c.received;
  const bool filled = !c.ahead.empty();
  const bool due = count_arrival(id, packet, settings_.transport.acknowledge_every.value_or(default_acknowledge_every));
  const bool fresh = take_in(id, packet.sequence, packet.sequence + packet.payload);
  if (due || !in_order || filled || !fresh) reply(id, packet, PacketKind::acknowledgement);
}

void Tcp::sample_trip(Flow& flow, std::int64_t trip) {
  const auto sample = static_cast<double>(trip);
  if (flow.smoothed <= 0) {
    flow.smoothed = sample;
    flow.deviation = sample / 2;
  } else {
    flow.deviation = 0.75 * flow.deviation + 0.25 * std::abs(flow.smoothed - sample);
    flow.smoothed = 0.875 * flow.smoothed + 0.125 * sample;
  }
  flow.least_trip = std::min(flow.least_trip, trip);
}

void Tcp::leave_slow_start_early(ConnectionId id, std::int64_t trip) {
  Flow& flow = flows_[id];
  const Connection& c = at(id);
  if (!cubic_ || flow.window >= flow.threshold || flow.recovering) return;
  if (flow.growth_began >= 0 && now() - flow.growth_began < hystart_rest) return;
  if (c.acknowledged > flow.round_end) {
    flow.round_end = c.next;
    flow.round_began = flow.last_acknowledgement = now();
    flow.least_of_round = Fabric::never;
    flow.samples = 0;
  }
  if (flow.window < segment_ * static_cast<double>(hystart_window)) return;
  // A train of acknowledgements, close to each other, that has gone on for half a round trip.
  if (now() - flow.last_acknowledgement <= 2 * milliseconds) {
    flow.last_acknowledgement = now();
    if (now() - flow.round_began > flow.least_trip / 2) flow.threshold = flow.window;
  }
  if (flow.samples < hystart_samples) {
    flow.least_of_round = std::min(flow.least_of_round, trip);
    ++flow.samples;
  } else if (flow.least_of_round >
             flow.least_trip + std::clamp(flow.least_trip / 8, 4 * milliseconds, 16 * milliseconds)) {
    flow.threshold = flow.window;
  }
}

void Tcp::acknowledged(ConnectionId id, const Packet& packet) {
  Connection& c = at(id);
  Flow& flow = flows_[id];
  const auto known = [&c] { return c.acknowledged + c.sacked.count(c.acknowledged, c.next); };
  const std::uint64_t known_before = known();
  const std::uint64_t before = c.acknowledged;
  advance(id, packet.sequence);
  if (packet.other >= c.acknowledged && packet.payload > 0) {
    c.sacked.add(packet.other, packet.other + packet.payload);
    flow.lost.remove(packet.other, packet.other + packet.payload);  // it was only late
  }
  const auto arrived = static_cast<double>(known() - known_before);  // it only grows
  const std::int64_t trip = now() - packet.sent;
  sample_trip(flow, trip);
  flow.lost.drop_below(c.acknowledged);
  if (c.acknowledged > before) {
    flow.probed = false;
    leave_slow_start_early(id, trip);
    if (flow.recovering && c.acknowledged >= flow.recover) {
      flow.recovering = false;
      if (controls_) flow.window = std::max(flow.threshold, 2 * segment_);
    }
    if (!flow.recovering && controls_) grow(flow, c.acknowledged - before);
    if (c.acknowledged > flow.used_round) {
      flow.used_round = c.next;
      flow.used_before = flow.used;
      flow.used = static_cast<double>(flying(id));
    }
    arm(id);
  }
  find_losses(id, true, packet.sent);
  if (flow.recovering) set_window_of_recovery(id, arrived);
  // Senders of one rate would keep their order for ever, and a full queue would drop the packets of one of them alone.
  Draws draws(seed_ ^ mix64(std::uint64_t{id} << 32 | packet.serial));
  c.may_send = std::max(c.may_send, now() + static_cast<std::int64_t>(draws.below(reaction_time(c))));
  list(id);
}

// A host takes up to as long to answer an acknowledgement as the slowest link takes for a packet.
std::uint64_t Tcp::reaction_time(const Connection& c) const {
  return 1 + static_cast<std::uint64_t>(segment_ * 8e12 / c.line_rate);
}

// Proportional rate reduction: down to the threshold as data arrive, and never a burst.
void Tcp::set_window_of_recovery(ConnectionId id, double arrived) {
  if (!controls_) return;
  Flow& flow = flows_[id];
  flow.arrived_since += arrived;
  const auto under_way = static_cast<double>(flying(id));
  double room = 0;
  if (under_way > flow.threshold)
    room = flow.arrived_since * flow.threshold / flow.before_cut - flow.sent_since;
  else
    room = std::min(flow.threshold - under_way, std::max(flow.arrived_since - flow.sent_since, arrived) + segment_);
  flow.window = under_way + std::max(room, flow.sent_since > 0 ? 0.0 : segment_);
}

bool Tcp::mark_lost(ConnectionId id, std::uint64_t begin, std::uint64_t end) {
  const Connection& c = at(id);
  Ranges& lost = flows_[id].lost;
  const std::uint64_t before = lost.count(begin, end);
  for (std::uint64_t missing = c.sacked.first_missing(std::max(begin, c.acknowledged)); missing < end;) {
    const std::uint64_t present = std::min(end, c.sacked.next_present(missing));
    lost.add(missing, present);
    missing = c.sacked.first_missing(present);
  }
  return lost.count(begin, end) > before;
}

// `delivered`: when the latest packet that has arrived had been sent.
void Tcp::find_losses(ConnectionId id, bool patient, std::int64_t delivered) {
  Connection& c = at(id);
  Flow& flow = flows_[id];
  const std::int64_t reordering = flow.least_trip / 4;
  // What was sent again is not looked at by its place: by its time.
  Ranges again;
  bool lost = false;
  std::size_t kept = 0;
  for (const Flow::Resent& resent : flow.resent) {
    if (resent.end <= c.acknowledged || c.sacked.count(resent.begin, resent.end) == resent.end - resent.begin) continue;
    if (resent.sent + reordering < delivered) {
      lost = mark_lost(id, resent.begin, resent.end) || lost;
      continue;
    }
    again.add(resent.begin, resent.end);
    flow.resent[kept++] = resent;
  }
  flow.resent.resize(kept);
  if (c.sacked.empty()) {
    stop_timer(id, reorder_timer);
  } else {
    const std::uint64_t ahead = c.sacked.end();
    const bool gap = c.sacked.count(c.acknowledged, ahead) + again.count(c.acknowledged, ahead) +
                         flow.lost.count(c.acknowledged, ahead) <
                     ahead - c.acknowledged;
    const bool sure = !patient || flow.recovering ||
                      static_cast<double>(c.sacked.count(c.acknowledged, ahead)) >= lost_segments * segment_;
    if (gap && sure) {
      for (std::uint64_t from = again.first_missing(c.acknowledged); from < ahead;) {
        const std::uint64_t to = std::min(ahead, again.next_present(from));
        lost = mark_lost(id, from, to) || lost;
        from = again.first_missing(to);
      }
    } else if (gap) {
      set_timer(id, reorder_timer, now() + reordering);
    }
  }
  // What a timeout has marked is one loss, however often its repeats are lost.
  if (lost && !flow.recovering && c.acknowledged >= flow.recover) {
    flow.recovering = true;
    flow.recover = c.next;
    flow.before_cut = flow.window;
    flow.arrived_since = flow.sent_since = 0;
    cut(flow);
    set_window_of_recovery(id, 0);
  }
}

void Tcp::cut(Flow& flow) {
  if (!controls_) return;
  const double segments = flow.window / segment_;
  // Fast convergence: who is cut below where it was cut before leaves room to others.
  flow.at_cut = cubic_ && segments < flow.at_cut ? segments * (1 + cubic_decrease) / 2 : segments;
  flow.growth_began = -1;
  flow.window = std::max(2 * segment_, flow.window * (cubic_ ? cubic_decrease : 0.5));
  flow.threshold = flow.window;
}

void Tcp::grow(Flow& flow, std::uint64_t acknowledged) {
  const double used = std::max(flow.used, flow.used_before);
  const bool starts = flow.window < flow.threshold;
  if (starts ? flow.window >= 2 * used : used + segment_ <= flow.window) return;
  auto bytes = static_cast<double>(acknowledged);
  if (starts) {
    const double most = std::min(bytes, flow.threshold - flow.window);
    flow.window += most;
    bytes -= most;
    if (bytes <= 0) return;
  }
  if (cubic_)
    grow_cubic(flow, bytes);
  else
    flow.window += segment_ * bytes / flow.window;
}

void Tcp::grow_cubic(Flow& flow, double acknowledged) {
  const double segments = flow.window / segment_;
  if (flow.growth_began < 0) {
    flow.growth_began = now();
    flow.reno = segments;
    if (segments < flow.at_cut) {
      flow.seconds_to_cut = cube_root((flow.at_cut - segments) / cubic_scaling);
      flow.origin = flow.at_cut;
    } else {
      flow.seconds_to_cut = 0;
      flow.origin = segments;
    }
  }
  const double seconds = static_cast<double>(now() - flow.growth_began + flow.least_trip) / picoseconds;
  const double offset = seconds - flow.seconds_to_cut;
  const double target = flow.origin + cubic_scaling * offset * offset * offset;
  const double new_segments = acknowledged / segment_;
  // As fast as reno would at least.
  flow.reno += 3 * (1 - cubic_decrease) / (1 + cubic_decrease) * new_segments / segments;
  double grown = segments;
  if (target > segments)
    grown += std::min((target - segments) / segments, 0.5) * new_segments;
  else
    grown += new_segments / (100 * segments);
  // Where the bottleneck is not yet known, the cubic alone would take too long.
  if (flow.at_cut == 0) grown = std::max(grown, segments + blind_growth * new_segments);
  flow.window = std::max(grown, flow.reno) * segment_;
}

void Tcp::timer_due(ConnectionId id, Timer timer) {
  Connection& c = at(id);
  Flow& flow = flows_[id];
  switch (timer) {
    case reorder_timer:
      find_losses(id, false, 0);
      return list(id);
    case probe_timer:
      if (c.acknowledged >= c.sent || flow.recovering || !flow.lost.empty()) return;
      flow.probed = true;
      flow.probing = true;
      // New data if there are any that may leave; else the last segment again.
      if (c.next >= c.written || buffers_let(id) < segment_) {
        const auto segment = static_cast<std::uint64_t>(segment_);
        mark_lost(id, c.next > segment ? c.next - segment : 0, c.next);
      }
      return list(id);
    case retransmission:
      if (c.acknowledged >= c.sent) return;
      count_timeout(id);
      flow.resent.clear();
      mark_lost(id, c.acknowledged, c.next);
      cut(flow);
      if (controls_) flow.window = segment_;
      flow.recovering = false;
      flow.recover = c.next;
      set_timer(id, retransmission, now() + timeout(id));
      return list(id);
  }
}

}  // namespace lockstep::sim::packet
