// lockstep check: simulate, run, compare; the main job.
#include <fmt/format.h>

#include "cli/calibration.hpp"
#include "cli/commands.hpp"
#include "cli/compute.hpp"
#include "cli/faults.hpp"
#include "cli/inputs.hpp"
#include "cli/loader.hpp"
#include "cli/measure.hpp"
#include "cli/verdict.hpp"
#include "core/base/catalogue.hpp"
#include "core/topology/as_built.hpp"
#include "sim/auto.hpp"

namespace lockstep::cli {
namespace {

struct Options {
  std::string topology, workload, dataset, backend = "lab", profile, fidelity = "flow";
  std::optional<int> ranks;
  bool recalibrate = false;
  Settings settings;
  OutputOptions output;
  RunLimits limits;
  ComputeOption compute;
  ToleranceOptions tolerance;
};

/// A data loader: in the lab if it has several ranks or a storage node there, else on this machine's files. What
/// reading and decoding cost is in a profile (calibrate --backend loader).
int check_loader(const Options& options, const Tolerance& tolerance, const Topology& topology,
                 const Workload& workload) {
  const Profile profile = load_profile_with(options.profile.empty() ? "ideal" : options.profile, options.settings);
  const bool lab = workload.loader->consumer.all_reduce || workload.loader->storage.kind == "object_store";
  LoaderOutcome real, simulated;
  Result measured = measure_loader({.workload = &workload,
                                    .topology = lab ? &topology : nullptr,
                                    .dataset = options.dataset,
                                    .ranks = options.ranks,
                                    .seed = options.output.seed},
                                   real);
  const int ranks = real.ranks;
  measured.profile = source_of(profile);
  measured.run = run_info(elapsed_s());
  Result predicted =
      predict_loader(topology, workload, profile, ranks, options.fidelity, options.output.seed, simulated);
  predicted.run = run_info(elapsed_s());
  if (!options.output.json_to_stdout())
    fmt::print("# {} on this machine's files, profile {}\n# predicted\n{}# measured\n{}", workload.name, profile.name,
               loader_table(simulated), loader_table(real));
  return publish_comparison(options.output, compare(predicted, measured), tolerance, &predicted, &measured,
                            workload.name);
}

int check(const Options& options) {
  if (writes_results()) options.output.check_writable();
  const Tolerance tolerance = options.tolerance.parse();
  const Backend& backend = get_from(backend_catalogue(), "backend", options.backend);
  Topology topology = load_topology_with(options.topology, options.settings);
  const Workload workload = load_workload_with(options.workload, options.settings);
  if (workload.loader) {
    refuse_for_loader(backend, options.limits);
    if (options.compute.sleeps()) throw InputError("a data loader computes no kernels; remove --compute");
    refuse_faults_for_loader(&topology, workload);
    return check_loader(options, tolerance, topology, workload);
  }
  const int ranks = rank_count(options.ranks, workload, &topology);
  const Routing routing(topology, {options.output.seed});
  // What is wrong with it shows before anything is measured.
  plan_workload(workload, ranks, shape_of(topology, ranks), AutoRows::keep);
  const auto faults = faults_to_apply(backend, &topology, workload, ranks);
  if (!workload.kernels.empty() && options.profile.empty())
    throw InputError(
        "the workload has kernels: 'lockstep calibrate --backend cpu -o PROFILE' measures how fast they are here, and "
        "-p PROFILE names it");
  // The profile is there before anything is run, and measured on point-to-point messages alone.
  const int lab_ranks = topology.rank_capacity();
  Profile profile =
      !options.profile.empty()
          ? load_profile_with(options.profile, options.settings)
          : cached_or_calibrated(options.backend, backend.needs_topology ? &topology : nullptr,
                                 backend.needs_topology ? std::max(2, lab_ranks) : std::max(2, ranks),
                                 options.output.seed, options.recalibrate, options.limits, options.output);
  if (options.profile.empty()) options.settings.require_unused("profile", "name the profile with -p");
  const PlannedWorkload planned = plan_workload(
      with_native_rows(sim::choose_algorithms(workload, topology, routing, profile, ranks, false), backend), ranks,
      shape_of(topology, ranks));

  MeasureRequest request;
  request.topology = &topology;
  request.routing = &routing;
  request.plan = &planned.plan;
  request.faults = faults;
  request.seed = options.output.seed;
  options.limits.apply(request, backend);
  profile.compute.asleep = options.compute.sleeps();
  // What the profile does not say of a kernel shows before anything is measured.
  if (profile.compute.asleep || !planned.kernels.empty()) {
    const auto times = sleep_times(planned, profile);
    if (profile.compute.asleep) request.sleep = times;
  }
  const auto measurement = backend.measure(request);
  if (!measurement) return 0;
  for (const auto& text : measurement->notes) note(options.output, text);
  Result measured = real::result_of(planned, *measurement);
  measured.backend = backend.name;
  measured.topology = source_of(topology);
  measured.workload = source_of(workload);
  measured.profile = source_of(profile);
  measured.seed = options.output.seed;
  if (profile.compute.asleep) measured.run["compute"] = "sleep";
  measured.run.update(run_info(elapsed_s()));

  Topology network = topology;
  if (measured.as_built.is_object())
    profile = profile_for_as_built(std::move(profile), apply_as_built(network, measured.as_built));
  const Routing network_routing(network, {options.output.seed});
  Timeline timeline(false, !options.output.trace.empty());
  Result predicted = predict(network, network_routing, planned, workload, profile, options.fidelity,
                             options.output.seed, timeline, {faults, options.output.seed});
  note_unpredicted_faults(options.output,
                          {.topology = &network,
                           .workload = &workload,
                           .profile = &profile,
                           .planned = &planned,
                           .fidelity = options.fidelity},
                          predicted);
  predicted.as_built = measured.as_built;
  predicted.run = run_info(elapsed_s());
  if (!options.output.trace.empty()) write_trace(options.output.trace, planned.plan, measurement->timeline);

  for (const auto& text :
       measured.as_built.is_object() ? measured.as_built.value("notes", Json::array()) : Json::array())
    note(options.output, text.get<std::string>());
  if (!options.output.json_to_stdout())
    fmt::print("# {} on {}, {} ranks, backend {}, profile {}\n", workload.name, topology.name, ranks, backend.name,
               profile.name);
  const int code = publish_comparison(options.output, compare(predicted, measured), tolerance, &predicted, &measured,
                                      fmt::format("{} on {}", workload.name, topology.name));
  if (const std::int64_t wrong = wrong_elements(measured); wrong > 0) {
    fmt::print(stderr, "error: {} elements are wrong\n", wrong);
    return static_cast<int>(ExitCode::fell_short);
  }
  return code;
}

}  // namespace

std::function<int()> declare_check(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("-t,--topology", options->topology, "Topology file")->required()->type_name("FILE");
  app.add_option("-w,--workload", options->workload, "Workload file")->required()->type_name("FILE");
  app.add_option("--backend", options->backend, backend_help())->capture_default_str()->type_name("NAME");
  app.add_option("-p,--profile", options->profile,
                 "Profile; default: this machine's, calibrated on point-to-point messages when there is none yet")
      ->type_name("FILE");
  app.add_flag("--recalibrate", options->recalibrate, "Measure this machine's profile anew");
  app.add_option("--fidelity", options->fidelity, "analytic, flow, packet or mixed")
      ->capture_default_str()
      ->type_name("NAME");
  app.add_option("-n,--ranks", options->ranks, "Ranks; default: as many as the topology has places for")
      ->type_name("N");
  app.add_option("--dataset", options->dataset, "The files of a workload with a loader ('lockstep dataset make')")
      ->type_name("FOLDER");
  Settings::declare(app, options->settings);
  options->tolerance.declare(app);
  options->limits.declare(app);
  options->compute.declare(app);
  options->output.declare(app, true);
  return [options] { return check(*options); };
}

}  // namespace lockstep::cli
