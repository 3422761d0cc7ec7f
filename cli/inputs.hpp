// Topology, workload and profile as the commands read them, and the prediction made from them.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "cli/options.hpp"
#include "cli/settings.hpp"
#include "core/faults/changes.hpp"
#include "core/profile/profile.hpp"
#include "core/timeline/result.hpp"
#include "core/topology/routing.hpp"
#include "core/workload/workload.hpp"
#include "sim/executor.hpp"

namespace lockstep::cli {

/// Ranks: --ranks, else the workload's `ranks:`, else as many as the topology has places for. Throws InputError if they
/// do not fit.
int rank_count(const std::optional<int>& option, const Workload& workload, const Topology* topology);

/// The faults of both files, the topology's first, resolved; wrong names are InputErrors.
std::vector<ResolvedFault> faults_of(const Topology& topology, const Workload& workload, int ranks);

/// A simulation result; `timeline` keeps what a trace needs.
Result predict(const Topology& topology, const Routing& routing, const PlannedWorkload& planned,
               const Workload& workload, const Profile& profile, const std::string& fidelity, std::uint64_t seed,
               Timeline& timeline, const sim::Disturbances& disturbances = {});

/// Throws InputError if the file cannot be written.
void write_trace(const std::string& path, const Plan& plan, const Timeline& timeline);

/// A profile as it applies on a network that was built: the cores that its ranks share.
Profile profile_for_as_built(Profile profile, int cores);

/// Writes --json and --trace and prints the table.
void publish(const OutputOptions& output, const Result& result, const PlannedWorkload& planned,
             const Timeline& timeline);

}  // namespace lockstep::cli
