// lockstep topology show FILE: what a topology file makes. lockstep topology list: what such a file can name. lockstep
// topology discover: the file of this machine.
#include <fmt/format.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/settings.hpp"
#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/topology/describe.hpp"
#include "core/topology/generators/generator.hpp"
#include "core/topology/node_template.hpp"
#include "core/topology/write.hpp"
#ifdef LOCKSTEP_REAL
#include "real/discover/machine.hpp"
#endif

namespace lockstep::cli {
namespace {

struct TopologyOptions {
  std::string file;
  std::vector<int> route;
  bool dot = false;
  std::string json;
  std::string output = "-";
  Settings settings;
};

int show(const TopologyOptions& options) {
  check_writable(options.json, "--json");
  const Topology topology = load_topology_with(options.file, options.settings);
  if (options.dot) {
    fmt::print("{}", to_dot(topology));
    return 0;
  }
  const TopologySummary summary = summarise(topology);
  std::string text = to_text(topology, summary);
  nlohmann::ordered_json json = to_json(topology, summary);
  if (!options.route.empty()) {
    const Routing routing(topology);
    const std::string route = describe_route(topology, routing, options.route[0], options.route[1]);
    text += "\n" + route + "\n";
    json["route"] = route;
  }
  if (!options.json.empty()) write_output(options.json, json.dump(2) + "\n");
  if (options.json != "-") fmt::print("{}", text);
  return 0;
}

template <class Entry>
void print_catalogue(const char* title, std::span<const Entry> catalogue) {
  std::vector<std::vector<std::string>> rows{{title, "description"}};
  for (const auto& entry : catalogue) rows.push_back({entry.name, entry.description});
  fmt::print("{}", format_table(rows));
}

int list() {
  print_catalogue("generator", generator_catalogue());
  fmt::print("\n");
  print_catalogue("node template", node_template_catalogue());
  return 0;
}

int discover(const std::string& output) {
#ifdef LOCKSTEP_REAL
  check_writable(output, "-o");
  const real::Machine machine = real::machine_of(real::read_machine());
  write_output(output, topology_file_of(machine.name, machine.graph, machine.comments));
  return 0;
#else
  throw InputError("topology discover reads the machine: this build is without the real side (LOCKSTEP_REAL)" + output);
#endif
}

}  // namespace

std::function<int()> declare_topology(CLI::App& app) {
  auto options = std::make_shared<TopologyOptions>();
  app.require_subcommand(1);
  CLI::App* show_command =
      app.add_subcommand("show", "Prints nodes, links, diameter, bisection bandwidth and routes of a topology file");
  show_command->add_option("FILE", options->file, "A topology file")->required();
  show_command->add_option("--route", options->route, "Show the route between two ranks")
      ->expected(2)
      ->type_name("RANK RANK");
  auto* dot = show_command->add_flag("--dot", options->dot, "Print the graph for Graphviz instead");
  show_command->add_option("--json", options->json, "Write everything as JSON; - for standard output")
      ->type_name("FILE")
      ->excludes(dot);
  Settings::declare(*show_command, options->settings, {"topology"});
  show_command->footer(
      "Example:\n  lockstep topology show topologies/lab_star4.yaml --route 0 3 --set topology.generate.star.hosts=6");
  const CLI::App* list_command = app.add_subcommand("list", "Lists generators and node templates");
  CLI::App* discover_command = app.add_subcommand("discover", "Writes the topology file of this machine");
  discover_command->add_option("-o,--output", options->output, "Write it there (default -: standard output)")
      ->type_name("FILE");
  discover_command->footer("Example:\n  lockstep topology discover -o machine.yaml");
  return [options, list_command, discover_command] {
    if (discover_command->parsed()) return discover(options->output);
    return list_command->parsed() ? list() : show(*options);
  };
}

}  // namespace lockstep::cli
