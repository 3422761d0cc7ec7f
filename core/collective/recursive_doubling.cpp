// Recursive doubling: in each of log2 p stages a rank exchanges the whole buffer with the partner at distance 1, 2, 4,
// ... and combines. Fewest steps, most data: for small messages. Source: Thakur, Rabenseifner, Gropp (2005), see
// power_of_two.hpp. Both partners combine the same two operands, and the reductions commute, so all ranks end with the
// same bits.
// all_gather: the same partners exchange the blocks that they have; a guest's block goes with its host's.
#include "core/collective/recursive_doubling.hpp"

#include "core/collective/blocks.hpp"
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

class Gather final : public BlockSteps {
 public:
  Gather(const ScheduleRequest& request, int channel) : BlockSteps(request, channel) {
    const PowerOfTwo powers(request.size);
    const int n = request.size;
    const int r = request.rank;
    if (!request.in_place) append_copy_of(r);
    Step step;
    if (powers.sits_out(r)) {
      add_send_if_any(step, part_of(r + 1, channel, {r, 1}));
      append(step);
      step.clear();
      add_receive_if_any(step, part_of(r + 1, channel, {r + 1, n - 1}));
      append(step);
      return;
    }
    if (powers.has_guest(r)) {
      add_receive_if_any(step, part_of(r - 1, channel, {r - 1, 1}));
      append(step);
    }
    const int own = powers.index(r);
    for (int distance = 1; distance < powers.active; distance *= 2) {
      const int partner = own ^ distance;
      step.clear();
      add_send_if_any(step, part_of(powers.rank(partner), channel, gathered(powers, own, distance)));
      add_receive_if_any(step, part_of(powers.rank(partner), channel, gathered(powers, partner, distance)));
      append(step);
    }
    if (powers.has_guest(r)) {
      step.clear();
      add_send_if_any(step, part_of(r - 1, channel, {r, n - 1}));
      append(step);
    }
  }

  // What active rank `index` has before it exchanges over `distance`.
  static BlockSet gathered(const PowerOfTwo& powers, int index, int distance) {
    const int low = index / distance * distance;
    const int first = powers.first_block(low);
    return {first, powers.first_block(low + distance) - first};
  }
};

std::unique_ptr<Schedule> make(const ScheduleRequest& request, int thread) {
  if (request.kind == CollectiveKind::all_gather) return std::make_unique<Gather>(request, thread);
  return std::make_unique<StepList>(steps_of(request, thread));
}

int threads(const ScheduleRequest& request) { return request.channels; }

Cost cost(const ScheduleRequest& request) {
  Cost cost;
  if (request.size == 1 || request.count == 0) return cost;
  const PowerOfTwo powers(request.size);
  const auto width = static_cast<std::int64_t>(request.element_bytes);
  const std::int64_t guests = powers.extra > 0 ? 2 : 0;
  if (request.kind == CollectiveKind::all_gather) {
    for (int i = 0; i < powers.extra; ++i) {
      const int guest = 2 * i;
      cost.messages += messages_of(request, guest, 1) + messages_of(request, guest + 1, request.size - 1);
      cost.bytes += request.count * width;  // its own block one way, all others the other way
    }
    if (guests > 0) cost.phases.push_back({1, ceil_divide(request.count, request.size) * width});
    for (int distance = 1; distance < powers.active; distance *= 2) {
      std::int64_t most = 0;
      for (int index = 0; index < powers.active; ++index) {
        const BlockSet set = Gather::gathered(powers, index, distance);
        const std::int64_t elements = elements_of(request, set.first, set.number);
        cost.messages += messages_of(request, set.first, set.number);
        cost.bytes += elements * width;
        most = std::max(most, elements);
      }
      cost.phases.push_back({1, most * width});
    }
    if (guests > 0) cost.phases.push_back({1, request.count * width});
    cost.steps = powers.stages + guests;
    return cost;
  }
  const std::int64_t used = std::min<std::int64_t>(request.count, request.channels);  // channels that got an element
  const std::int64_t sends = std::int64_t{powers.active} * powers.stages + 2 * powers.extra;
  cost.steps = powers.stages + guests;
  cost.messages = used * sends;
  cost.bytes = sends * request.count * width;
  cost.phases = {{cost.steps, request.count * width}};
  return cost;
}

Symmetry symmetry(const ScheduleRequest& request) {
  return exclusive_or_if(request.kind == CollectiveKind::all_reduce && power_of_two(request.size));
}

}  // namespace

Algorithm recursive_doubling_algorithm() {
  return {"recursive_doubling",
          "all that a rank has exchanged in log2 n steps: the lowest latency, for small messages",
          {CollectiveKind::all_reduce, CollectiveKind::all_gather},
          threads,
          make,
          cost,
          nullptr,
          symmetry};
}

}  // namespace lockstep
