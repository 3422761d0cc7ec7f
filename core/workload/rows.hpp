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

/// Every row and every kernel once: a step that consists of these. `operations` are those of operation_rows. Kernels
/// are computing, all else is exposed communication.
Summary collective_summary(const PlannedWorkload& planned, const Timeline& timeline,
                           const std::vector<CollectiveRow>& rows, const std::vector<OperationRow>& operations);

/// `operations` of the result: plan operations once per role (warm-up left out); those of kernels have their figures,
/// the time of an execution as in collective_rows.
std::vector<OperationRow> operation_rows(const PlannedWorkload& planned, const Timeline& timeline, bool measured);

/// The row of a kernel that takes `time` on every rank, without a timeline.
OperationRow kernel_row(const PlannedWorkload& planned, const PlannedKernel& kernel, Duration time);

}  // namespace lockstep
