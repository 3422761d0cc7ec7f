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
      target_(settings.transport.target_delay.count()) {}

void SenderBased::opened(ConnectionId id) {
  const Connection& c = at(id);
  Flow flow;
  flow.trip =
      transit(c.forward, wire_bytes(settings_.frames.payload)) + transit(c.backward, settings_.frames.acknowledgement);
  flow.timeout = usual_timeout(id, default_timeout);
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
  const std::uint64_t under_way = in_flight(c);
  const auto flying = static_cast<double>(under_way - std::min(under_way, flow.missing.count(c.acknowledged, c.next)));
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

void SenderBased::sent(ConnectionId id, Packet& packet) {
  Flow& flow = flows_[id];
  flow.missing.remove(packet.sequence, packet.sequence + packet.payload);
  if (at(id).due[retransmission] == Fabric::never) await_acknowledgement(id, flow.timeout);
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
  if (c.acknowledged > before) {
    flow.missing.drop_below(c.acknowledged);
    await_acknowledgement(id, flow.timeout);
  }
  list(id);
}

void SenderBased::timer_due(ConnectionId id, Timer) {
  Connection& c = at(id);
  if (c.acknowledged >= c.sent) return;
  c.again = c.acknowledged;
  c.lost_below = c.next;
  flows_[id].missing.clear();
  set_timer(id, retransmission, now() + flows_[id].timeout * count_timeout(id));
  list(id);
}

}  // namespace lockstep::sim::packet
