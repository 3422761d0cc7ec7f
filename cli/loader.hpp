// Workloads with a data loader, as the commands predict and measure them.
#pragma once

#include <string>

#include "cli/options.hpp"
#include "core/loader/outcome.hpp"
#include "core/profile/profile.hpp"
#include "core/topology/topology.hpp"
#include "core/workload/workload.hpp"
#include "sim/storage/loader.hpp"

namespace lockstep::cli {

/// The machines of a topology, and how long the all-reduce of a step takes on its links alone.
sim::LoaderPrediction loader_prediction(const Topology& topology, const Workload& workload, const Profile& profile,
                                        int ranks, const std::string& fidelity, std::uint64_t seed);

/// A prediction as a result, without `run`.
Result predict_loader(const Topology& topology, const Workload& workload, const Profile& profile, int ranks,
                      const std::string& fidelity, std::uint64_t seed, LoaderOutcome& outcome);

/// `simulate` of such a workload: predicts, prints, writes --json.
int simulate_loader_workload(const Topology& topology, const Workload& workload, const Profile& profile, int ranks,
                             const std::string& fidelity, const OutputOptions& output);

}  // namespace lockstep::cli
