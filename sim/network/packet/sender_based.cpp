#include "sim/network/packet/sender_based.hpp"

#include <algorithm>

namespace lockstep::sim::packet {
namespace {

constexpr std::int64_t default_timeout = 1'000'000'000;  // 1 ms
constexpr double gain = 8;

}  // namespace

SenderBased::SenderBased(const Topology& topology, const Switching& switching, const Settings& settings,
                         std::uint64_t seed)
    : Transport(topology, switching, settings, seed),
      segment_(settings.frames.payload),
      target_(settings.transport.target_delay.count()),
      timeout_(settings.transport.timeout ? settings.transport.timeout->count() : 0),
      buffer_(static_cast<double>(switching.buffer.count())) {}

void SenderBased::opened(ConnectionId id) {
  const Connection& c = at(id);
  Flow flow;
  flow.trip =
      transit(c.forward, wire_bytes(settings_.frames.payload)) + transit(c.backward, settings_.frames.acknowledgement);
  flow.timeout =
      timeout_ > 0 ? timeout_ : std::max(default_timeout, static_cast<std::int64_t>(2 * buffer_ * 8e12 / c.line_rate));
  const double line = c.line_rate / 8e12 * static_cast<double>(flow.trip + target_);
  flow.window = std::max(2 * segment_, line);
  flow.most = 1.25 * flow.window;
  flows_.push_back(flow);
}

Transport::Offer SenderBased::offer(ConnectionId id) {
  Connection& c = at(id);
  const Flow& flow = flows_[id];
  if (c.may_send > now()) return Offer::wait(c.may_send);
  const auto segment = static_cast<std::uint64_t>(segment_);
  const auto flying = static_cast<double>(in_flight(c) - std::min(in_flight(c), flow.trimmed));
  if (flying > 0 && flying + segment_ > flow.window) return Offer::nothing();
  if (!flow.missing.empty()) {
    const std::uint64_t begin = flow.missing.next_present(c.acknowledged);
    if (begin < c.next) return Offer::packet(begin, std::min(segment, flow.missing.first_missing(begin) - begin));
  }
  if (const Offer lost = lost_segment(c, segment); lost.what == Offer::What::packet) return lost;
  if (c.next >= c.written) return Offer::nothing();
  const std::uint64_t end = std::min(c.undelivered.end_behind(c.next), c.written);
  return Offer::packet(c.next, std::min(segment, end - c.next));
}

void SenderBased::sent(ConnectionId id, const Packet& packet, bool) {
  Flow& flow = flows_[id];
  Connection& c = at(id);
  if (!flow.missing.empty()) {
    const std::uint64_t end = packet.sequence + packet.payload;
    const std::uint64_t known = flow.missing.count(packet.sequence, end);
    if (known > 0) {
      flow.trimmed -= known;
      Ranges left;
      std::uint64_t at = flow.missing.next_present(0);
      while (at < flow.missing.end()) {
        const std::uint64_t until = flow.missing.first_missing(at);
        left.add(at, std::min(until, std::max(at, packet.sequence)));
        left.add(std::max(at, end), std::max(until, std::max(at, end)));
        at = flow.missing.next_present(until);
      }
      flow.missing = left;
    }
  }
  if (c.due[retransmission] == Fabric::never) set_timer(id, retransmission, now() + flow.timeout * backoff(id));
}

void SenderBased::data_arrived(ConnectionId id, const Packet& packet) {
  if (packet.trimmed) return reply(id, packet, PacketKind::negative);
  take_in(id, packet.sequence, packet.sequence + packet.payload);
  reply(id, packet, PacketKind::acknowledgement);
}

void SenderBased::acknowledged(ConnectionId id, const Packet& packet) {
  Connection& c = at(id);
  Flow& flow = flows_[id];
  const std::uint64_t before = c.acknowledged;
  advance(id, packet.sequence);
  const double target = static_cast<double>(target_);
  if (packet.kind == PacketKind::negative) {
    if (packet.other >= c.acknowledged && packet.other < c.next) {
      const std::uint64_t begin = c.sacked.first_missing(packet.other);
      const std::uint64_t end =
          std::min({c.sacked.next_present(begin), c.next, packet.other + static_cast<std::uint64_t>(segment_)});
      if (begin < end) {
        flow.trimmed += end - begin - flow.missing.count(begin, end);
        flow.missing.add(begin, end);
        flow.window = std::max(segment_, flow.window - segment_);
      }
    }
  } else {
    if (packet.other >= c.acknowledged) c.sacked.add(packet.other, packet.other + packet.payload);
    const std::int64_t trip = now() - packet.sent;
    flow.trip = std::min(flow.trip, trip);
    const auto delay = static_cast<double>(trip - flow.trip);
    const auto bytes = static_cast<double>(packet.payload);
    if (!packet.marked) {
      if (delay < target)
        flow.window += gain * segment_ * (target - delay) / target * bytes / flow.window;
      else
        flow.window += segment_ * bytes / flow.window;
    } else if (delay >= target) {
      flow.window -= bytes / 2 * (delay - target) / delay;
    }
    flow.window = std::clamp(flow.window, segment_, flow.most);
  }
  if (!flow.missing.empty() && c.acknowledged > before) {
    const std::uint64_t gone = flow.missing.count(0, c.acknowledged);
    flow.trimmed -= gone;
    flow.missing.drop_below(c.acknowledged);
  }
  if (c.acknowledged >= c.sent)
    stop_timer(id, retransmission);
  else if (c.acknowledged > before)
    set_timer(id, retransmission, now() + flow.timeout);
  list(id);
}

void SenderBased::timer_due(ConnectionId id, Timer) {
  Connection& c = at(id);
  if (c.acknowledged >= c.sent) return;
  c.again = c.acknowledged;
  c.lost_below = c.next;
  flows_[id].missing.clear();
  flows_[id].trimmed = 0;
  set_timer(id, retransmission, now() + flows_[id].timeout * count_timeout(id));
  list(id);
}

}  // namespace lockstep::sim::packet
