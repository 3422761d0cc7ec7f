#include "core/workload/row_requests.hpp"

#include "core/base/error.hpp"
#include "core/collective/walk.hpp"
#include "core/plan/program.hpp"

namespace lockstep {

std::vector<ScheduleRequest> row_requests(const PlannedWorkload& planned) {
  const Program program = compile(planned.plan.roles.front());
  std::vector<ScheduleRequest> requests;
  for (const auto& row : planned.rows) {
    const auto* collective = std::get_if<Collective>(&program.by_id[row.operation]->operation->action);
    LOCKSTEP_CHECK(collective != nullptr, "operation {} is no collective", row.operation);
    requests.push_back(request_for(*collective, planned.plan.groups[collective->group].place_of(0)));
  }
  return requests;
}

}  // namespace lockstep
