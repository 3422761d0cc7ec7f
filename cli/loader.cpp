#include "cli/loader.hpp"

#include <fmt/format.h>

#include "cli/inputs.hpp"
#include "cli/output.hpp"

namespace lockstep::cli {
namespace {

/// The all-reduce of a step, all ranks beginning together.
Duration all_reduce_time(const Topology& topology, const Workload& workload, const Profile& profile, int ranks,
                         const std::string& fidelity, std::uint64_t seed) {
  const auto& bytes = workload.loader->consumer.all_reduce;
  if (!bytes || ranks < 2) return Duration{0};
  Workload collective;
  collective.name = workload.name;
  CollectiveSpec spec;
  spec.position = workload.loader->position;
  spec.sizes = {*bytes};
  collective.collectives = {spec};
  collective.iterations = 1;
  collective.warmup = 0;
  Timeline timeline;
  const Result result =
      predict(topology, Routing(topology, {seed}), plan_workload(collective, ranks, shape_of(topology, ranks)),
              collective, profile, fidelity, seed, timeline);
  return from_seconds(result.collectives.front().time_s);
}

}  // namespace

sim::LoaderPrediction loader_prediction(const Topology& topology, const Workload& workload, const Profile& profile,
                                        int ranks, const std::string& fidelity, std::uint64_t seed) {
  sim::LoaderPrediction prediction;
  prediction.seed = seed;
  prediction.machine.ranks = ranks;
  prediction.machine.ranks_per_host = shape_of(topology, ranks).ranks_per_node;
  prediction.machine.cores = profile.cores;
  prediction.machine.costs = profile.loader ? &*profile.loader : nullptr;
  prediction.all_reduce = all_reduce_time(topology, workload, profile, ranks, fidelity, seed);
  return prediction;
}

Result predict_loader(const Topology& topology, const Workload& workload, const Profile& profile, int ranks,
                      const std::string& fidelity, std::uint64_t seed, LoaderOutcome& outcome) {
  outcome =
      sim::simulate_loader(*workload.loader, loader_prediction(topology, workload, profile, ranks, fidelity, seed));
  Result result;
  result.kind = Result::Kind::simulation;
  result.topology = source_of(topology);
  result.workload = source_of(workload);
  result.profile = source_of(profile);
  result.fidelity = fidelity;
  result.seed = seed;
  if (workload.loader->storage.kind == "measured" && !profile.loader)
    result.notes.emplace_back("storage 'measured' without a profile of this machine's loader: reads take no time");
  add_to_result(outcome, result);
  return result;
}

int simulate_loader_workload(const Topology& topology, const Workload& workload, const Profile& profile, int ranks,
                             const std::string& fidelity, const OutputOptions& output) {
  LoaderOutcome outcome;
  Result result = predict_loader(topology, workload, profile, ranks, fidelity, output.seed, outcome);
  for (const auto& text : result.notes) note(output, text);
  result.run = run_info(elapsed_s());
  if (!output.json_to_stdout()) fmt::print("{}", loader_table(outcome));
  if (!output.json.empty()) write_output(output.json, to_json(result).dump(2) + "\n");
  return 0;
}

}  // namespace lockstep::cli
