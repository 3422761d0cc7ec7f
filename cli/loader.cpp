#include "cli/loader.hpp"

#include <fmt/format.h>

#include <deque>
#include <map>

#include "cli/inputs.hpp"
#include "cli/output.hpp"
#include "core/base/error.hpp"
#include "core/collective/walk.hpp"
#include "core/config/document.hpp"
#ifdef LOCKSTEP_REAL
#include "real/loader/calibrate.hpp"
#include "real/loader/lab_run.hpp"
#include "real/loader/run.hpp"
#endif

namespace lockstep::cli {
namespace {

/// The all-reduce of a step as a workload of one row.
Workload all_reduce_of(const Workload& workload) {
  Workload collective;
  collective.name = workload.name;
  CollectiveSpec spec;
  spec.position = workload.loader->position;
  spec.sizes = {*workload.loader->consumer.all_reduce};
  collective.collectives = {spec};
  collective.iterations = 1;
  collective.warmup = 0;
  return collective;
}

/// How long it takes, all ranks beginning together.
Duration all_reduce_time(const Topology& topology, const Routing& routing, const Workload& workload,
                         const Profile& profile, int ranks, const std::string& fidelity, std::uint64_t seed) {
  if (!workload.loader->consumer.all_reduce || ranks < 2) return Duration{0};
  const Workload collective = all_reduce_of(workload);
  Timeline timeline;
  const Result result = predict(topology, routing, plan_workload(collective, ranks, shape_of(topology, ranks)),
                                collective, profile, fidelity, seed, timeline);
  return from_seconds(result.collectives.front().time_s);
}

/// The slowest link on the way, as payload: what headers and frames leave of it.
Bandwidth payload_rate(const Topology& topology, const Routing& routing, const Profile& profile, int from, int to) {
  std::optional<Bandwidth> least;
  for (const LinkId id : routing.route(topology.endpoint(from), topology.endpoint(to))) {
    const Link& link = topology.links[id];
    const Framing& framing = profile.tcp.framing;
    const double share = framing.frame_header.count() + framing.packet_header.count() > 0
                             ? static_cast<double>((link.mtu - framing.packet_header).count()) /
                                   static_cast<double>((link.mtu + framing.frame_header).count())
                             : 1;
    const Bandwidth rate = scale(link.bandwidth, share);
    if (!least || rate < *least) least = rate;
  }
  return *least;
}

/// The one collective of a plan of all_reduce_of.
const Operation& collective_in(const Plan& plan) {
  const Operation* found = nullptr;
  for (const Item& item : std::get<Repeat>(plan.roles.front().streams.front().items.front()).body)
    if (const auto* operation = std::get_if<Operation>(&item))
      if (std::holds_alternative<Collective>(operation->action)) found = operation;
  LOCKSTEP_CHECK(found != nullptr, "a plan of an all-reduce without one");
  return *found;
}

/// The shortest way from the memory of a CPU to a rank's GPU, within their node; empty where a rank has no GPU, or that
/// no CPU.
std::vector<LinkId> way_to_gpu(const Topology& topology, int rank) {
  const DeviceId gpu = topology.endpoint(rank);
  if (topology.devices[gpu].kind != DeviceKind::gpu) return {};
  // Backwards from the GPU: links 2k and 2k+1 are the two directions of one cable.
  std::map<DeviceId, std::vector<LinkId>> ways{{gpu, {}}};
  std::deque<DeviceId> next{gpu};
  for (; !next.empty(); next.pop_front()) {
    const DeviceId at = next.front();
    if (topology.devices[at].kind == DeviceKind::cpu) return ways.at(at);
    for (const LinkId link : topology.links_from(at)) {
      const DeviceId other = topology.links[link].to;
      if (!topology.inside_a_node(topology.links[link]) || ways.contains(other)) continue;
      std::vector<LinkId> way{link ^ 1U};
      way.insert(way.end(), ways.at(at).begin(), ways.at(at).end());
      ways.emplace(other, std::move(way));
      next.push_back(other);
    }
  }
  return {};
}

void place_devices(const Topology& topology, const Routing& routing, int ranks, const LoaderSpec& spec,
                   const Workload& workload, sim::LoaderPrediction& prediction) {
  if (!spec.copies_to_device()) return;
  std::vector<std::int64_t> received(topology.links.size(), 0);
  if (spec.consumer.all_reduce && ranks > 1) {
    const auto planned = plan_workload(all_reduce_of(workload), ranks, shape_of(topology, ranks));
    for (const PairBytes& pair : traffic_of(planned.plan, std::get<Collective>(collective_in(planned.plan).action)))
      for (const LinkId link : routing.route(topology.endpoint(pair.from), topology.endpoint(pair.to)))
        received[link] += pair.bytes;
  }
  std::vector<std::vector<LinkId>> ways;
  std::vector<std::int64_t> sharers(topology.links.size(), 0);
  for (int rank = 0; rank < ranks; ++rank) {
    ways.push_back(way_to_gpu(topology, rank));
    for (const LinkId link : ways.back()) ++sharers[link];
  }
  auto& worst = prediction.device_link;
  for (const auto& way : ways) {
    if (way.empty()) continue;
    if (!worst) worst = sim::LoaderPrediction::DeviceLink{.bandwidth = topology.links[way.front()].bandwidth};
    worst->latency = std::max(worst->latency, route_latency(topology, way));
    for (const LinkId link : way) {
      const Bandwidth part = scale(topology.links[link].bandwidth, 1.0 / static_cast<double>(sharers[link]));
      worst->bandwidth = std::min(worst->bandwidth, part);
      worst->all_reduce_received = std::max(worst->all_reduce_received, Bytes{received[link] / sharers[link]});
    }
  }
}

void place_storage(const Topology& topology, const Routing& routing, const Profile& profile, int ranks,
                   LoaderSpec& spec, sim::LoaderPrediction& prediction) {
  const int storage = topology.rank_capacity() - 1;
  if (spec.storage.kind != "object_store" || ranks > storage) return;
  const auto lower = [](std::optional<Bandwidth>& limit, Bandwidth rate) {
    if (!limit || rate < *limit) limit = rate;
  };
  const Bandwidth rate = payload_rate(topology, routing, profile, storage, 0);
  lower(spec.storage.client_bandwidth, rate);
  lower(spec.storage.bandwidth, rate);
  if (spec.consumer.all_reduce && ranks > 1)
    prediction.all_reduce_received = Bytes{2 * spec.consumer.all_reduce->count() * (ranks - 1) / ranks};
}

}  // namespace

sim::LoaderPrediction loader_prediction(const Topology& topology, const Workload& workload, const Profile& profile,
                                        int ranks, const std::string& fidelity, std::uint64_t seed, LoaderSpec& spec) {
  const Routing routing(topology, {seed});
  sim::LoaderPrediction prediction;
  prediction.seed = seed;
  prediction.machine.ranks = ranks;
  prediction.machine.ranks_per_host = shape_of(topology, ranks).ranks_per_node;
  prediction.machine.cores = profile.cores;
  prediction.machine.costs = profile.loader ? &*profile.loader : nullptr;
  prediction.all_reduce = all_reduce_time(topology, routing, workload, profile, ranks, fidelity, seed);
  place_storage(topology, routing, profile, ranks, spec, prediction);
  place_devices(topology, routing, ranks, spec, workload, prediction);
  return prediction;
}

Result predict_loader(const Topology& topology, const Workload& workload, const Profile& profile, int ranks,
                      const std::string& fidelity, std::uint64_t seed, LoaderOutcome& outcome) {
  LoaderSpec spec = *workload.loader;
  const auto prediction = loader_prediction(topology, workload, profile, ranks, fidelity, seed, spec);
  outcome = sim::simulate_loader(spec, prediction);
  Result result;
  result.kind = Result::Kind::simulation;
  result.topology = source_of(topology);
  result.workload = source_of(workload);
  result.profile = source_of(profile);
  result.fidelity = fidelity;
  result.seed = seed;
  if (workload.loader->storage.kind == "measured" && !profile.loader)
    result.notes.emplace_back("storage 'measured' without a profile of this machine's loader: reads take no time");
  add_to_result(outcome, result);
  return result;
}

void refuse_faults_for_loader(const Topology* topology, const Workload& workload) {
  config::Diagnostics findings;
  for (const auto* faults : {topology != nullptr ? &topology->faults : nullptr, &workload.faults}) {
    if (faults == nullptr) continue;
    for (const Fault& fault : *faults)
      findings.error(fault.position, "faults of links and ranks have no effect on a data loader: remove them");
  }
  findings.throw_if_errors();
}

int simulate_loader_workload(const Topology& topology, const Workload& workload, const Profile& profile, int ranks,
                             const std::string& fidelity, const OutputOptions& output) {
  LoaderOutcome outcome;
  Result result = predict_loader(topology, workload, profile, ranks, fidelity, output.seed, outcome);
  for (const auto& text : result.notes) note(output, text);
  result.run = run_info(elapsed_s());
  if (!output.json_to_stdout()) fmt::print("{}", loader_table(outcome));
  if (!output.json.empty()) write_output(output.json, to_json(result).dump(2) + "\n");
  return 0;
}

#ifdef LOCKSTEP_REAL
namespace {

/// The lab: one rank per host, the last host being the storage node where the storage is an object store.
LoaderOutcome measure_in_lab(const LoaderMeasureRequest& request, const real::Dataset& files, Result& result) {
  const LoaderSpec& loader = *request.workload->loader;
  const Topology& topology = *request.topology;
  const int places = topology.rank_capacity() - (loader.storage.kind == "object_store" ? 1 : 0);
  const Routing routing(topology, {request.seed});
  real::LoaderLabRequest lab;
  lab.topology = &topology;
  lab.routing = &routing;
  lab.spec = &loader;
  lab.dataset = &files;
  lab.ranks = request.ranks.value_or(request.workload->ranks.value_or(places));
  // Only the collective itself: a step neither fills nor checks buffers, and nobody starts together but by it.
  std::optional<Plan> plan;
  if (loader.consumer.all_reduce && lab.ranks > 1) {
    plan = plan_workload(all_reduce_of(*request.workload), lab.ranks, shape_of(topology, lab.ranks)).plan;
    plan->roles.front().streams.front().items = {Operation(collective_in(*plan))};
    lab.all_reduce = &*plan;
  }
  const auto run = real::run_loader_in_lab(lab);
  result.as_built = run.as_built;
  result.topology = source_of(topology);
  return run.outcome;
}

}  // namespace

void refuse_for_loader(const Backend& backend, const RunLimits& limits) {
  if (backend.name != "tcp" && backend.name != "lab")
    throw InputError(
        fmt::format("backend '{}' runs no data loader: tcp reads this machine's files with one rank, lab "
                    "has several",
                    backend.name));
  if (const auto by = transport_of(backend, limits.transport); by != "tcp")
    throw InputError(fmt::format("--transport {}: the hosts of a data loader use sockets (tcp)", by));
  if (limits.pin) throw InputError("--pin: the processes of a data loader stay on no core");
  const RunLimits usual;
  if (limits.timeout != usual.timeout || limits.rendezvous_timeout != usual.rendezvous_timeout)
    throw InputError("--timeout and --rendezvous-timeout: how long a reader may be silent is the workload's 'policy'");
  if (const auto job = launched_ranks(); job && *job > 1)
    throw InputError(fmt::format("a data loader is no job of {} ranks: start it once, without a launcher", *job));
}

Result measure_loader(const LoaderMeasureRequest& request, LoaderOutcome& outcome) {
  const LoaderSpec& loader = *request.workload->loader;
  const std::string folder = request.dataset.empty() ? loader.dataset.path : request.dataset;
  if (folder.empty())
    throw InputError(
        fmt::format("{}: where are the files? Name the folder with --dataset or 'dataset: {{path: ...}}'; "
                    "'lockstep dataset make' fills one",
                    loader.position.text()));
  if (request.topology == nullptr && request.ranks.value_or(1) != 1)
    throw InputError(fmt::format("--ranks {}: real data loaders have several ranks in the lab (--backend lab -t FILE)",
                                 *request.ranks));
  if (request.topology == nullptr && loader.consumer.all_reduce)
    throw InputError(
        fmt::format("{}: an 'all_reduce' needs several ranks: real ones in the lab (--backend lab -t FILE)",
                    loader.position.text()));
  const auto files = real::load_dataset(loader.dataset, folder);
  Result result;
  result.kind = Result::Kind::measurement;
  result.workload = source_of(*request.workload);
  result.backend = request.topology != nullptr ? "lab" : "tcp";
  result.seed = request.seed;
  outcome = request.topology != nullptr ? measure_in_lab(request, files, result) : real::run_loader(loader, files);
  add_to_result(outcome, result);
  result.loader["dataset"] = {{"manifest_sha256", files.sha256}, {"bytes", files.bytes()}};
  return result;
}

int run_loader_workload(const LoaderMeasureRequest& request, const OutputOptions& output) {
  LoaderOutcome outcome;
  Result result = measure_loader(request, outcome);
  result.run = run_info(elapsed_s());
  if (!output.json_to_stdout()) fmt::print("{}", loader_table(outcome));
  if (!output.json.empty()) write_output(output.json, to_json(result).dump(2) + "\n");
  if (outcome.wrong == 0) return 0;
  fmt::print(stderr, "error: {} samples came twice, or not at all\n", outcome.wrong);
  return static_cast<int>(ExitCode::fell_short);
}

Calibration calibrate_loader_profile(const std::string& folder, const std::string& name, const OutputOptions& output) {
  const auto measured = real::calibrate_loader(folder, [&](const std::string& what) { detail(output, what); });
  Calibration calibration;
  Profile& profile = calibration.profile;
  profile.name = name.empty() ? "loader" : name;
  profile.cores = measured.cores;
  profile.loader = measured.costs;
  profile.measured = run_info(elapsed_s());
  calibration.text = measured.text;
  return calibration;
}
#endif

}  // namespace lockstep::cli
