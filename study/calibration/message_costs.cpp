// From fits to the rows of a profile.
#include <algorithm>
#include <cmath>

#include "study/calibration/processor_fit.hpp"

namespace lockstep {
namespace {

/// The rate at which a side that takes `seconds_per_byte` moves bytes; none where bytes are free.
std::optional<Bandwidth> bandwidth_of(double seconds_per_byte) {
  // Above 10^18 bit/s nothing is left to model, and the type ends.
  if (!(seconds_per_byte > 8e-18)) return std::nullopt;
  return Bandwidth::bits_per_second(std::max<std::int64_t>(1, std::llround(8 / seconds_per_byte)));
}

Duration nearest_picosecond(double seconds) { return picoseconds(std::llround(seconds * 1e12)); }

}  // namespace

std::vector<MessageCost> message_costs(const MessageFit& messages, const ProcessorFit& processor) {
  std::vector<MessageCost> costs;
  for (const auto& interval : messages.intervals) {
    const double intercept = interval.intercept_s.value;
    const double slope = interval.slope_s_per_byte.value;
    const double busy = processor.identified ? std::min(processor.cost.overhead_s, intercept) : 0.5 * intercept;
    MessageCost cost;
    cost.up_to = interval.up_to;
    cost.overhead = nearest_picosecond(busy / 2);
    cost.receive_overhead = cost.overhead;
    // What is left, so that the parts add up to the intercept.
    cost.latency = std::max(Duration{0}, nearest_picosecond(intercept) - cost.overhead - cost.receive_overhead);
    cost.send_bandwidth = bandwidth_of(slope / 2);
    cost.receive_bandwidth = cost.send_bandwidth;
    costs.push_back(cost);
  }
  return costs;
}

}  // namespace lockstep
