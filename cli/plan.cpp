// lockstep plan: what every rank will do.
#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/inputs.hpp"
#include "cli/output.hpp"
#include "cli/usage.hpp"
#include "core/base/error.hpp"
#include "core/collective/algorithm_file.hpp"
#include "core/plan/interpret.hpp"

namespace lockstep::cli {
namespace {

struct Options {
  std::string topology, workload, json, algorithm;
  std::optional<int> ranks;
  Settings settings;
};

// An algorithm file as the one row of a workload: an odd number of elements, unless its chunks have to be equal.
PlannedWorkload plan_of_algorithm(const Options& options) {
  const CustomAlgorithm algorithm = load_algorithm(options.algorithm, options.ranks.value_or(0));
  Workload workload;
  workload.name = algorithm.name;
  workload.iterations = 1;
  workload.warmup = 0;
  CollectiveSpec spec;
  spec.kind = algorithm.kind;
  spec.algorithms = {"file:" + options.algorithm};
  const std::int64_t elements = std::int64_t{5} * algorithm.chunks + (algorithm.equal_chunks ? 0 : 1);
  spec.sizes = {Bytes{elements * static_cast<std::int64_t>(element_bytes(spec.type))}};
  workload.collectives = {spec};
  fmt::print("{}: {} of {} ranks in {} chunks, {} rounds\n", options.algorithm, to_string(algorithm.kind),
             algorithm.ranks, algorithm.chunks, algorithm.rounds);
  return plan_workload(workload, algorithm.ranks);
}

PlannedWorkload load(const Options& options) {
  if (!options.algorithm.empty()) {
    if (!options.workload.empty()) throw InputError("give an algorithm file or a workload with -w, not both");
    return plan_of_algorithm(options);
  }
  if (options.workload.empty())
    throw InputError("what is to be validated? Give a workload with -w, or an algorithm file");
  std::optional<Topology> topology;
  if (!options.topology.empty()) topology = load_topology_with(options.topology, options.settings);
  const Workload workload = load_workload_with(options.workload, options.settings);
  const int ranks = rank_count(options.ranks, workload, topology ? &*topology : nullptr);
  return plan_workload(workload, ranks, topology ? shape_of(*topology, ranks) : GroupShape{});
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
    sub->add_option("-w,--workload", options->workload, "Workload file")->type_name("FILE");
    sub->add_option("-t,--topology", options->topology, "Topology file, for the number of ranks")->type_name("FILE");
    sub->add_option("--ranks", options->ranks, "Ranks")->check(refuse_odd_numbers)->type_name("N");
    Settings::declare(*sub, options->settings, {"topology", "workload"});
    sub->callback([options, action, run] { *action = [options, run] { return run(*options); }; });
    return sub;
  };
  CLI::App* shown = declare("show", "The plan as text, or as JSON", show);
  shown->get_option("--workload")->required();
  shown->add_option("--json", options->json, "Write the plan as JSON; - for standard output")->type_name("FILE");
  declare("validate", "Every finding, then the right answer by the interpreter: of a workload, or of an algorithm file",
          check)
      ->add_option("algorithm", options->algorithm, "Algorithm file (.yaml, or MSCCL's .xml)")
      ->type_name("FILE");
  return [action] { return (*action)(); };
}

}  // namespace lockstep::cli
