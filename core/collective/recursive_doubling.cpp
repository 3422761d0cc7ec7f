// Recursive doubling: in each of log2 p stages a rank exchanges the whole buffer with the partner at distance 1, 2, 4,
// ... and combines. Fewest steps, most data: for small messages. Source: Thakur, Rabenseifner, Gropp (2005), see
// power_of_two.hpp. Both partners combine the same two operands, and the reductions commute, so all ranks end with the
// same bits.
#include "core/collective/recursive_doubling.hpp"

#include "core/collective/parts.hpp"
#include "core/collective/power_of_two.hpp"

namespace lockstep {
namespace {

std::vector<Step> steps_of(const ScheduleRequest& request, int channel) {
  std::vector<Step> steps;
  const PowerOfTwo powers(request.size);
  const Range share = partition(request.count, request.channels, channel);
  Step step;
  if (!request.in_place) {
    step.copy = copy_of(share);
    append_if_any(steps, step);
  }
  if (request.size == 1 || share.size() == 0) return steps;
  const int r = request.rank;
  step.clear();
  if (powers.sits_out(r)) {
    step.add_send(make_part(r + 1, channel, share));
    steps.push_back(step);
    step.clear();
    step.add_receive(make_part(r + 1, channel, share));
    steps.push_back(step);
    return steps;
  }
  if (powers.has_guest(r)) {
    step.add_receive(make_combine(r - 1, channel, share, false));
    steps.push_back(step);
  }
  const int own = powers.index(r);
  for (int distance = 1; distance < powers.active; distance *= 2) {
    const int partner = powers.rank(own ^ distance);
    step.clear();
    step.add_send(make_part(partner, channel, share));
    step.add_receive(make_combine(partner, channel, share, distance * 2 == powers.active));
    steps.push_back(step);
  }
  if (powers.has_guest(r)) {
    step.clear();
    step.add_send(make_part(r - 1, channel, share));
    steps.push_back(step);
  }
  return steps;
}

std::unique_ptr<Schedule> make(const ScheduleRequest& request, int thread) {
  return std::make_unique<StepList>(steps_of(request, thread));
}

int threads(const ScheduleRequest& request) { return request.channels; }

Cost cost(const ScheduleRequest& request) {
  Cost cost;
  if (request.size == 1 || request.count == 0) return cost;
  const PowerOfTwo powers(request.size);
  const auto width = static_cast<std::int64_t>(request.element_bytes);
  const std::int64_t guests = powers.extra > 0 ? 2 : 0;
  const std::int64_t used = std::min<std::int64_t>(request.count, request.channels);  // channels that got an element
  const std::int64_t sends = std::int64_t{powers.active} * powers.stages + 2 * powers.extra;
  cost.steps = powers.stages + guests;
  cost.messages = used * sends;
  cost.bytes = sends * request.count * width;
  cost.phases = {{cost.steps, request.count * width}};
  return cost;
}

Symmetry symmetry(const ScheduleRequest& request) { return exclusive_or_if(power_of_two(request.size)); }

}  // namespace

Algorithm recursive_doubling_algorithm() {
  return {"recursive_doubling",
          "whole buffers exchanged in log2 n steps: the lowest latency, for small messages",
          {CollectiveKind::all_reduce},
          threads,
          make,
          cost,
          symmetry};
}

}  // namespace lockstep
