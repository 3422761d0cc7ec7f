#include "sim/network/packet/rdma.hpp"

#include <algorithm>
#include <limits>

namespace lockstep::sim::packet {
namespace {

constexpr std::int64_t default_timeout = 4'096'000LL << 14;  // exponent 14 of InfiniBand
constexpr std::uint64_t reordered_packets = 128;

constexpr std::int64_t default_acknowledge_every = 4;

}  // namespace

Rdma::Rdma(const Topology& topology, const Switching& switching, const Settings& settings, std::uint64_t seed)
    : Transport(topology, switching, settings, seed),
      controls_(settings.transport.congestion_control == CongestionControl::dcqcn),
      keeps_order_(settings.transport.recovery == Recovery::go_back_n && !settings.reorders()),
      window_(settings.transport.window ? static_cast<std::uint64_t>(settings.transport.window->count())
                                        : std::numeric_limits<std::uint64_t>::max()),
      tolerated_(settings.reorders() ? reordered_packets * settings.frames.payload : 0) {}

void Rdma::opened(ConnectionId id) {
  QueuePair pair{DcqcnRate(settings_.transport.dcqcn, at(id).line_rate)};
  pair.timeout = usual_timeout(id, default_timeout);
  pairs_.push_back(pair);
}

Transport::Offer Rdma::offer(ConnectionId id) {
  Connection& c = at(id);
  if (c.may_send > now()) return Offer::wait(c.may_send);
  const std::uint64_t most = settings_.frames.payload;
  if (const Offer lost = lost_segment(c, most); lost.what == Offer::What::packet) return lost;
  if (c.next >= c.written) return Offer::nothing();
  const std::uint64_t end = std::min(c.undelivered.end_behind(c.next), c.written);
  const std::uint64_t payload = std::min(most, end - c.next);
  if (const std::uint64_t flying = in_flight(c); flying > 0 && flying + payload > window_) return Offer::nothing();
  return Offer::packet(c.next, payload);
}

double Rdma::pace(ConnectionId id) const {
  const DcqcnRate& rate = pairs_[id].rate;
  return controls_ && !rate.at_line_rate() ? rate.rate() : 0;
}

void Rdma::sent(ConnectionId id, Packet& packet) {
  if (controls_) pairs_[id].rate.sent(packet.bytes);
  if (at(id).due[retransmission] == Fabric::never) await_acknowledgement(id, pairs_[id].timeout);
}

void Rdma::data_arrived(ConnectionId id, const Packet& packet) {
  Connection& c = at(id);
  QueuePair& pair = pairs_[id];
  if (controls_ && packet.marked &&
      (pair.last_notification < 0 ||
       now() - pair.last_notification >= settings_.transport.dcqcn.min_time_between_cnps.count())) {
    pair.last_notification = now();
    reply(id, packet, PacketKind::congestion);
  }
  const std::uint64_t end = packet.sequence + packet.payload;
  if (packet.sequence > c.received) {
    if (keeps_order_) {
      if (!pair.asked) reply(id, packet, PacketKind::negative);
      pair.asked = true;
      return;
    }
    take_in(id, packet.sequence, end);
    reply(id, packet, PacketKind::acknowledgement);
    return;
  }
  pair.asked = false;
  const bool due = count_arrival(id, packet, settings_.transport.acknowledge_every.value_or(default_acknowledge_every));
  const bool filled = !c.ahead.empty();
  const bool fresh = take_in(id, packet.sequence, end);
  if (due || filled || !fresh) reply(id, packet, PacketKind::acknowledgement);
}

void Rdma::acknowledged(ConnectionId id, const Packet& packet) {
  if (packet.kind == PacketKind::congestion) return notified(id);
  Connection& c = at(id);
  const bool progress = packet.sequence > c.acknowledged;
  advance(id, packet.sequence);
  if (packet.kind == PacketKind::negative && keeps_order_) {
    // Nothing above has been kept.
    if (packet.sequence >= c.acknowledged) c.next = std::max(c.acknowledged, packet.sequence);
  } else if (!keeps_order_) {
    if (packet.other >= packet.sequence) c.sacked.add(packet.other, packet.other + packet.payload);
    const std::uint64_t ahead = c.sacked.end();
    if (ahead > tolerated_ && ahead - tolerated_ > std::max(c.lost_below, c.acknowledged)) {
      // Whatever is missing below what has arrived is lost; each gap is filled once, then the timeout decides.
      c.again = std::max(c.again, c.acknowledged);
      c.lost_below = ahead - tolerated_;
    }
  }
  if (progress) await_acknowledgement(id, pairs_[id].timeout);
  list(id);
}

void Rdma::notified(ConnectionId id) {
  QueuePair& pair = pairs_[id];
  ++statistics_.notifications;
  if (!pair.rate.notified(now())) return;
  statistics_.least_rate = std::min(statistics_.least_rate, pair.rate.rate() / at(id).line_rate);
  const Dcqcn& settings = settings_.transport.dcqcn;
  set_timer(id, alpha_timer, now() + settings.alpha_period.count());
  set_timer(id, rate_timer, now() + settings.time_reset.count());
}

void Rdma::timer_due(ConnectionId id, Timer timer) {
  Connection& c = at(id);
  QueuePair& pair = pairs_[id];
  const Dcqcn& settings = settings_.transport.dcqcn;
  switch (timer) {
    case retransmission:
      if (c.acknowledged >= c.sent) return;
      if (keeps_order_) {
        c.next = c.acknowledged;
      } else {
        c.again = c.acknowledged;
        c.lost_below = c.next;
      }
      set_timer(id, retransmission, now() + pair.timeout * count_timeout(id));
      return list(id);
    case alpha_timer:
      pair.rate.alpha_period_over();
      // At the line's rate alpha still fades, until it makes no difference.
      if (!pair.rate.at_line_rate() || pair.rate.alpha() > 0.001)
        set_timer(id, alpha_timer, now() + settings.alpha_period.count());
      return;
    case rate_timer:
      pair.rate.time_period_over();
      if (!pair.rate.at_line_rate()) set_timer(id, rate_timer, now() + settings.time_reset.count());
      return;
  }
}

}  // namespace lockstep::sim::packet
