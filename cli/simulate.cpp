// lockstep simulate: a prediction.
#include "sim/simulate.hpp"

#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/inputs.hpp"
#include "cli/loader.hpp"
#include "cli/output.hpp"
#include "cli/usage.hpp"
#include "core/base/catalogue.hpp"
#include "core/base/json.hpp"
#include "core/topology/as_built.hpp"
#include "sim/auto.hpp"
#include "sim/idle_keys.hpp"
#include "sim/network/packet/settings.hpp"
#include "study/runs.hpp"

namespace lockstep::cli {
namespace {

struct Options {
  std::string topology, workload, profile = "ideal", fidelity = "flow", as_built, detail;
  std::optional<int> ranks;
  int runs = 1;
  bool steady = false;
  Settings settings;
  OutputOptions output;
};

// Of the time of a window of steps: so much may it differ from the next (docs/models/packet.md).
constexpr double steady_share = 0.002;

int simulate(const Options& options) {
  options.output.check_writable();
  get_from(sim::fidelity_catalogue(), "fidelity", options.fidelity);
  if (const std::vector<std::string> details{"steps"}; !options.detail.empty() && options.detail != details.front())
    throw InputError(unknown_name("--detail", options.detail, details));
  const bool packets = options.fidelity == "packet" || options.fidelity == "mixed";
  if (options.steady && !packets)
    throw InputError(
        fmt::format("--steady is of fidelities packet and mixed; '{}' is exact without", options.fidelity));
  Topology topology = load_topology_with(options.topology, options.settings);
  const Workload workload = load_workload_with(options.workload, options.settings);
  Profile profile = load_profile_with(options.profile, options.settings);
  if (workload.loader) {
    if (options.runs > 1 || !options.as_built.empty() || !options.detail.empty() || !options.output.trace.empty())
      throw InputError("a workload with a loader is simulated without --runs, --as-built, --detail and --trace");
    refuse_faults_for_loader(&topology, workload);
    return simulate_loader_workload(topology, workload, profile, rank_count(options.ranks, workload, &topology),
                                    options.fidelity, options.output);
  }
  Json as_built;
  if (!options.as_built.empty()) {
    const Result measured = load_result(options.as_built);
    as_built = measured.as_built;
    try {
      profile = profile_for_as_built(std::move(profile), apply_as_built(topology, as_built));
    } catch (const InputError& error) {
      throw InputError(fmt::format("{}: {}", options.as_built, error.what()));
    }
  }
  const int ranks = rank_count(options.ranks, workload, &topology);
  const PlannedWorkload planned =
      sim::plan_chosen(workload, topology, Routing(topology, {options.output.seed}), profile, ranks, !packets);
  const auto faults = faults_of(topology, workload, ranks);
  if (options.steady) {
    const std::string reason = !faults.empty()           ? "faults come and go"
                               : !options.detail.empty() ? "the trace has every step"
                                                         : sim::packet::unsteady(topology, profile);
    if (!reason.empty()) note(options.output, "--steady: every step is simulated, since " + reason);
  }
  if (profile.name == "ideal")
    note(options.output,
         "profile 'ideal': no software overhead, no headers, free reduction; -p PROFILE for a measured one");
  detail(options.output, fmt::format("{} ranks, plan hash {}", ranks, plan_hash(planned.plan)));
  const auto run = [&](std::uint64_t seed, Timeline& timeline) {
    return predict(topology, Routing(topology, {seed}), planned, workload, profile, options.fidelity, seed, timeline,
                   {faults, seed, options.steady ? steady_share : 0});
  };
  // What a trace shows, and what is said of operations, is the first run.
  Timeline timeline(options.detail == "steps", !options.output.trace.empty());
  Result result = run(options.output.seed, timeline);
  if (options.runs > 1) {
    RunStatistics statistics(result);
    for (int i = 1; i < options.runs; ++i) {
      Timeline other;
      statistics.add(run(options.output.seed + static_cast<std::uint64_t>(i), other));
    }
    result = statistics.result();
  }
  result.as_built = as_built;
  result.warnings = sim::idle_keys({.topology = &topology,
                                    .workload = &workload,
                                    .profile = &profile,
                                    .planned = &planned,
                                    .fidelity = options.fidelity,
                                    .ranks_by_option = options.ranks.has_value()});
  for (const auto& warning : result.warnings) note(options.output, "warning: " + warning);
  result.run = run_info(elapsed_s());
  publish(options.output, result, planned, timeline);
  return 0;
}

}  // namespace

std::function<int()> declare_simulate(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("-t,--topology", options->topology, "Topology file")->required()->type_name("FILE");
  app.add_option("-w,--workload", options->workload, "Workload file")->required()->type_name("FILE");
  std::string fidelities;
  for (const auto& entry : sim::fidelity_catalogue())
    fidelities += fmt::format("{}{} ({})", fidelities.empty() ? "" : "; ", entry.name, entry.description);
  app.add_option("--fidelity", options->fidelity, fidelities)->capture_default_str()->type_name("NAME");
  app.add_option("-p,--profile", options->profile, "Profile file, or built in: " + join(built_in_profile_names(), ", "))
      ->capture_default_str()
      ->type_name("FILE");
  app.add_option("--ranks", options->ranks, "Ranks; default: as many as the topology has places for")
      ->check(refuse_odd_numbers)
      ->type_name("N");
  app.add_option("--as-built", options->as_built, "Predict the network that this measurement says was built")
      ->type_name("RESULT.json");
  app.add_option("--detail", options->detail, "steps: the trace has every part of every schedule step")
      ->type_name("steps");
  app.add_option("--runs", options->runs,
                 "Simulate with so many seeds, from --seed up: rows are medians, with p5 and p95")
      ->check(CLI::Range(1, 100'000))
      ->type_name("N");
  app.add_flag("--steady", options->steady,
               "Packets: steps of all ranks that keep one pace stand for those to come (within 1%)");
  Settings::declare(app, options->settings);
  options->output.declare(app, false);
  return [options] { return simulate(*options); };
}

}  // namespace lockstep::cli
