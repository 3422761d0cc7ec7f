// Dissemination barrier: in round k of ceil(log2 n) rank r signals rank r + 2^k and waits for rank r - 2^k (Hensgen,
// Finkel, Manber, "Two algorithms for barrier synchronization", IJPP 1988). Signals are messages without payload.
#include "core/collective/dissemination.hpp"

#include "core/collective/parts.hpp"

namespace lockstep {
namespace {

std::unique_ptr<Schedule> make(const ScheduleRequest& request, int thread) {
  std::vector<Step> steps;
  if (thread == 0) {
    for (int distance = 1; distance < request.size; distance *= 2) {
      Step step;
      step.add_send(make_part((request.rank + distance) % request.size, 0, {}));
      step.add_receive(make_part(modulo(request.rank - distance, request.size), 0, {}));
      steps.push_back(step);
    }
  }
  return std::make_unique<StepList>(std::move(steps));
}

int threads(const ScheduleRequest&) { return 1; }

Cost cost(const ScheduleRequest& request) {
  Cost cost;
  cost.steps = ceil_log2(request.size);
  cost.messages = cost.steps * request.size;
  cost.phases = {{cost.steps, 0}};
  return cost;
}

Symmetry symmetry(const ScheduleRequest&) { return rotation_if(true); }

}  // namespace

Algorithm dissemination_algorithm() {
  return {"dissemination",
          "signals at distances 1, 2, 4, ...: log2 n rounds",
          {CollectiveKind::barrier},
          threads,
          make,
          cost,
          nullptr,
          symmetry};
}

}  // namespace lockstep
