#include "cli/loader.hpp"

#include <fmt/format.h>

#include "cli/inputs.hpp"
#include "cli/output.hpp"
#include "core/base/error.hpp"
#ifdef LOCKSTEP_REAL
#include "real/loader/calibrate.hpp"
#include "real/loader/run.hpp"
#endif

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

#ifdef LOCKSTEP_REAL
Result measure_loader(const Workload& workload, const std::string& dataset, int ranks, std::uint64_t seed,
                      LoaderOutcome& outcome) {
  const LoaderSpec& loader = *workload.loader;
  if (ranks != 1) throw InputError(fmt::format("--ranks {}: real data loaders run on one rank, so far", ranks));
  if (loader.consumer.all_reduce)
    throw InputError(
        fmt::format("{}: 'all_reduce' of a data loader is simulated only, so far", loader.position.text()));
  const std::string folder = dataset.empty() ? loader.dataset.path : dataset;
  if (folder.empty())
    throw InputError(
        fmt::format("{}: where are the files? Name the folder with --dataset or 'dataset: {{path: ...}}'; "
                    "'lockstep dataset make' fills one",
                    loader.position.text()));
  const auto files = real::load_dataset(loader.dataset, folder);
  outcome = real::run_loader(loader, files);
  Result result;
  result.kind = Result::Kind::measurement;
  result.workload = source_of(workload);
  result.backend = "tcp";
  result.seed = seed;
  add_to_result(outcome, result);
  result.loader["dataset"] = {{"manifest_sha256", files.sha256}, {"bytes", files.bytes()}};
  return result;
}

int run_loader_workload(const Workload& workload, const std::string& dataset, int ranks, const OutputOptions& output) {
  LoaderOutcome outcome;
  Result result = measure_loader(workload, dataset, ranks, output.seed, outcome);
  result.run = run_info(elapsed_s());
  if (!output.json_to_stdout()) fmt::print("{}", loader_table(outcome));
  if (!output.json.empty()) write_output(output.json, to_json(result).dump(2) + "\n");
  if (outcome.wrong == 0) return 0;
  fmt::print(stderr, "error: {} samples came twice, or not at all\n", outcome.wrong);
  return static_cast<int>(ExitCode::fell_short);
}
Calibration calibrate_loader_profile(const std::string& folder, const std::string& name, const OutputOptions& output) {
  const auto measured = real::calibrate_loader(folder, [&](const std::string& what) { detail(output, what); });
  Calibration calibration;
  Profile& profile = calibration.profile;
  profile.name = name.empty() ? "loader" : name;
  profile.cores = measured.cores;
  profile.loader = measured.costs;
  profile.measured = run_info(elapsed_s());
  calibration.text = measured.text;
  return calibration;
}
#endif

}  // namespace lockstep::cli
