// What the rows of a planned workload ask of their algorithms.
#pragma once

#include <vector>

#include "core/collective/schedule.hpp"
#include "core/workload/workload.hpp"

namespace lockstep {

/// By row, as rank 0 asks it: with all that the plan knows of the collective.
std::vector<ScheduleRequest> row_requests(const PlannedWorkload& planned);

}  // namespace lockstep
