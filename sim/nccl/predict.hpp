// Rows that NCCL answers under a profile with the section `nccl:`: those with `algorithm: auto`, and those with
// `algorithm: native`, which on the real side are NCCL's own collectives.
#pragma once

#include "sim/nccl/time.hpp"
#include "sim/simulate.hpp"

namespace lockstep::sim::nccl {

/// True where a row of the plan is left to NCCL. (`auto` never stands in a plan without the section.)
bool is_nccl_row(const PlannedCollective& row, const Profile& profile);

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
    if (is_nccl_row(row, profile)) return predict(topology, profile, planned);
  return Network(topology, routing, profile, planned, disturbances, timeline);
}

}  // namespace lockstep::sim::nccl
