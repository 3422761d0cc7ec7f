// Workloads with a data loader, as the commands predict and measure them.
#pragma once

#include <string>

#include "cli/calibration.hpp"
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

#ifdef LOCKSTEP_REAL
/// `run` of such a workload on the files of `dataset` (empty: those that the workload names).
Result measure_loader(const Workload& workload, const std::string& dataset, int ranks, std::uint64_t seed,
                      LoaderOutcome& outcome);
/// Prints and writes --json; exit code 1 if samples came twice or not at all.
int run_loader_workload(const Workload& workload, const std::string& dataset, int ranks, const OutputOptions& output);
/// `calibrate --backend loader`: a profile of what loading costs on this machine, its storage that of `folder`.
Calibration calibrate_loader_profile(const std::string& folder, const std::string& name, const OutputOptions& output);
#endif

}  // namespace lockstep::cli
