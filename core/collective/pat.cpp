// PAT, parallel aggregated trees (Jeaugey, "PAT: a new algorithm for all-gather and reduce-scatter operations at
// scale", 2025; NCCL 2.23 and later): every block has a binomial tree of its own, and what several trees send between
// the same two ranks in one step is one message. log2 n steps for any number of ranks, as few bytes as a ring.
//
// all_gather: distances D = 2^b from the largest down. Rank r passes on the blocks r - j with j a multiple of 2D to
// rank r + D, so the far hops carry one block and the near ones many (Bruck's order is the other way round).
// reduce_scatter: the same trees upwards, distances from 1 up; partial sums of block r - j go from r to r - D.
// NCCL limits the blocks in a message by its buffers and goes on linearly beyond; that is not modelled.
#include "core/collective/pat.hpp"

#include "core/collective/blocks.hpp"

namespace lockstep {
namespace {

// Blocks that a rank passes on over distance D: j = 0, 2D, 4D, ... with j + D < n.
constexpr int passed_on(int n, int distance) { return (n - 1 - distance) / (2 * distance) + 1; }

class Pat final : public BlockSteps {
 public:
  Pat(const ScheduleRequest& request, int channel) : BlockSteps(request, channel) {
    const int n = request.size;
    const int r = request.rank;
    const int farthest = n > 1 ? 1 << (ceil_log2(n) - 1) : 0;
    if (request.kind == CollectiveKind::all_gather) {
      if (!request.in_place) append_copy_of(r);
      for (int distance = farthest; distance >= 1; distance /= 2) {
        const int number = passed_on(n, distance);
        Step step;
        add_send_if_any(step, part_of((r + distance) % n, channel_, {r, number, -2 * distance}));
        add_receive_if_any(step, part_of(modulo(r - distance, n), channel_, {r - distance, number, -2 * distance}));
        append(step);
      }
      return;
    }
    if (!request.in_place) append_copy_of_all();
    for (int distance = 1; distance <= farthest; distance *= 2) {
      const int number = passed_on(n, distance);
      Step step;
      add_send_if_any(step, part_of(modulo(r - distance, n), channel_, {r - distance, number, -2 * distance}));
      add_receive_if_any(
          step, combining_part_of((r + distance) % n, channel_, {r, number, -2 * distance}, distance == farthest));
      append(step);
    }
  }
};

std::unique_ptr<Schedule> make(const ScheduleRequest& request, int thread) {
  return std::make_unique<Pat>(request, thread);
}
int threads(const ScheduleRequest& request) { return request.channels; }

Cost cost(const ScheduleRequest& request) {
  Cost cost;
  const int n = request.size;
  if (n == 1 || request.count == 0) return cost;
  const auto width = static_cast<std::int64_t>(request.element_bytes);
  const std::int64_t block = ceil_divide(request.count, n);
  for (int distance = 1; distance < n; distance *= 2) {
    const int number = passed_on(n, distance);
    const int first = request.kind == CollectiveKind::all_gather ? 0 : -distance;
    cost.messages += messages_of_all(request, {first, number, -2 * distance});
    cost.phases.push_back({1, number * block * width});
  }
  cost.steps = ceil_log2(n);
  cost.bytes = (n - 1) * request.count * width;
  return cost;
}

}  // namespace

Algorithm pat_algorithm() {
  return {"pat",
          "a binomial tree per block, their messages joined: log2 n steps with as few bytes as a ring",
          {CollectiveKind::all_gather, CollectiveKind::reduce_scatter},
          threads,
          make,
          cost};
}

}  // namespace lockstep
