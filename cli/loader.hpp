// Workloads with a data loader, as the commands predict and measure them.
#pragma once

#include <optional>
#include <string>

#include "cli/calibration.hpp"
#ifdef LOCKSTEP_REAL
#include "cli/measure.hpp"
#endif
#include "cli/options.hpp"
#include "core/loader/outcome.hpp"
#include "core/profile/profile.hpp"
#include "core/topology/topology.hpp"
#include "core/workload/workload.hpp"
#include "sim/storage/loader.hpp"

namespace lockstep::cli {

/// What a topology is to a loader, whose `spec` it completes: the machines; how long the all-reduce of a step takes on
/// its links alone; and which links that shares.
///  - An object store on a topology of hosts stands in its last host, as in the lab: its links, and those of its
///    clients, limit what reads get. Not where no host is left.
///  - Where ranks are GPUs, copies take the way from the nearest CPU's memory to them, as fast as its links, which the
///    all-reduce may use, too: as the default algorithm would. Of ranks that differ the worst counts.
sim::LoaderPrediction loader_prediction(const Topology& topology, const Workload& workload, const Profile& profile,
                                        int ranks, const std::string& fidelity, std::uint64_t seed, LoaderSpec& spec);

/// Faults of links and ranks would have no effect on a data loader: throws InputError with the position of each.
void refuse_faults_for_loader(const Topology* topology, const Workload& workload);

/// A prediction as a result, without `run`.
Result predict_loader(const Topology& topology, const Workload& workload, const Profile& profile, int ranks,
                      const std::string& fidelity, std::uint64_t seed, LoaderOutcome& outcome);

/// `simulate` of such a workload: predicts, prints, writes --json.
int simulate_loader_workload(const Topology& topology, const Workload& workload, const Profile& profile, int ranks,
                             const std::string& fidelity, const OutputOptions& output);

#ifdef LOCKSTEP_REAL
struct LoaderMeasureRequest {
  const Workload* workload = nullptr;
  const Topology* topology = nullptr;  ///< of the lab; none: this process, one rank
  std::string dataset;                 ///< a folder; empty: the one that the workload names
  std::optional<int> ranks;
  std::uint64_t seed = 1;
};
/// Real loaders read this machine's files, one rank or the hosts of a lab over sockets: throws InputError on a backend,
/// an option that would have no effect on them.
void refuse_for_loader(const Backend& backend, const RunLimits& limits);
/// `run` of such a workload on real files.
Result measure_loader(const LoaderMeasureRequest& request, LoaderOutcome& outcome);
/// Prints and writes --json; exit code 1 if samples came twice or not at all.
int run_loader_workload(const LoaderMeasureRequest& request, const OutputOptions& output);
/// `calibrate --backend loader`: a profile of what loading costs on this machine, its storage that of `folder`.
Calibration calibrate_loader_profile(const std::string& folder, const std::string& name, const OutputOptions& output);
#endif

}  // namespace lockstep::cli
