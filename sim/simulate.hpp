// Predicts a planned workload at one of the fidelities.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "core/profile/profile.hpp"
#include "core/timeline/result.hpp"
#include "core/timeline/timeline.hpp"
#include "core/topology/routing.hpp"
#include "core/topology/topology.hpp"
#include "core/workload/workload.hpp"

namespace lockstep::sim {

struct Prediction {
  std::vector<CollectiveRow> collectives;
  std::vector<OperationRow> operations;
  Summary summary;
};

struct Fidelity {
  std::string name;
  std::string description;
  Prediction (*predict)(const Topology&, const Routing&, const Profile&, const PlannedWorkload&, Timeline&);
};

/// analytic, flow. Adding one: a new file and a line in simulate.cpp.
std::span<const Fidelity> fidelity_catalogue();

}  // namespace lockstep::sim
