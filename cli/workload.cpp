// lockstep workload: what a workload file asks for.
#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/settings.hpp"
#include "core/base/text.hpp"
#include "core/collective/schedule.hpp"

namespace lockstep::cli {
namespace {

struct Options {
  std::string file;
  Settings settings;
};

int show(const Options& options) {
  const Workload workload = load_workload_with(options.file, options.settings);
  fmt::print("workload '{}': {} iterations after {} of warm-up\n", workload.name, workload.iterations, workload.warmup);
  std::vector<std::vector<std::string>> rows{{"kind", "algorithm", "size", "type", "reduction", "channels"}};
  for (const auto& spec : workload.collectives) {
    auto algorithms = spec.algorithms;
    if (algorithms.empty()) algorithms.push_back(default_algorithm(spec.kind));
    for (const auto& algorithm : algorithms)
      for (const Bytes size : spec.sizes.empty() ? std::vector<Bytes>{Bytes{0}} : spec.sizes)
        rows.push_back(
            {std::string(to_string(spec.kind)), algorithm, format_bytes(size), std::string(to_string(spec.type)),
             reduces(spec.kind) ? std::string(to_string(spec.reduction)) : "-", std::to_string(spec.channels)});
  }
  fmt::print("{}", format_table(rows));
  return 0;
}

int list() {
  std::vector<std::vector<std::string>> rows{{"algorithm", "collectives", "what it does"}};
  for (const auto& algorithm : algorithm_catalogue()) {
    std::vector<std::string> kinds;
    for (const auto kind : algorithm.kinds) kinds.emplace_back(to_string(kind));
    rows.push_back({algorithm.name, join(kinds, ", "), algorithm.description});
  }
  fmt::print("{}", format_table(rows));
  return 0;
}

}  // namespace

std::function<int()> declare_workload(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  const auto action = std::make_shared<std::function<int()>>();
  app.require_subcommand(1);
  CLI::App* shown = app.add_subcommand("show", "The rows that a workload file makes");
  shown->add_option("file", options->file, "Workload file")->required()->type_name("FILE");
  Settings::declare(*shown, options->settings, {"workload"});
  shown->callback([options, action] { *action = [options] { return show(*options); }; });
  app.add_subcommand("list", "The algorithms and what they do")->callback([action] { *action = list; });
  return [action] { return (*action)(); };
}

}  // namespace lockstep::cli
