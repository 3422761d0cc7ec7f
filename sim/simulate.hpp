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
#include "sim/executor.hpp"

namespace lockstep::sim {

struct Prediction {
  std::vector<CollectiveRow> collectives;
  std::vector<OperationRow> operations;
  Summary summary;
  config::Json network{};  ///< what a network of packets has counted
};

struct Fidelity {
  std::string name;
  std::string description;
  Prediction (*run)(const Topology&, const Routing&, const Profile&, const PlannedWorkload&, const Disturbances&,
                    Timeline&);
  [[nodiscard]] Prediction predict(const Topology& topology, const Routing& routing, const Profile& profile,
                                   const PlannedWorkload& planned, Timeline& timeline,
                                   const Disturbances& disturbances = {}) const {
    return run(topology, routing, profile, planned, disturbances, timeline);
  }
};

/// analytic, flow, packet. Adding one: a new file and a line in simulate.cpp.
std::span<const Fidelity> fidelity_catalogue();

}  // namespace lockstep::sim
