// One message: rank r sends its buffer to rank r+1 and receives that of rank r-1 (what nccl-tests' sendrecv does).
#include "core/collective/direct.hpp"

#include "core/collective/parts.hpp"

namespace lockstep {
namespace {

std::unique_ptr<Schedule> make(const ScheduleRequest& request, int thread) {
  std::vector<Step> steps;
  Step step;
  const Range share = partition(request.count, request.channels, thread);
  if (request.size == 1) {
    step.copy = copy_of(share);
  } else {
    add_send_if_any(step, make_part((request.rank + 1) % request.size, thread, share, Place::source));
    add_receive_if_any(step, make_part(modulo(request.rank - 1, request.size), thread, share));
  }
  append_if_any(steps, step);
  return std::make_unique<StepList>(std::move(steps));
}

int threads(const ScheduleRequest& request) { return request.channels; }

Cost cost(const ScheduleRequest& request) {
  Cost cost;
  if (request.size == 1 || request.count == 0) return cost;
  const auto width = static_cast<std::int64_t>(request.element_bytes);
  cost.steps = 1;
  cost.messages = request.size * std::min<std::int64_t>(request.count, request.channels);
  cost.bytes = request.size * request.count * width;
  cost.phases = {{1, request.count * width}};
  return cost;
}

Symmetry symmetry(const ScheduleRequest&) { return rotation_if(true); }

}  // namespace

Algorithm direct_algorithm() {
  return {"direct", "one message from every rank to the next", {CollectiveKind::send_recv}, threads, make, cost,
          symmetry};
}

}  // namespace lockstep
