#include "study/calibration/message_costs.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/error.hpp"

namespace lockstep {
namespace {

// Below this many seconds per byte (10 TB/s) nothing is left to model.
constexpr double least_slope = 1e-13;

Duration whole_nanoseconds(double seconds) { return nanoseconds(std::llround(std::max(0.0, seconds) * 1e9)); }

}  // namespace

std::vector<MessageCost> message_costs(const MessageFit& fit, double latency_s, double receive_share) {
  std::vector<MessageCost> costs;
  for (const auto& interval : fit.intervals) {
    const double waiting = std::min(latency_s, interval.intercept_s.value);
    const double slope = interval.slope_s_per_byte.value;
    MessageCost cost;
    cost.up_to = interval.up_to;
    cost.overhead = cost.receive_overhead = whole_nanoseconds((interval.intercept_s.value - waiting) / 2);
    cost.latency = whole_nanoseconds(waiting);
    const auto rate = [&](double share) -> std::optional<Bandwidth> {
      if (slope * share <= least_slope) return std::nullopt;
      return Bandwidth::bytes_per_second(std::llround(1 / (slope * share)));
    };
    cost.send_bandwidth = rate(1 - receive_share);
    cost.receive_bandwidth = rate(receive_share);
    costs.push_back(cost);
  }
  return costs;
}

std::vector<MessageCost> message_costs_beyond(std::vector<MessageCost> costs, Bytes largest, Bytes piece) {
  LOCKSTEP_CHECK(!costs.empty() && !costs.back().up_to, "the last interval of a fit has no end");
  MessageCost beyond = costs.back();
  costs.back().up_to = largest;
  if (beyond.send_bandwidth) beyond.overhead += transfer_time(std::min(largest, piece), *beyond.send_bandwidth);
  if (beyond.receive_bandwidth)
    beyond.receive_overhead += transfer_time(std::min(largest, piece), *beyond.receive_bandwidth);
  beyond.send_bandwidth = beyond.receive_bandwidth = std::nullopt;
  costs.push_back(beyond);
  return costs;
}

}  // namespace lockstep
