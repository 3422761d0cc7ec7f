#include "cli/inputs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iostream>

#include "cli/output.hpp"
#include "core/base/catalogue.hpp"
#include "sim/simulate.hpp"

namespace lockstep::cli {

int rank_count(const std::optional<int>& option, const Workload& workload, const Topology* topology) {
  const int capacity = topology != nullptr ? topology->rank_capacity() : 0;
  int ranks = option ? *option : workload.ranks ? *workload.ranks : capacity;
  if (ranks < 1) {
    if (option) throw InputError(fmt::format("--ranks {}: at least 1", *option));
    throw InputError("how many ranks? Give --ranks N, or a topology with -t");
  }
  if (topology != nullptr && ranks > capacity)
    throw InputError(
        fmt::format("{} ranks do not fit: topology '{}' has places for {}; {}", ranks, topology->name, capacity,
                    option ? fmt::format("--ranks {} at most, or a larger topology", capacity)
                           : std::string("the workload's 'ranks:' asks for them (--ranks N overrides it)")));
  return ranks;
}

std::vector<ResolvedFault> faults_of(const Topology& topology, const Workload& workload, int ranks) {
  auto faults = topology.faults;
  faults.insert(faults.end(), workload.faults.begin(), workload.faults.end());
  return resolve_faults(faults, topology, ranks);
}

Result predict(const Topology& topology, const Routing& routing, const PlannedWorkload& planned,
               const Workload& workload, const Profile& profile, const std::string& fidelity, std::uint64_t seed,
               Timeline& timeline, const sim::Disturbances& disturbances) {
  const auto& entry = get_from(sim::fidelity_catalogue(), "fidelity", fidelity);
  sim::Prediction prediction = entry.predict(topology, routing, profile, planned, timeline, disturbances);
  Result result;
  result.kind = Result::Kind::simulation;
  result.topology = source_of(topology);
  result.workload = source_of(workload);
  result.profile = source_of(profile);
  result.ranks = planned.plan.ranks;
  result.fidelity = fidelity;
  result.seed = seed;
  result.summary = std::move(prediction.summary);
  result.collectives = std::move(prediction.collectives);
  result.operations = std::move(prediction.operations);
  result.network = std::move(prediction.network);
  return result;
}

Profile profile_for_as_built(Profile profile, int cores) {
  if (cores > 0 && profile.name != "ideal") profile.cores = cores;
  return profile;
}

void write_trace(const std::string& path, const Plan& plan, const Timeline& timeline) {
  if (path == "-") throw InputError("--trace -: a trace needs a file of its own");
  std::ofstream file(path, std::ios::binary);
  write_chrome_trace(file, plan, timeline);
  if (!file.flush()) throw InputError(fmt::format("--trace {}: could not be written", path));
}

void publish(const OutputOptions& output, const Result& result, const PlannedWorkload& planned,
             const Timeline& timeline) {
  if (!output.json_to_stdout()) fmt::print("{}", result_table(result));
  if (!output.trace.empty()) write_trace(output.trace, planned.plan, timeline);
  if (!output.json.empty()) write_output(output.json, to_json(result).dump(2) + "\n");
}

}  // namespace lockstep::cli
