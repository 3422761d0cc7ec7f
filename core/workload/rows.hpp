// From a timeline back to the workload: one result row per planned collective, and the summary.
#pragma once

#include <vector>

#include "core/timeline/result.hpp"
#include "core/timeline/timeline.hpp"
#include "core/workload/workload.hpp"

namespace lockstep {

/// Time of one execution = latest end - earliest start over the ranks. A simulation has one execution (its time stands
/// for all); a measurement gives the median over the iterations after the warm-up, with minimum, 95th percentile
/// (linear between ranks) and samples.
std::vector<CollectiveRow> collective_rows(const PlannedWorkload& planned, const Timeline& timeline, bool measured);

/// Every row once: a step that consists of these collectives. All of it is exposed communication.
Summary collective_summary(const PlannedWorkload& planned, const Timeline& timeline,
                           const std::vector<CollectiveRow>& rows);

/// `operations` of the result: plan operations once per role (warm-up left out).
std::vector<OperationRow> operation_rows(const Plan& plan, const Timeline& timeline);

}  // namespace lockstep
