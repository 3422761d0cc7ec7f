// lockstep lab show -t FILE: builds the lab and says what was built. lockstep lab exec -t FILE --host h0 -- COMMAND:
// runs a command in it.
#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/settings.hpp"
#include "core/base/error.hpp"
#include "core/base/number.hpp"
#include "core/base/text.hpp"
#include "real/lab/network.hpp"
#include "real/lab/run_in_device.hpp"

namespace lockstep::cli {
namespace {

struct LabCommandOptions {
  std::string file;
  std::string host;
  std::string json;
  std::vector<std::string> command;
  bool tcp_defaults = false;
  Settings settings;
};

std::string as_text(const Topology& topology, const nlohmann::ordered_json& built) {
  std::string text =
      fmt::format("{}: {} devices, {}, {}, {} cores, netem {}\n\n", topology.name, topology.devices.size(),
                  built["how"].get<std::string>(), built["kernel"].get<std::string>(), built["cores"].get<int>(),
                  built["netem"].get<bool>() ? "yes" : "no");
  std::vector<std::vector<std::string>> rows{{"from", "to", "rate", "burst", "queue", "delay", "mtu", "gso_max_size"}};
  for (const auto& link : built["links"])
    rows.push_back({link["from"], link["to"], fmt::format("{}Gbps", link["rate_Gbps"].get<double>()),
                    format_bytes(Bytes{link["burst_bytes"].get<std::int64_t>()}),
                    format_bytes(Bytes{link["queue_bytes"].get<std::int64_t>()}),
                    fmt::format("{}s", link["delay_s"].get<double>()),
                    fmt::format("{}", link["mtu_bytes"].get<std::int64_t>()),
                    fmt::format("{}", link["gso_max_size_bytes"].get<std::int64_t>())});
  text += format_table(rows) + "\n";
  rows = {{"setting of every host", "value"}};
  for (const auto& [name, value] : built["tcp"].items())
    rows.push_back({name, value.is_string() ? value.get<std::string>() : value.dump()});
  text += format_table(rows);
  for (const auto& note : built["notes"]) text += "note: " + note.get<std::string>() + "\n";
  return text;
}

int show(const LabCommandOptions& options) {
  check_writable(options.json, "--json");
  const Topology topology = load_topology_with(options.file, options.settings);
  const auto built = nlohmann::ordered_json::parse(real::run_isolated({}, [&](const real::Isolation& isolation) {
    const Routing routing(topology);
    return real::LabNetwork(topology, routing, isolation, {.tcp_defaults = options.tcp_defaults}).as_built().dump();
  }));
  if (!options.json.empty()) write_output(options.json, built.dump(2) + "\n");
  if (options.json != "-") fmt::print("{}", as_text(topology, built));
  return 0;
}

int execute(const LabCommandOptions& options) {
  const Topology topology = load_topology_with(options.file, options.settings);
  const DeviceId device = topology.find_device(options.host);
  if (device == no_id) {
    std::vector<std::string> names;
    for (const auto& known : topology.devices) names.push_back(known.name);
    throw InputError(unknown_name("host", options.host, names));
  }
  const auto status = real::run_isolated({}, [&](const real::Isolation& isolation) {
    const Routing routing(topology);
    const real::LabNetwork lab(topology, routing, isolation, {.tcp_defaults = options.tcp_defaults});
    return std::to_string(real::run_in_device(lab, device, options.command));
  });
  return whole_number_in<int>(status).value_or(static_cast<int>(ExitCode::run_failed));
}

}  // namespace

std::function<int()> declare_lab(CLI::App& app) {
  const auto options = std::make_shared<LabCommandOptions>();
  app.require_subcommand(1);
  CLI::App* show_app = app.add_subcommand("show", "Builds the lab, says what was built, and takes it down");
  CLI::App* exec_app =
      app.add_subcommand("exec", "Runs a command in a host or switch of the lab; its exit code is ours");
  for (CLI::App* sub : {show_app, exec_app}) {
    sub->add_option("-t,--topology", options->file, "topology file")->required();
    sub->add_flag("--tcp-defaults", options->tcp_defaults, "leave TCP as the machine has it");
    Settings::declare(*sub, options->settings, {"topology"});
  }
  show_app->add_option("--json", options->json, "writes as_built to a file ('-': standard output)");
  exec_app->add_option("--host", options->host, "host or switch")->required();
  exec_app->add_option("command", options->command, "the command, after --")->required();
  const CLI::App* chosen = show_app;
  return [options, chosen] { return chosen->parsed() ? show(*options) : execute(*options); };
}

}  // namespace lockstep::cli
