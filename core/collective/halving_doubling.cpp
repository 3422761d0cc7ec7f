// Recursive halving, then recursive doubling. In stage i of log2 p a rank exchanges half of what it is still
// responsible for with the partner at distance p/2^i, combines, and goes on with its half; afterwards the halves are
// collected in the opposite order. 2 log2 p stages and 2(p-1)/p of the buffer per rank: as little data as a ring in
// fewer steps, but over longer ways. Source: Thakur, Rabenseifner, Gropp (2005), see power_of_two.hpp.
// reduce_scatter is the first half of it, on blocks.
#include "core/collective/halving_doubling.hpp"

#include <algorithm>

#include "core/collective/blocks.hpp"
#include "core/collective/power_of_two.hpp"

namespace lockstep {
namespace {

// Elements of pieces [low, high) when the share is dealt to p pieces.
Range pieces(Range share, int p, int low, int high) {
  return {share.begin + partition(share.size(), p, low).begin, share.begin + partition(share.size(), p, high - 1).end};
}

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

  const int p = powers.active;
  const int own = powers.index(r);
  int low = 0;
  int high = p;
  for (int distance = p / 2; distance >= 1; distance /= 2) {
    const int middle = low + distance;
    const bool lower = (own & distance) == 0;
    const Range keep = lower ? pieces(share, p, low, middle) : pieces(share, p, middle, high);
    const Range give = lower ? pieces(share, p, middle, high) : pieces(share, p, low, middle);
    const int partner = powers.rank(own ^ distance);
    step.clear();
    add_send_if_any(step, make_part(partner, channel, give));
    add_receive_if_any(step, make_combine(partner, channel, keep, distance == 1));
    append_if_any(steps, step);
    (lower ? high : low) = middle;
  }
  for (int distance = 1; distance < p; distance *= 2) {
    const bool lower = (own & distance) == 0;
    const Range have = pieces(share, p, low, high);
    const Range get = lower ? pieces(share, p, high, high + distance) : pieces(share, p, low - distance, low);
    const int partner = powers.rank(own ^ distance);
    step.clear();
    add_send_if_any(step, make_part(partner, channel, have));
    add_receive_if_any(step, make_part(partner, channel, get));
    append_if_any(steps, step);
    if (lower)
      high += distance;
    else
      low -= distance;
  }
  if (powers.has_guest(r)) {
    step.clear();
    step.add_send(make_part(r - 1, channel, share));
    steps.push_back(step);
  }
  return steps;
}

class Halving final : public BlockSteps {
 public:
  Halving(const ScheduleRequest& request, int channel) : BlockSteps(request, channel) {
    const PowerOfTwo powers(request.size);
    const int n = request.size;
    const int r = request.rank;
    if (!request.in_place) append_copy_of_all();
    Step step;
    if (powers.sits_out(r)) {
      add_send_if_any(step, part_of(r + 1, channel, {0, n}));
      append(step);
      step.clear();
      add_receive_if_any(step, part_of(r + 1, channel, {r, 1}));
      append(step);
      return;
    }
    if (powers.has_guest(r)) {
      add_receive_if_any(step, combining_part_of(r - 1, channel, {0, n}, false));
      append(step);
    }
    const int own = powers.index(r);
    for (int distance = powers.active / 2; distance >= 1; distance /= 2) {
      const int partner = own ^ distance;
      step.clear();
      add_send_if_any(step, part_of(powers.rank(partner), channel, kept(powers, partner, distance)));
      add_receive_if_any(step,
                         combining_part_of(powers.rank(partner), channel, kept(powers, own, distance), distance == 1));
      append(step);
    }
    if (powers.has_guest(r)) {
      step.clear();
      add_send_if_any(step, part_of(r - 1, channel, {r - 1, 1}));
      append(step);
    }
  }

  // What active rank `index` is still responsible for after the exchange over `distance`.
  static BlockSet kept(const PowerOfTwo& powers, int index, int distance) {
    const int low = index / distance * distance;
    const int first = powers.first_block(low);
    return {first, powers.first_block(low + distance) - first};
  }
};

std::unique_ptr<Schedule> make(const ScheduleRequest& request, int thread) {
  if (request.kind == CollectiveKind::reduce_scatter) return std::make_unique<Halving>(request, thread);
  return std::make_unique<StepList>(steps_of(request, thread));
}

int threads(const ScheduleRequest& request) { return request.channels; }

Cost cost(const ScheduleRequest& request) {
  Cost cost;
  if (request.size == 1 || request.count == 0) return cost;
  const PowerOfTwo powers(request.size);
  const auto width = static_cast<std::int64_t>(request.element_bytes);
  const std::int64_t p = powers.active;
  const std::int64_t guests = powers.extra > 0 ? 2 : 0;
  if (request.kind == CollectiveKind::reduce_scatter) {
    for (int i = 0; i < powers.extra; ++i) {
      cost.messages += messages_of(request, 0, request.size) + messages_of(request, 2 * i, 1);
      cost.bytes += (request.count + elements_of(request, 2 * i, 1)) * width;
    }
    if (guests > 0) cost.phases.push_back({1, request.count * width});
    for (int distance = powers.active / 2; distance >= 1; distance /= 2) {
      std::int64_t most = 0;
      for (int index = 0; index < powers.active; ++index) {
        const BlockSet set = Halving::kept(powers, index, distance);
        const std::int64_t elements = elements_of(request, set.first, set.number);
        cost.messages += messages_of(request, set.first, set.number);
        cost.bytes += elements * width;
        most = std::max(most, elements);
      }
      cost.phases.push_back({1, most * width});
    }
    if (guests > 0) cost.phases.push_back({1, ceil_divide(request.count, request.size) * width});
    cost.steps = powers.stages + guests;
    return cost;
  }
  cost.steps = 2 * powers.stages + guests;
  cost.bytes = (2 * (p - 1) + 2 * powers.extra) * request.count * width;
  std::vector<std::int64_t> stage_bytes(static_cast<std::size_t>(powers.stages), 0);
  for (int channel = 0; channel < request.channels; ++channel) {
    const std::int64_t share = partition(request.count, request.channels, channel).size();
    if (share == 0) continue;
    cost.messages += 2 * powers.extra;
    for (int stage = 1; stage <= powers.stages; ++stage) {
      // 2^stage pieces of p/2^stage chunks, each sent by p/2^stage ranks, halving and doubling; a piece is empty when
      // it begins behind the last chunk that got an element.
      const std::int64_t chunks = p >> stage;
      const std::int64_t filled =
          std::min<std::int64_t>(std::int64_t{1} << stage, ceil_divide(std::min(share, p), chunks));
      cost.messages += 2 * filled * chunks;
      stage_bytes[static_cast<std::size_t>(stage - 1)] +=
          partition(share, static_cast<int>(p), static_cast<int>(chunks) - 1).end * width;
    }
  }
  if (guests > 0) cost.phases.push_back({guests, request.count * width});
  for (const std::int64_t bytes : stage_bytes) cost.phases.push_back({2, bytes});
  return cost;
}

Symmetry symmetry(const ScheduleRequest& request) {
  return exclusive_or_if(request.kind == CollectiveKind::all_reduce && power_of_two(request.size) &&
                         even_shares(request));
}

}  // namespace

Algorithm halving_doubling_algorithm() {
  return {"halving_doubling",
          "recursive halving and doubling: bandwidth-optimal in 2 log2 n steps for a power of two of ranks",
          {CollectiveKind::all_reduce, CollectiveKind::reduce_scatter},
          threads,
          make,
          cost,
          nullptr,
          symmetry};
}

}  // namespace lockstep
