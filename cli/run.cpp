// lockstep run: a measurement.
#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/compute.hpp"
#include "cli/faults.hpp"
#include "cli/inputs.hpp"
#include "cli/loader.hpp"
#include "cli/measure.hpp"
#include "cli/output.hpp"
#include "cli/usage.hpp"
#include "core/base/catalogue.hpp"
#include "real/launch/local.hpp"

namespace lockstep::cli {
namespace {

struct Options {
  std::string topology, workload, dataset, profile, backend = "tcp";
  std::optional<int> ranks, processes;
  Settings settings;
  OutputOptions output;
  RunLimits limits;
  ComputeOption compute;
};

int run(const Options& options) {
  const Backend& backend = get_from(backend_catalogue(), "backend", options.backend);
  const auto job = backend.needs_topology ? std::nullopt : real::job_from_environment();
  if (!job || job->rank == 0) options.output.check_writable();
  std::optional<Topology> topology;
  if (!options.topology.empty()) topology = load_topology_with(options.topology, options.settings);
  const Workload workload = load_workload_with(options.workload, options.settings);
  if (workload.loader) {
    refuse_for_loader(backend, options.limits);
    if (options.compute.sleeps() || !options.profile.empty())
      throw InputError("a data loader computes no kernels; remove --compute and -p");
    refuse_faults_for_loader(topology ? &*topology : nullptr, workload);
    if (options.processes) throw InputError("--processes: a data loader's ranks are processes of their own");
    return run_loader_workload({.workload = &workload,
                                .topology = backend.name == "lab" && topology ? &*topology : nullptr,
                                .dataset = options.dataset,
                                .ranks = options.ranks,
                                .seed = options.output.seed},
                               options.output);
  }
  const int ranks =
      job && !options.ranks ? job->size : rank_count(options.ranks, workload, topology ? &*topology : nullptr);
  const auto faults = faults_to_apply(backend, topology ? &*topology : nullptr, workload, ranks);
  const PlannedWorkload planned = plan_workload(workload, ranks, topology ? shape_of(*topology, ranks) : GroupShape{});
  std::optional<Routing> routing;
  if (topology) routing.emplace(*topology, RoutingOptions{options.output.seed});
  detail(options.output, fmt::format("{} ranks, plan hash {}", ranks, plan_hash(planned.plan)));
  std::optional<Profile> profile;
  MeasureRequest request;
  request.topology = topology ? &*topology : nullptr;
  request.routing = routing ? &*routing : nullptr;
  request.plan = &planned.plan;
  request.faults = faults;
  request.seed = options.output.seed;
  request.processes = options.processes;
  options.limits.apply(request, backend);
  if (options.compute.sleeps()) {
    if (options.profile.empty()) throw InputError("--compute sleep: name the profile that says how long (-p PROFILE)");
    profile = load_profile_with(options.profile, options.settings);
    request.sleep = sleep_times(planned, *profile);
  } else {
    if (!options.profile.empty())
      throw InputError("-p: a measurement takes no profile, but for --compute sleep; 'check' predicts, too");
    options.settings.require_unused("profile", "give --compute sleep and -p PROFILE");
  }
  const auto complete = [&](Result& result) {
    if (profile) {
      result.profile = source_of(*profile);
      result.run["compute"] = "sleep";
    }
    result.backend = backend.name;
    if (topology) result.topology = source_of(*topology);
    result.workload = source_of(workload);
    result.seed = options.output.seed;
    result.run.update(run_info(elapsed_s()));
  };
  std::optional<real::Measurement> measured;
  try {
    measured = backend.measure(request);
  } catch (const real::InterruptedRun& failure) {
    // What there is of the result is kept, and says that it is not all.
    Result partial = real::partial_result_of(planned, failure);
    complete(partial);
    try {
      if (!options.output.json.empty()) write_output(options.output.json, to_json(partial).dump(2) + "\n");
    } catch (const InputError& error) {
      note(options.output, fmt::format("the partial result could not be kept: {}", error.what()));
    }
    throw;
  }
  if (!measured) return 0;
  for (const auto& text : measured->notes) note(options.output, text);
  if (measured->processes < ranks) note(options.output, std::string(real::virtual_ranks_say));
  if (measured->same_machine && ranks > measured->cores)
    detail(options.output, fmt::format("{} ranks share {} core{}: they wait for each other's computing, too", ranks,
                                       measured->cores, measured->cores == 1 ? "" : "s"));
  Result result = real::result_of(planned, *measured);
  complete(result);
  publish(options.output, result, planned, measured->timeline);
  if (const std::int64_t wrong = wrong_elements(result); wrong > 0) {
    fmt::print(stderr, "error: {} elements are wrong\n", wrong);
    return static_cast<int>(ExitCode::fell_short);
  }
  return 0;
}

}  // namespace

std::function<int()> declare_run(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("-w,--workload", options->workload, "Workload file")->required()->type_name("FILE");
  app.add_option("--backend", options->backend, backend_help())->capture_default_str()->type_name("NAME");
  app.add_option("-n,--ranks", options->ranks, "Ranks; default: as many as the topology has places for")
      ->check(refuse_odd_numbers)
      ->type_name("N");
  app.add_option("--processes", options->processes,
                 "So many processes share the ranks: a schedule is checked, times are not")
      ->check(refuse_odd_numbers)
      ->type_name("N");
  app.add_option("-t,--topology", options->topology, "Topology file (the lab builds it)")->type_name("FILE");
  app.add_option("--dataset", options->dataset, "The files of a workload with a loader ('lockstep dataset make')")
      ->type_name("FOLDER");
  app.add_option("-p,--profile", options->profile, "Profile that says how long kernels take, for --compute sleep")
      ->type_name("FILE");
  Settings::declare(app, options->settings);
  options->limits.declare(app);
  options->compute.declare(app);
  options->output.declare(app, false);
  return [options] { return run(*options); };
}

}  // namespace lockstep::cli
