// Bruck's algorithms (Bruck, Ho, Kipnis, Upfal, Weathersby, "Efficient algorithms for all-to-all communications in
// multiport message-passing systems", IEEE TPDS 1997): log2 n steps for any number of ranks.
//
// all_gather: rank r has the blocks r .. r+2^k-1 before step k; it sends them to rank r - 2^k and gets as many from
// r + 2^k. As few bytes as a ring.
// all_to_all: the block that has j ranks to go makes one hop of 2^k for every bit k of j. Before and after every step
// rank r keeps the block with distance j in slot r - j of its target, which is where it belongs at the end. Every byte
// travels log2(n)/2 times on average: for small messages.
#include "core/collective/bruck.hpp"

#include "core/collective/blocks.hpp"

namespace lockstep {
namespace {

class Bruck final : public BlockSteps {
 public:
  Bruck(const ScheduleRequest& request, int channel) : BlockSteps(request, channel) {
    if (request.kind == CollectiveKind::all_gather)
      gather();
    else
      exchange();
  }

 private:
  void gather() {
    const int n = request_.size;
    const int r = request_.rank;
    if (!request_.in_place) append_copy_of(r);
    for (int distance = 1; distance < n; distance *= 2) {
      const int number = std::min(distance, n - distance);
      Step step;
      add_send_if_any(step, part_of(modulo(r - distance, n), channel_, {r, number}));
      add_receive_if_any(step, part_of((r + distance) % n, channel_, {r + distance, number}));
      append(step);
    }
  }
  void exchange() {
    const int n = request_.size;
    const int r = request_.rank;
    for (int j = 0; j < n; ++j) {
      Step step;
      step.copy = copy_of(block((r + j) % n));
      step.copy.to = block(modulo(r - j, n)).begin;
      append(step);
    }
    for (int distance = 1; distance < n; distance *= 2) {
      const BlockSet moving{r, n, -1, distance};
      Step step;
      add_send_if_any(step, part_of((r + distance) % n, channel_, moving, true));
      add_receive_if_any(step, part_of(modulo(r - distance, n), channel_, moving, true));
      append(step);
    }
  }
};

std::unique_ptr<Schedule> make(const ScheduleRequest& request, int thread) {
  return std::make_unique<Bruck>(request, thread);
}
int threads(const ScheduleRequest& request) { return request.channels; }

Cost cost(const ScheduleRequest& request) {
  Cost cost;
  const int n = request.size;
  if (n == 1 || request.count == 0) return cost;
  const auto width = static_cast<std::int64_t>(request.element_bytes);
  cost.steps = ceil_log2(n);
  if (request.kind == CollectiveKind::all_gather) {
    const std::int64_t block = ceil_divide(request.count, n);
    for (int distance = 1; distance < n; distance *= 2) {
      const int number = std::min(distance, n - distance);
      cost.messages += messages_of_all(request, {0, number});
      cost.phases.push_back({1, number * block * width});
    }
    cost.bytes = (n - 1) * request.count * width;
    return cost;
  }
  const std::int64_t block = request.count / n;
  for (int distance = 1; distance < n; distance *= 2) {
    std::int64_t moving = 0;
    for (int j = 1; j < n; ++j) moving += (j & distance) != 0 ? 1 : 0;
    cost.bytes += n * moving * block * width;
    cost.phases.push_back({1, moving * block * width});
  }
  cost.messages = cost.steps * n * std::min<std::int64_t>(block, request.channels);
  return cost;
}

}  // namespace

Algorithm bruck_algorithm() {
  return {"bruck",
          "log2 n steps with ever more blocks in a message: the lowest latency for any number of ranks",
          {CollectiveKind::all_gather, CollectiveKind::all_to_all},
          threads,
          make,
          cost};
}

}  // namespace lockstep
