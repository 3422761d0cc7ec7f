// lockstep explain: why a collective takes the algorithm that it takes, and why a data loader makes training wait.
//
// For every row: the candidates with their predicted times, the one chosen, and at which sizes the choice changes.
// Given a result, it reads again the files that the result names.
#include <fmt/format.h>

#include <algorithm>

#include "cli/commands.hpp"
#include "cli/inputs.hpp"
#include "cli/loader.hpp"
#include "cli/output.hpp"
#include "cli/usage.hpp"
#include "core/base/error.hpp"
#include "core/base/json.hpp"
#include "core/base/text.hpp"
#include "core/collective/schedule.hpp"
#include "core/nccl/choices.hpp"
#include "sim/auto.hpp"
#include "sim/nccl/time.hpp"
#include "study/loader_explanation.hpp"

namespace lockstep::cli {
namespace {

struct Options {
  std::string result, topology, workload, profile, json;
  std::optional<int> ranks;
  std::uint64_t seed = 0;
  Settings settings;
  std::optional<LoaderOutcome> measured;  ///< of a data loader, where the result is a measurement
};

constexpr std::int64_t smallest = 8;
constexpr std::int64_t largest = std::int64_t{16} << 30;

struct CandidateRow {
  std::string algorithm;
  std::optional<std::string> protocol;
  double time_s = 0;
  bool chosen = false;
  Json details = Json::object();  ///< of NCCL's model
};

struct Explanation {
  CollectiveKind kind = CollectiveKind::all_reduce;
  std::int64_t bytes = 0;
  std::vector<CandidateRow> candidates;
};

/// From this size on, this is chosen.
struct Flip {
  std::int64_t from_bytes = 0;
  std::string choice;
};

struct FlipsOfKind {
  CollectiveKind kind = CollectiveKind::all_reduce;
  std::vector<Flip> flips;
};

std::string nccl_name(nccl::Algorithm algorithm, nccl::Protocol protocol) {
  return fmt::format("{} {}", nccl::to_string(algorithm), nccl::to_string(protocol));
}

Explanation explain_nccl(const nccl::System& system, CollectiveKind kind, std::int64_t bytes) {
  Explanation explanation{kind, bytes, {}};
  const auto chosen = nccl::choose(system, kind, bytes);
  for (const auto& candidate : nccl::candidates(system, kind, bytes)) {
    const auto parts = sim::nccl::parts_of(system, candidate, kind, bytes);
    CandidateRow row;
    row.algorithm = std::string(nccl::to_string(candidate.algorithm));
    row.protocol = std::string(nccl::to_string(candidate.protocol));
    row.time_s = to_seconds(from_seconds(sim::nccl::time_us(system, parts) / 1e6));
    row.chosen = candidate.algorithm == chosen.algorithm && candidate.protocol == chosen.protocol;
    row.details = {{"channels", candidate.channels},
                   {"nccl_estimate_s", candidate.estimate_us / 1e6},
                   {"launch_s", parts.launch / 1e6},
                   {"latency_s", parts.latency / 1e6},
                   {"transfer_s", parts.transfer / 1e6}};
    explanation.candidates.push_back(std::move(row));
  }
  return explanation;
}

FlipsOfKind flips_of_nccl(const nccl::System& system, CollectiveKind kind) {
  FlipsOfKind found{kind, {}};
  for (const auto& choice : nccl::choices(system, kind, smallest, largest))
    found.flips.push_back({choice.from_bytes, nccl_name(choice.algorithm, choice.protocol)});
  return found;
}

/// Lockstep's own algorithms: every power of two, by the closed forms.
FlipsOfKind flips_of_ours(const CollectiveSpec& spec, const Topology& topology, const Routing& routing,
                          const Profile& profile, int ranks) {
  FlipsOfKind found{spec.kind, {}};
  CollectiveSpec sweep = spec;
  sweep.sizes.clear();
  for (std::int64_t size = smallest; size <= largest; size *= 2) sweep.sizes.push_back(Bytes{size});
  const auto times = sim::algorithm_times(sweep, topology, routing, profile, ranks);
  for (std::size_t i = 0; i < times.size(); ++i) {
    const auto& choice = sim::fastest(times[i]).algorithm;
    if (found.flips.empty() || found.flips.back().choice != choice)
      found.flips.push_back({sweep.sizes[i].count(), choice});
  }
  return found;
}

std::vector<Explanation> explain_ours(const CollectiveSpec& spec, const Topology& topology, const Routing& routing,
                                      const Profile& profile, int ranks) {
  std::vector<Explanation> found;
  const auto times = sim::algorithm_times(spec, topology, routing, profile, ranks);
  for (std::size_t i = 0; i < times.size(); ++i) {
    const bool named = !spec.algorithms.empty() && spec.algorithms.front() != "auto";
    const std::string chosen = named                     ? spec.algorithms.front()
                               : spec.algorithms.empty() ? default_algorithm(spec.kind)
                                                         : sim::fastest(times[i]).algorithm;
    Explanation explanation{spec.kind, spec.sizes.empty() ? 0 : spec.sizes[i].count(), {}};
    for (const auto& [algorithm, time_s] : times[i])
      explanation.candidates.push_back({algorithm, std::nullopt, time_s, algorithm == chosen, Json::object()});
    found.push_back(std::move(explanation));
  }
  return found;
}

std::string us(double seconds) { return fmt::format("{:.2f}", seconds * 1e6); }

void print(const Explanation& explanation) {
  const bool by_nccl = explanation.candidates.front().protocol.has_value();
  fmt::print("{} of {} ({} B)\n", to_string(explanation.kind), format_bytes(Bytes{explanation.bytes}),
             explanation.bytes);
  std::vector<std::vector<std::string>> lines{{"", "algorithm", "predicted (us)"}};
  if (by_nccl)
    lines.front() = {"",       "algorithm", "protocol", "channels", "NCCL's estimate (us)", "predicted (us)",
                     "launch", "latency",   "transfer"};
  for (const auto& row : explanation.candidates) {
    std::vector<std::string> line{row.chosen ? "chosen" : "", row.algorithm};
    if (by_nccl) {
      const auto seconds = [&row](const char* key) { return row.details[key].get<double>(); };
      line.insert(line.end(), {row.protocol.value_or(""), std::to_string(row.details["channels"].get<int>()),
                               us(seconds("nccl_estimate_s")), us(row.time_s), us(seconds("launch_s")),
                               us(seconds("latency_s")), us(seconds("transfer_s"))});
    } else {
      line.push_back(us(row.time_s));
    }
    lines.push_back(std::move(line));
  }
  fmt::print("{}\n", format_table(lines));
}

void print(const FlipsOfKind& flips) {
  fmt::print("{}: the size flips the choice\n", to_string(flips.kind));
  std::vector<std::vector<std::string>> lines{{"from (B)", "", "choice"}};
  for (const auto& flip : flips.flips)
    lines.push_back({std::to_string(flip.from_bytes), format_bytes(Bytes{flip.from_bytes}), flip.choice});
  fmt::print("{}\n", format_table(lines));
}

Json to_json(const Explanation& explanation) {
  Json candidates = Json::array();
  for (const auto& row : explanation.candidates) {
    Json entry = {{"algorithm", row.algorithm},
                  {"protocol", row.protocol ? Json(*row.protocol) : Json(nullptr)},
                  {"time_s", row.time_s},
                  {"chosen", row.chosen}};
    entry.update(row.details);
    candidates.push_back(std::move(entry));
  }
  return {{"kind", to_string(explanation.kind)}, {"size_bytes", explanation.bytes}, {"candidates", candidates}};
}

Json to_json(const FlipsOfKind& flips) {
  Json list = Json::array();
  for (const auto& flip : flips.flips) list.push_back({{"from_bytes", flip.from_bytes}, {"choice", flip.choice}});
  return {{"kind", to_string(flips.kind)}, {"choices", list}};
}

/// The files behind a result. What has changed since is said.
void take_from_result(Options& options) {
  const Result result = load_result(options.result);
  if (!result.loader.is_null() && result.kind == Result::Kind::measurement) {  // a real loader: this machine
    options.measured = loader_outcome_from_json(result.loader, options.result);
    options.workload = result.workload.file.value_or("");
    options.ranks = result.ranks;
    options.seed = result.seed;
    return;
  }
  const auto file = [&](const SourceFile& source, const char* what, bool built_in) {
    if (source.file && !source.file->empty()) return *source.file;
    if (built_in) return source.name;
    throw InputError(fmt::format("{}: names no {} file; give -t, -w and -p instead", options.result, what));
  };
  options.topology = file(result.topology, "topology", false);
  options.workload = file(result.workload, "workload", false);
  options.profile = file(result.profile, "profile", true);
  options.ranks = result.ranks;
  options.seed = result.seed;
  const auto compare = [&](const std::optional<std::string>& then, const std::string& now, const std::string& name) {
    if (then && *then != now)
      fmt::print(stderr, "note: {} has changed since {} was made (or --set was used then)\n", name, options.result);
  };
  compare(result.topology.sha256, load_topology(options.topology).sha256, options.topology);
  compare(result.workload.sha256, load_workload(options.workload).sha256, options.workload);
}

/// A data loader: what bound it (as measured, where the result is a measurement), what would help (as predicted).
int explain_loader_workload(const Options& options, const Workload& workload) {
  check_writable(options.json, "--json");
  const Profile profile = load_profile_with(options.profile.empty() ? "ideal" : options.profile, options.settings);
  sim::LoaderPrediction prediction;
  LoaderSpec spec = *workload.loader;
  if (options.topology.empty()) {
    prediction.machine.cores = profile.cores;
    prediction.machine.costs = profile.loader ? &*profile.loader : nullptr;
  } else {
    const Topology topology = load_topology_with(options.topology, options.settings);
    prediction = loader_prediction(topology, workload, profile, rank_count(options.ranks, workload, &topology), "flow",
                                   options.seed, spec);
  }
  // Enough to see its steady state; what an epoch's length decides (caches) is kept where there are several.
  if (spec.consumer.epochs == 1) spec.consumer.steps = std::min<std::int64_t>(spec.consumer.steps.value_or(500), 500);
  const auto answer = [&](const LoaderSpec& changed) { return sim::simulate_loader(changed, prediction); };
  const auto explanation =
      options.measured ? explain_loader(spec, *options.measured, answer) : explain_loader(spec, answer);
  if (options.json != "-") fmt::print("# {}, profile {}\n{}", workload.name, profile.name, to_text(explanation));
  if (!options.json.empty()) write_output(options.json, to_json(explanation).dump(2) + "\n");
  return 0;
}

int explain(Options options) {
  if (!options.result.empty()) {
    if (!options.topology.empty() || !options.workload.empty())
      throw InputError("explain takes a result, or -t and -w, not both");
    take_from_result(options);
  }
  if (!options.workload.empty()) {
    const Workload workload = load_workload_with(options.workload, options.settings);
    if (workload.loader) return explain_loader_workload(options, workload);
  }
  if (options.topology.empty() || options.workload.empty())
    throw InputError("explain needs a result file, or a topology (-t) and a workload (-w)");
  if (options.profile.empty()) options.profile = "ideal";
  check_writable(options.json, "--json");
  const Topology topology = load_topology_with(options.topology, options.settings);
  const Workload workload = load_workload_with(options.workload, options.settings);
  const Profile profile = load_profile_with(options.profile, options.settings);
  const int ranks = rank_count(options.ranks, workload, &topology);
  plan_workload(workload, ranks, shape_of(topology, ranks), AutoRows::keep);  // says what is wrong with it
  if (workload.collectives.empty())
    throw InputError(fmt::format("workload '{}' has no collectives: nothing is chosen there that could be explained",
                                 workload.name));
  const Routing routing(topology, {options.seed});
  std::vector<Explanation> rows;
  std::vector<FlipsOfKind> flips;
  for (const auto& spec : workload.collectives) {
    const bool automatic = spec.algorithms.empty() || spec.algorithms.front() == "auto";
    const bool known = std::any_of(flips.begin(), flips.end(), [&](const auto& of) { return of.kind == spec.kind; });
    if (profile.nccl && automatic && nccl::knows(spec.kind)) {
      const auto system = nccl::system_of(topology, ranks, *profile.nccl);
      for (const Bytes size : spec.sizes)
        rows.push_back(explain_nccl(system, spec.kind, std::max<std::int64_t>(size.count(), 4)));
      if (!known) flips.push_back(flips_of_nccl(system, spec.kind));
    } else {
      for (auto& row : explain_ours(spec, topology, routing, profile, ranks)) rows.push_back(std::move(row));
      if (!known && spec.kind != CollectiveKind::barrier)
        flips.push_back(flips_of_ours(spec, topology, routing, profile, ranks));
    }
  }
  if (options.json != "-") {
    fmt::print("# {} on {}, {} ranks, profile {}\n", workload.name, topology.name, ranks, profile.name);
    for (const auto& row : rows) print(row);
    for (const auto& of_kind : flips) print(of_kind);
  }
  if (!options.json.empty()) {
    Json json = {{"schema", "lockstep.explanation/1"}, {"ranks", ranks}, {"rows", Json::array()}};
    for (const auto& row : rows) json["rows"].push_back(to_json(row));
    json["choices"] = Json::array();
    for (const auto& of_kind : flips) json["choices"].push_back(to_json(of_kind));
    write_output(options.json, json.dump(2) + "\n");
  }
  return 0;
}

}  // namespace

std::function<int()> declare_explain(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("result", options->result, "A result of 'simulate', 'check' or 'bench': its files are read again")
      ->type_name("RESULT.json");
  app.add_option("-t,--topology", options->topology, "Topology file")->type_name("FILE");
  app.add_option("-w,--workload", options->workload, "Workload file")->type_name("FILE");
  app.add_option("-p,--profile", options->profile,
                 "Profile file, or built in: " + join(built_in_profile_names(), ", ") + "; default ideal")
      ->type_name("FILE");
  app.add_option("--ranks", options->ranks, "Ranks; default: as many as the topology has places for")
      ->check(refuse_odd_numbers)
      ->type_name("N");
  app.add_option("--json", options->json, "Write the explanation as JSON; - for standard output")->type_name("FILE");
  Settings::declare(app, options->settings);
  return [options] { return explain(*options); };
}

}  // namespace lockstep::cli
