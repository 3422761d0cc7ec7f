// lockstep plan: what every rank will do.
#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/inputs.hpp"
#include "cli/output.hpp"
#include "cli/usage.hpp"
#include "core/base/error.hpp"
#include "core/plan/interpret.hpp"

namespace lockstep::cli {
namespace {

struct Options {
  std::string topology, workload, json;
  std::optional<int> ranks;
  Settings settings;
};

PlannedWorkload load(const Options& options) {
  std::optional<Topology> topology;
  if (!options.topology.empty()) topology = load_topology_with(options.topology, options.settings);
  const Workload workload = load_workload_with(options.workload, options.settings);
  return plan_workload(workload, rank_count(options.ranks, workload, topology ? &*topology : nullptr));
}

int show(const Options& options) {
  check_writable(options.json, "--json");
  const auto planned = load(options);
  if (!options.json.empty()) write_output(options.json, plan_json(planned.plan) + "\n");
  if (options.json != "-") fmt::print("{}hash {}\n", plan_text(planned.plan), plan_hash(planned.plan));
  return 0;
}

int check(const Options& options) {
  const auto planned = load(options);
  const auto findings = validate(planned.plan);
  for (const auto& finding : findings) fmt::print("{}: {}\n", finding.where, finding.message);
  if (!findings.empty()) return static_cast<int>(ExitCode::fell_short);
  Timeline timeline;
  InterpretOptions interpret;
  interpret.once = true;
  const auto result = Interpreter(interpret).interpret(planned.plan, timeline);
  fmt::print("valid; interpreted: {} messages, {}, {} wrong elements\n", result.messages,
             format_bytes(Bytes{result.bytes}), result.wrong);
  return result.wrong == 0 ? 0 : static_cast<int>(ExitCode::fell_short);
}

}  // namespace

std::function<int()> declare_plan(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  const auto action = std::make_shared<std::function<int()>>();
  app.require_subcommand(1);
  const auto declare = [&](const char* name, const char* description, int (*run)(const Options&)) {
    CLI::App* sub = app.add_subcommand(name, description);
    sub->add_option("-w,--workload", options->workload, "Workload file")->required()->type_name("FILE");
    sub->add_option("-t,--topology", options->topology, "Topology file, for the number of ranks")->type_name("FILE");
    sub->add_option("--ranks", options->ranks, "Ranks")->check(refuse_odd_numbers)->type_name("N");
    Settings::declare(*sub, options->settings, {"topology", "workload"});
    sub->callback([options, action, run] { *action = [options, run] { return run(*options); }; });
    return sub;
  };
  declare("show", "The plan as text, or as JSON", show)
      ->add_option("--json", options->json, "Write the plan as JSON; - for standard output")
      ->type_name("FILE");
  declare("validate", "Every finding, then the right answer by the interpreter", check);
  return [action] { return (*action)(); };
}

}  // namespace lockstep::cli
