// Rows that NCCL answers: those with `algorithm: auto` under a profile with the section `nccl:`.
#pragma once

#include "sim/nccl/time.hpp"
#include "sim/simulate.hpp"

namespace lockstep::sim::nccl {

/// True where a row of the plan is left to NCCL.
bool is_nccl_row(const PlannedCollective& row);

/// Every row by NCCL's choice and the time model; no operations, no timeline. The network is taken to be otherwise
/// idle. Throws InputError where the model does not apply, and where the workload has rows of other algorithms too.
Prediction predict(const Topology& topology, const Profile& profile, const PlannedWorkload& planned);

/// One row of the result.
CollectiveRow row_of(const System& system, const CollectiveSpec& spec);

/// A fidelity that leaves NCCL's rows to NCCL's model and all others to `Network`.
template <Prediction (*Network)(const Topology&, const Routing&, const Profile&, const PlannedWorkload&,
                                const Disturbances&, Timeline&)>
Prediction predict_with(const Topology& topology, const Routing& routing, const Profile& profile,
                        const PlannedWorkload& planned, const Disturbances& disturbances, Timeline& timeline) {
  for (const auto& row : planned.rows)
    if (is_nccl_row(row)) return predict(topology, profile, planned);
  return Network(topology, routing, profile, planned, disturbances, timeline);
}

}  // namespace lockstep::sim::nccl
