#include "sim/network/packet/tcp.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lockstep::sim::packet {
namespace {

constexpr double picoseconds = 1e12;
constexpr std::int64_t milliseconds = 1'000'000'000;
constexpr double cubic_scaling = 0.4;        // C of RFC 8312, segments per second cubed
constexpr double cubic_decrease = 0.7;       // beta
constexpr double lost_segments = 3;          // so many segments behind a gap: it is lost
constexpr std::int64_t hystart_window = 16;  // segments
constexpr int hystart_samples = 8;

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
      segment_(settings.frames.payload),
      cubic_(settings.transport.congestion_control == CongestionControl::cubic),
      controls_(settings.transport.congestion_control != CongestionControl::none),
      receive_window_(settings.transport.receive_window
                          ? static_cast<double>(settings.transport.receive_window->count())
                          : std::numeric_limits<double>::infinity()),
      least_timeout_(settings.transport.timeout ? settings.transport.timeout->count() : 200 * milliseconds) {}

void Tcp::opened(ConnectionId) {
  Flow flow;
  flow.window = controls_ ? segment_ * static_cast<double>(settings_.transport.initial_window)
                          : std::numeric_limits<double>::infinity();
  flow.threshold = std::numeric_limits<double>::infinity();
  flows_.push_back(flow);
}

Transport::Offer Tcp::offer(ConnectionId id) {
  Connection& c = at(id);
  Flow& flow = flows_[id];
  if (c.may_send > now()) return Offer::wait(c.may_send);
  if (c.next == c.acknowledged) wake_from_idle(id);
  const double burst = segment_ * static_cast<double>(settings_.transport.burst_segments);
  const std::uint64_t flying = in_flight(c);
  const double room = flow.window - static_cast<double>(flying);
  const bool full = room < segment_ && flying > 0 && !flow.probing;
  if (c.again < c.lost_below) {
    const Offer lost = lost_segment(c, static_cast<std::uint64_t>(segment_));
    if (lost.what == Offer::What::packet) return full ? Offer::nothing() : lost;
  }
  if (c.next >= c.written) return Offer::nothing();
  if (full) return Offer::nothing();
  double most_ahead = receive_window_;
  // A socket keeps what is not acknowledged in its buffer.
  if (settings_.send_buffer > 0) most_ahead = std::min(most_ahead, static_cast<double>(settings_.send_buffer));
  double window = static_cast<double>(c.acknowledged) + most_ahead - static_cast<double>(c.next);
  if (c.next == c.acknowledged) window = std::max(window, segment_);  // else nothing would ever be sent
  double payload = std::min({burst, static_cast<double>(c.written - c.next), std::max(room, segment_)});
  payload = std::min(payload, window);
  // Whole segments, unless the data end.
  if (payload < static_cast<double>(c.written - c.next))
    payload = segment_ * static_cast<double>(static_cast<std::int64_t>(payload / segment_));
  if (payload < 1) return Offer::nothing();
  return Offer::packet(c.next, static_cast<std::uint64_t>(payload));
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
  flow.last_sent = now();
  flow.growth_began = -1;
}

void Tcp::sent(ConnectionId id, const Packet&) {
  Flow& flow = flows_[id];
  flow.last_sent = now();
  flow.probing = false;
  flow.used = std::max(flow.used, static_cast<double>(in_flight(at(id))));
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
  const std::uint64_t before = c.acknowledged;
  advance(id, packet.sequence);
  if (packet.other >= c.acknowledged && packet.payload > 0) c.sacked.add(packet.other, packet.other + packet.payload);
  const std::int64_t trip = now() - packet.sent;
  sample_trip(flow, trip);
  if (c.acknowledged > before) {
    flow.probed = false;
    leave_slow_start_early(id, trip);
    if (flow.recovering && c.acknowledged >= flow.recover) flow.recovering = false;
    if (!flow.recovering && controls_) grow(flow, c.acknowledged - before);
    if (c.acknowledged > flow.used_round) {
      flow.used_round = c.next;
      flow.used_before = flow.used;
      flow.used = static_cast<double>(in_flight(c));
    }
    arm(id);
  }
  find_losses(id, true);
  list(id);
}

void Tcp::find_losses(ConnectionId id, bool patient) {
  Connection& c = at(id);
  Flow& flow = flows_[id];
  if (c.sacked.empty()) return stop_timer(id, reorder_timer);
  const std::uint64_t ahead = c.sacked.end();
  if (ahead <= c.lost_below) return;
  std::uint64_t lost = c.lost_below;
  if (!patient || flow.recovering) {
    lost = ahead;
  } else if (static_cast<double>(c.sacked.count(c.acknowledged, ahead)) >= lost_segments * segment_) {
    lost = ahead;
  } else {
    set_timer(id, reorder_timer, now() + flow.least_trip / 4);
    return;
  }
  c.again = std::max(c.again, c.acknowledged);
  c.lost_below = lost;
  if (!flow.recovering) {
    flow.recovering = true;
    flow.recover = c.next;
    cut(flow);
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
  flow.window = std::max(grown, flow.reno) * segment_;
}

void Tcp::timer_due(ConnectionId id, Timer timer) {
  Connection& c = at(id);
  Flow& flow = flows_[id];
  switch (timer) {
    case reorder_timer:
      find_losses(id, false);
      return list(id);
    case probe_timer:
      if (c.acknowledged >= c.sent || flow.recovering || c.again < c.lost_below) return;
      flow.probed = true;
      flow.probing = true;
      // New data if there are any; else the last segment again.
      if (c.next >= c.written) {
        const auto segment = static_cast<std::uint64_t>(segment_);
        c.again = std::max(c.acknowledged, c.next > segment ? c.next - segment : 0);
        c.lost_below = c.next;
      }
      return list(id);
    case retransmission:
      if (c.acknowledged >= c.sent) return;
      count_timeout(id);
      c.again = c.acknowledged;
      c.lost_below = c.next;
      cut(flow);
      if (controls_) flow.window = segment_;
      flow.recovering = false;
      flow.recover = c.next;
      set_timer(id, retransmission, now() + timeout(id));
      return list(id);
  }
}

}  // namespace lockstep::sim::packet
