// lockstep bench: a collective over a range of sizes, with nccl-tests' flags and in its table, predicted and measured.
#include <fmt/format.h>

#include <algorithm>

#include "cli/bench_rdma.hpp"
#include "cli/bench_size.hpp"
#include "cli/calibration.hpp"
#include "cli/commands.hpp"
#include "cli/faults.hpp"
#include "cli/inputs.hpp"
#include "cli/measure.hpp"
#include "cli/output.hpp"
#include "core/base/catalogue.hpp"
#include "core/base/text.hpp"
#include "core/topology/as_built.hpp"
#include "core/units/parse.hpp"
#include "sim/auto.hpp"
#include "study/comparison.hpp"

namespace lockstep::cli {
namespace {

struct Options {
  std::string collective, begin = "8", end = "16M", topology, backend, profile, datatype = "float", operation = "sum",
                          algorithm;
  std::int64_t factor = 2, iterations = 20, warmup = 5;
  int root = 0;
  std::optional<int> ranks;
  bool recalibrate = false;
  Settings settings;
  OutputOptions output;
  RunLimits limits;
};

ElementType datatype(const std::string& name) {
  // nccl-tests' names, and ours.
  if (name == "float") return ElementType::float32;
  if (name == "double") return ElementType::float64;
  return parse_element_type(name);
}

Workload workload_of(const Options& options) {
  Workload workload;
  workload.name = "bench_" + options.collective;
  CollectiveSpec spec;
  spec.kind = parse_collective_kind(options.collective);
  spec.type = datatype(options.datatype);
  spec.reduction = parse_reduction(options.operation);
  spec.root = options.root;
  if (spec.kind == CollectiveKind::all_to_all_v) spec.skew = Skew{};
  if (!options.algorithm.empty()) spec.algorithms = {options.algorithm};
  if (options.factor < 2)
    throw InputError(fmt::format("-f {}: the factor between sizes is 2 at least", options.factor));
  if (options.iterations < 1) throw InputError(fmt::format("-n {}: at least 1 iteration", options.iterations));
  if (options.warmup < 0) throw InputError(fmt::format("-w {}: not negative", options.warmup));
  if (options.root < 0) throw InputError(fmt::format("--root {}: not negative", options.root));
  const Bytes begin = parse_bench_size(options.begin, "-b");
  const Bytes end = parse_bench_size(options.end, "-e");
  if (end < begin) throw InputError(fmt::format("-e {} is less than -b {}", options.end, options.begin));
  const auto width = static_cast<std::int64_t>(element_bytes(spec.type));
  // nccl-tests rounds sizes down to whole elements.
  for (std::int64_t size = begin.count();; size *= options.factor) {
    const Bytes whole{size / width * width};
    if (spec.sizes.empty() || spec.sizes.back() != whole) spec.sizes.push_back(whole);
    if (size == 0 || size > end.count() / options.factor) break;
  }
  if (spec.kind == CollectiveKind::barrier) spec.sizes = {Bytes{0}};
  workload.collectives.push_back(std::move(spec));
  workload.iterations = options.iterations;
  workload.warmup = options.warmup;
  return workload;
}

std::vector<std::string> bench_names() {
  auto names = collective_kind_names();
  for (auto& name : rdma_bench_names()) names.push_back(std::move(name));
  return names;
}

std::string table(const Result& predicted, const std::optional<Result>& measured, const Options& options) {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> head{"size (B)", "count",          "type",         "redop",
                                "root",     "predicted (us)", "algbw (GB/s)", "busbw (GB/s)"};
  // What a library chose may differ from row to row.
  const bool chosen = std::any_of(predicted.collectives.begin(), predicted.collectives.end(),
                                  [](const CollectiveRow& row) { return row.protocol.has_value(); });
  if (chosen) head.insert(head.end(), {"algorithm", "protocol"});
  if (measured)
    for (const char* name : {"measured (us)", "algbw (GB/s)", "busbw (GB/s)", "#wrong", "error"})
      head.emplace_back(name);
  rows.push_back(head);
  for (std::size_t i = 0; i < predicted.collectives.size(); ++i) {
    const auto& p = predicted.collectives[i];
    const auto width = static_cast<std::int64_t>(element_bytes(parse_element_type(p.type)));
    std::vector<std::string> row{std::to_string(p.size_bytes),
                                 std::to_string(p.size_bytes / width),
                                 p.type,
                                 p.reduction.value_or("none"),
                                 rooted(p.kind) ? std::to_string(options.root) : "-1",
                                 fmt::format("{:.2f}", p.time_s * 1e6),
                                 fmt::format("{:.3f}", p.algbw_GBps()),
                                 fmt::format("{:.3f}", p.busbw_GBps())};
    if (chosen) row.insert(row.end(), {p.algorithm, p.protocol.value_or("-")});
    if (measured) {
      const auto& m = measured->collectives[i];
      row.push_back(fmt::format("{:.2f}", m.time_s * 1e6));
      row.push_back(fmt::format("{:.3f}", m.algbw_GBps()));
      row.push_back(fmt::format("{:.3f}", m.busbw_GBps()));
      row.push_back(m.wrong ? std::to_string(*m.wrong) : "N/A");
      row.push_back(m.time_s > 0 ? fmt::format("{:+.1f}%", (p.time_s - m.time_s) / m.time_s * 100) : "-");
    }
    rows.push_back(std::move(row));
  }
  return format_table(rows);
}

int bench(const Options& options) {
  if (const auto known = bench_names(); std::find(known.begin(), known.end(), options.collective) == known.end())
    throw InputError(unknown_name("collective", options.collective, known));
  if (writes_results()) options.output.check_writable();
  Topology topology = load_topology_with(options.topology, options.settings);
  const Workload workload = workload_of(options);
  const int ranks = rank_count(options.ranks, workload, &topology);
  // What is wrong with it shows before anything is measured.
  plan_workload(workload, ranks, shape_of(topology, ranks), AutoRows::keep);
  const Backend* backend =
      options.backend.empty() ? nullptr : &get_from(backend_catalogue(), "backend", options.backend);
  const auto faults =
      backend != nullptr ? faults_to_apply(*backend, &topology, workload, ranks) : faults_of(topology, workload, ranks);
  Profile profile = ideal_profile();
  if (!options.profile.empty()) {
    profile = load_profile_with(options.profile, options.settings);
  } else {
    options.settings.require_unused("profile", "name the profile with -p");
    if (backend != nullptr)
      profile = cached_or_calibrated(backend->name, backend->needs_topology ? &topology : nullptr,
                                     std::max(2, backend->needs_topology ? topology.rank_capacity() : ranks),
                                     options.output.seed, options.recalibrate, options.limits, options.output);
    else
      note(options.output, "predicted with profile 'ideal'; --backend lab measures too");
  }
  Workload chosen = sim::choose_algorithms(workload, topology, Routing(topology, {options.output.seed}), profile, ranks,
                                           backend == nullptr);
  if (backend != nullptr) chosen = with_native_rows(std::move(chosen), *backend);
  const PlannedWorkload planned = plan_workload(chosen, ranks, shape_of(topology, ranks), AutoRows::keep);
  std::optional<Result> measured;
  if (backend != nullptr) {
    const Routing routing(topology, {options.output.seed});
    MeasureRequest request;
    request.topology = &topology;
    request.routing = &routing;
    request.plan = &planned.plan;
    request.faults = faults;
    request.seed = options.output.seed;
    options.limits.apply(request, *backend);
    const auto measurement = backend->measure(request);
    if (!measurement) return 0;
    measured = real::result_of(planned, *measurement);
    measured->backend = backend->name;
    measured->topology = source_of(topology);
    measured->workload = source_of(workload);
    measured->profile = source_of(profile);
    measured->seed = options.output.seed;
    measured->run.update(run_info(elapsed_s()));
    if (measured->as_built.is_object())
      profile = profile_for_as_built(std::move(profile), apply_as_built(topology, measured->as_built));
  }
  const Routing routing(topology, {options.output.seed});
  Timeline timeline;
  Result predicted = predict(topology, routing, planned, workload, profile, "flow", options.output.seed, timeline,
                             {faults, options.output.seed});
  note_unpredicted_faults(
      options.output,
      {.topology = &topology, .workload = &workload, .profile = &profile, .planned = &planned, .fidelity = "flow"},
      predicted);
  predicted.run = run_info(elapsed_s());
  if (!options.output.trace.empty()) write_trace(options.output.trace, planned.plan, timeline);
  if (!options.output.json_to_stdout())
    fmt::print("# {}, {} ranks on {}, algorithm {}, profile {}\n{}", options.collective, ranks, topology.name,
               options.algorithm.empty() && profile.nccl ? "auto" : predicted.collectives.front().algorithm,
               profile.name, table(predicted, measured, options));
  if (!options.output.json.empty()) {
    Json json = to_json(predicted);
    if (measured) {
      json = to_json(compare(predicted, *measured));
      json["predicted"] = to_json(predicted);
      json["measured"] = to_json(*measured);
    }
    write_output(options.output.json, json.dump(2) + "\n");
  }
  std::int64_t wrong = 0;
  if (measured)
    for (const auto& row : measured->collectives) wrong += row.wrong.value_or(0);
  return wrong > 0 ? static_cast<int>(ExitCode::fell_short) : 0;
}

}  // namespace

std::function<int()> declare_bench(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("collective", options->collective, fmt::format("One of {}", join(bench_names(), ", ")))
      ->required()
      ->type_name("COLLECTIVE");
  app.add_option("-b,--minbytes", options->begin, "Smallest size: bytes, or K, M, G (powers of 1024)")
      ->capture_default_str()
      ->type_name("SIZE");
  app.add_option("-e,--maxbytes", options->end, "Largest size")->capture_default_str()->type_name("SIZE");
  app.add_option("-f,--stepfactor", options->factor, "Factor between sizes")->capture_default_str()->type_name("N");
  app.add_option("-n,--iters", options->iterations, "Iterations")->capture_default_str()->type_name("N");
  app.add_option("-w,--warmup_iters", options->warmup, "Warm-up iterations")->capture_default_str()->type_name("N");
  app.add_option("-d,--datatype", options->datatype, "float, double, int32, bfloat16, ...")
      ->capture_default_str()
      ->type_name("TYPE");
  app.add_option("-o,--op", options->operation, "sum, max, min or avg")->capture_default_str()->type_name("OP");
  app.add_option("--root", options->root, "Root of broadcast, reduce, gather, scatter")
      ->capture_default_str()
      ->type_name("RANK");
  app.add_option("--algorithm", options->algorithm,
                 "Algorithm, or auto; default: the collective's first in 'lockstep workload list', auto with -p nccl")
      ->type_name("NAME");
  app.add_option("-t,--topology", options->topology, "Topology file")->required()->type_name("FILE");
  app.add_option("--backend", options->backend, "Measure too: " + backend_help())->type_name("NAME");
  app.add_option("-p,--profile", options->profile, "Profile file, or built in: " + join(built_in_profile_names(), ", "))
      ->type_name("FILE");
  app.add_option("--ranks", options->ranks, "Ranks; default: as many as the topology has places for")->type_name("N");
  app.add_flag("--recalibrate", options->recalibrate, "Measure this machine's profile anew");
  Settings::declare(app, options->settings, {"topology", "profile"});
  options->limits.declare(app);
  options->output.declare(app, false);
  const auto rdma = std::make_shared<RdmaBench>();
  rdma->declare(app);
  return [options, rdma, &app] {
    if (!is_rdma_bench(options->collective)) {
      rdma->refuse_for(options->collective);
      return bench(*options);
    }
    RdmaSweep sweep{options->collective, options->topology, {}, {}, options->factor, {}};
    if (app.count("-b") > 0) sweep.begin = parse_bench_size(options->begin, "-b");
    if (app.count("-e") > 0) sweep.end = parse_bench_size(options->end, "-e");
    if (app.count("-n") > 0) sweep.iterations = options->iterations;
    return rdma->run(sweep, options->settings, options->output);
  };
}

}  // namespace lockstep::cli
