#include "core/profile/message_cost.hpp"

#include "core/base/error.hpp"

namespace lockstep {

std::optional<Bandwidth> MessageCosts::send_rate() const {
  if (transport_->messages.empty() || transport_->copied) return std::nullopt;
  return transport_->messages.back().send_bandwidth;
}

std::optional<Bandwidth> MessageCosts::receive_rate() const {
  if (transport_->messages.empty() || transport_->copied) return std::nullopt;
  return transport_->messages.back().receive_bandwidth;
}

bool MessageCosts::some_go_by_no_rate() const {
  return std::any_of(transport_->messages.begin(), transport_->messages.end(), [](const MessageCost& cost) {
    return cost.up_to && (cost.send_bandwidth || cost.receive_bandwidth);
  });
}

std::int64_t MessageCosts::time_in_flow(std::int64_t bytes) const {
  if (!goes_by_rate(bytes)) return 0;
  std::int64_t time = 0;
  for (const auto& rate : {send_rate(), receive_rate()})
    if (rate) time += transfer_time(Bytes{bytes}, *rate).count();
  return time;
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
