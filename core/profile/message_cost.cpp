#include "core/profile/message_cost.hpp"

#include "core/base/error.hpp"

namespace lockstep {

const MessageCost* MessageCosts::interval(std::int64_t bytes) const {
  for (const auto& cost : transport_->messages)
    if (!cost.up_to || bytes <= cost.up_to->count()) return &cost;
  return transport_->messages.empty() ? nullptr : &transport_->messages.back();
}

std::int64_t MessageCosts::send_time(std::int64_t bytes, std::int64_t switches) const {
  const MessageCost* cost = interval(bytes);
  std::int64_t time = transport_->switch_overhead.count() * switches;
  if (cost == nullptr) return time;
  time += cost->overhead.count();
  if (cost->up_to && cost->send_bandwidth) time += transfer_time(Bytes{bytes}, *cost->send_bandwidth).count();
  return time;
}

std::int64_t MessageCosts::receive_time(std::int64_t bytes) const {
  const MessageCost* cost = interval(bytes);
  if (cost == nullptr) return 0;
  std::int64_t time = cost->receive_overhead.count();
  if (cost->up_to && cost->receive_bandwidth) time += transfer_time(Bytes{bytes}, *cost->receive_bandwidth).count();
  return time;
}

std::int64_t MessageCosts::latency(std::int64_t bytes) const {
  const MessageCost* cost = interval(bytes);
  return cost == nullptr ? 0 : cost->latency.count();
}

std::optional<Bandwidth> MessageCosts::send_rate() const {
  if (transport_->messages.empty() || transport_->messages.back().up_to) return std::nullopt;
  return transport_->messages.back().send_bandwidth;
}

std::optional<Bandwidth> MessageCosts::receive_rate() const {
  if (transport_->messages.empty() || transport_->messages.back().up_to) return std::nullopt;
  return transport_->messages.back().receive_bandwidth;
}

double MessageCosts::payload_share(Bytes mtu) const {
  const Framing& framing = transport_->framing;
  double share = 1.0;
  if (framing.packet_header.count() > 0 || framing.frame_header.count() > 0) {
    if (framing.packet_header >= mtu)
      throw InputError(fmt::format("an MTU of {} bytes leaves no room for payload behind headers of {} bytes",
                                   mtu.count(), framing.packet_header.count()));
    share = static_cast<double>((mtu - framing.packet_header).count()) /
            static_cast<double>((mtu + framing.frame_header).count());
  }
  if (framing.acknowledged.count() > 0)
    share /=
        1.0 + static_cast<double>(framing.acknowledgement.count()) / static_cast<double>(framing.acknowledged.count());
  return share;
}

}  // namespace lockstep
