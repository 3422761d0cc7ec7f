// `algorithm: auto`: which algorithm a row takes.
//
// Under a profile with the section `nccl:` the row stays `auto`, and NCCL's model chooses (core/nccl/tuning.hpp).
// Otherwise it is the algorithm of its kind with the least time by the closed forms (sim/analytic.hpp: the cost formula
// of each algorithm over the routes of this topology, with this profile's overheads), the first in the catalogue where
// two are equal. The choice is made once, before the plan: every rank and both clocks execute the same.
#pragma once

#include <string>
#include <vector>

#include "core/profile/profile.hpp"
#include "core/topology/routing.hpp"
#include "core/topology/topology.hpp"
#include "core/workload/workload.hpp"

namespace lockstep::sim {

struct AlgorithmTime {
  std::string algorithm;
  double time_s = 0;
};

/// Every algorithm of the kind, in the catalogue's order; per size of `spec`, in its order. Those whose messages
/// switches may merge are left out where none would; or all, if the clock knows no such switches (not `merging`):
/// fidelities packet and mixed, real runs.
std::vector<std::vector<AlgorithmTime>> algorithm_times(const CollectiveSpec& spec, const Topology& topology,
                                                        const Routing& routing, const Profile& profile, int ranks,
                                                        bool merging = true);

/// The first with the least time.
const AlgorithmTime& fastest(const std::vector<AlgorithmTime>& times);

/// The workload with every `auto` that is ours to choose replaced, row for row in the same order. Under a profile with
/// `nccl:` rows that name no algorithm become `auto`.
Workload choose_algorithms(Workload workload, const Topology& topology, const Routing& routing, const Profile& profile,
                           int ranks, bool merging = true);

/// plan_workload of choose_algorithms, NCCL's rows kept.
PlannedWorkload plan_chosen(const Workload& workload, const Topology& topology, const Routing& routing,
                            const Profile& profile, int ranks, bool merging = true);

}  // namespace lockstep::sim
