// A data loader in the lab: ranks in the hosts of a topology, an all-reduce between their steps, and, where the
// workload's storage is an object store, an object server in the last host, behind the links of the topology.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "core/loader/outcome.hpp"
#include "core/plan/plan.hpp"
#include "core/topology/routing.hpp"
#include "real/loader/dataset.hpp"

namespace lockstep::real {

struct LoaderLabRequest {
  const Topology* topology = nullptr;
  const Routing* routing = nullptr;
  const LoaderSpec* spec = nullptr;
  const Dataset* dataset = nullptr;
  int ranks = 1;
  const Plan* all_reduce = nullptr;  ///< one all-reduce over the ranks, or none
};

struct LoaderLabRun {
  LoaderOutcome outcome;
  nlohmann::ordered_json as_built;
};

/// Throws InputError where the topology has no host left for the storage, or cannot be a lab.
LoaderLabRun run_loader_in_lab(const LoaderLabRequest& request);

}  // namespace lockstep::real
