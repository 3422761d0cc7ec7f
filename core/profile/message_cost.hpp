// What a message costs by the profile: the one place where its intervals are looked up.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "core/profile/profile.hpp"

namespace lockstep {

/// Times in picoseconds. Within an interval that has an upper end the per-byte cost is time on the processor; in the
/// last, open one it is a rate that the message's flow cannot exceed, unless the profile says `copied`.
class MessageCosts {
 public:
  explicit MessageCosts(const TransportProfile& transport) : transport_(&transport) {}
  /// `switches` on the message's way.
  [[nodiscard]] std::int64_t send_time(std::int64_t bytes, std::int64_t switches) const {
    const MessageCost* cost = interval(bytes);
    const std::int64_t time = transport_->switch_overhead.count() * switches;
    return cost == nullptr ? time : time + processor_time(*cost, cost->overhead, cost->send_bandwidth, bytes);
  }
  [[nodiscard]] std::int64_t receive_time(std::int64_t bytes) const {
    const MessageCost* cost = interval(bytes);
    return cost == nullptr ? 0 : processor_time(*cost, cost->receive_overhead, cost->receive_bandwidth, bytes);
  }
  [[nodiscard]] std::int64_t latency(std::int64_t bytes) const {
    const MessageCost* cost = interval(bytes);
    return cost == nullptr ? 0 : cost->latency.count();
  }
  /// Of the flows of messages that go by rates.
  [[nodiscard]] std::optional<Bandwidth> send_rate() const;
  [[nodiscard]] std::optional<Bandwidth> receive_rate() const;
  /// Processor time that both ends need for a message while it flows at these rates: a rank that sends and receives
  /// needs it all. 0 for messages that do not go by them.
  [[nodiscard]] std::int64_t time_in_flow(std::int64_t bytes) const;
  /// Whether these rates hold for messages of that size: unless its own interval says what their bytes cost.
  [[nodiscard]] bool goes_by_rate(std::int64_t bytes) const {
    const MessageCost* cost = interval(bytes);
    return cost == nullptr || !cost->up_to || !(cost->send_bandwidth || cost->receive_bandwidth);
  }
  /// For some size they do not.
  [[nodiscard]] bool some_go_by_no_rate() const;
  /// Payload bytes per byte that the link's rate counts, for frames of this MTU.
  [[nodiscard]] double payload_share(Bytes mtu) const;

 private:
  [[nodiscard]] const MessageCost* interval(std::int64_t bytes) const {
    const auto& costs = transport_->messages;
    if (costs.empty()) return nullptr;
    const auto found = std::partition_point(costs.begin(), costs.end(), [bytes](const MessageCost& cost) {
      return cost.up_to && cost.up_to->count() < bytes;
    });
    return found == costs.end() ? &costs.back() : &*found;
  }
  [[nodiscard]] std::int64_t processor_time(const MessageCost& cost, Duration overhead,
                                            const std::optional<Bandwidth>& rate, std::int64_t bytes) const {
    const std::int64_t time = overhead.count();
    return (cost.up_to || transport_->copied) && rate ? time + transfer_time(Bytes{bytes}, *rate).count() : time;
  }
  const TransportProfile* transport_;
};

}  // namespace lockstep
