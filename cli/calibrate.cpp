// lockstep calibrate: a profile of this machine's software.
#include <fmt/format.h>

#include <charconv>

#include "cli/calibration.hpp"
#include "cli/calibration_from_log.hpp"
#include "cli/calibration_of_cpu.hpp"
#include "cli/commands.hpp"
#include "cli/inputs.hpp"
#include "cli/loader.hpp"
#include "cli/output.hpp"
#include "core/base/catalogue.hpp"
#include "core/units/parse.hpp"

namespace lockstep::cli {
namespace {

struct Options {
  std::string backend = "tcp", folder = ".", topology, file, from, between, name, largest;
  std::optional<int> ranks;
  Settings settings;
  OutputOptions output;
  RunLimits limits;
};

int write(const Options& options, const Calibration& calibration) {
  const std::string text = to_yaml(calibration.profile);
  if (options.file != "-") fmt::print("{}", calibration.text);
  write_output(options.file, text);
  if (!options.output.json.empty()) write_output(options.output.json, calibration.profile.measured.dump(2) + "\n");
  return 0;
}

/// Two ranks: "0,8".
std::optional<std::pair<int, int>> parse_between(const std::string& text) {
  if (text.empty()) return std::nullopt;
  std::pair<int, int> ranks;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, ranks.first);
  if (first.ec == std::errc{} && first.ptr != end && *first.ptr == ',') {
    const auto second = std::from_chars(first.ptr + 1, end, ranks.second);
    if (second.ec == std::errc{} && second.ptr == end && ranks.first >= 0 && ranks.second >= 0 &&
        ranks.first != ranks.second)
      return ranks;
  }
  throw InputError(fmt::format("--between {}: expected two different ranks, as in 0,8", text));
}

Bytes parse_largest(const Options& options, Bytes without) {
  if (options.largest.empty()) return without;
  Bytes largest{0};
  try {
    largest = parse_bytes(options.largest);
  } catch (const UnitError& error) {
    throw InputError(fmt::format("--largest {}: {}", options.largest, error.what()));
  }
  const Bytes least = options.backend == "cpu" ? 1_MiB : 1_KiB;
  if (largest < least || largest > 1_GiB)
    throw InputError(fmt::format("--largest {}: between {} and 1GiB", options.largest, format_bytes(least)));
  return largest;
}

int run_from_log(const Options& options) {
  if (options.topology.empty())
    throw InputError(
        "--from needs the topology that was measured (-t FILE): what its links take is taken off the times");
  const Topology topology = load_topology_with(options.topology, options.settings);
  return write(options, calibrate_from_log({.file = options.from,
                                            .topology = &topology,
                                            .between = parse_between(options.between),
                                            .seed = options.output.seed,
                                            .name = options.name}));
}

int run(const Options& options) {
  if (writes_results()) options.output.check_writable();
  if (!options.from.empty()) return run_from_log(options);
  if (options.backend == "loader")
    return write(options, calibrate_loader_profile(options.folder, options.name, options.output));
  if (options.backend == "cpu") {
    if (!options.topology.empty() || options.ranks)
      throw InputError("--backend cpu measures one core of this machine: remove -t and --ranks");
    return write(options, calibrate_cpu({parse_largest(options, 256_MiB), options.name}, options.output));
  }
  const Backend& backend = get_from(backend_catalogue(), "backend", options.backend);
  std::optional<Topology> topology;
  if (!options.topology.empty()) topology = load_topology_with(options.topology, options.settings);
  if (backend.needs_topology && !topology)
    throw InputError(fmt::format("--backend {} builds a topology: name it with -t FILE", backend.name));
  CalibrationRequest request;
  request.backend = backend.name;
  request.topology = backend.needs_topology ? &*topology : nullptr;
  request.seed = options.output.seed;
  const auto ranks = backend.needs_topology ? std::nullopt : launched_ranks();
  request.ranks = options.ranks.value_or(ranks ? *ranks : topology ? topology->rank_capacity() : 2);
  if (request.ranks < 2) throw InputError(fmt::format("--ranks {}: a message needs two ranks", request.ranks));
  if (topology && request.ranks > topology->rank_capacity())
    throw InputError(fmt::format("{} ranks do not fit: topology '{}' has places for {}", request.ranks, topology->name,
                                 topology->rank_capacity()));
  request.largest = parse_largest(options, 64_MiB);
  request.budget_s = 120;
  request.name =
      !options.name.empty() ? options.name : fmt::format("{}-{}", backend.name, topology ? topology->name : "loopback");
  options.limits.apply(request.limits, backend);
  const auto calibration = calibrate(request);
  return calibration ? write(options, *calibration) : 0;
}

}  // namespace

std::function<int()> declare_calibrate(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  auto* backend = app.add_option("--backend", options->backend,
                                 backend_help() +
                                     "; loader (what data loading costs on this machine); cpu (how fast "
                                     "kernels and reductions are on one core)")
                      ->capture_default_str()
                      ->type_name("NAME");
  app.add_option("--folder", options->folder, "Of backend loader: where its files are written, and removed")
      ->capture_default_str()
      ->type_name("FOLDER");
  app.add_option("-o,--output", options->file, "Profile to write; - for standard output")
      ->required()
      ->type_name("PROFILE");
  auto* from = app.add_option("--from", options->from,
                              "Fit a log of perftest, OSU or nccl-tests, or a result file, instead of measuring now")
                   ->excludes(backend)
                   ->type_name("LOG");
  app.add_option("--between", options->between,
                 "With --from: the two ranks that exchanged messages (default: 0 and the first of another node)")
      ->needs(from)
      ->type_name("A,B");
  app.add_option("-t,--topology", options->topology, "Topology of the lab, or of the measurement --from")
      ->type_name("FILE");
  app.add_option("--ranks", options->ranks, "Ranks of the job; two of them exchange messages")->type_name("N");
  app.add_option("--largest", options->largest,
                 "Largest message (default 64MiB; what would take longer than two minutes is left out), or with "
                 "--backend cpu the largest working set (default 256MiB)")
      ->type_name("SIZE");
  app.add_option("--name", options->name, "Name of the profile")->type_name("NAME");
  Settings::declare(app, options->settings, {"topology"});
  options->limits.declare(app);
  options->output.declare(app, false);
  return [options] { return run(*options); };
}

}  // namespace lockstep::cli
