#include "cli/calibration.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "cli/inputs.hpp"
#include "cli/output.hpp"
#include "core/base/catalogue.hpp"
#include "core/base/hash.hpp"
#include "core/base/statistics.hpp"
#include "core/base/text.hpp"
#include "core/base/version.hpp"
#include "core/topology/as_built.hpp"
#include "core/workload/ping_pong.hpp"
#include "real/measure/memory_rates.hpp"
#include "sim/executor.hpp"
#include "study/calibration/message_fit.hpp"

namespace lockstep::cli {
namespace {

constexpr Bytes combine_piece{64 * 1024};  // real/executor's ExecutorOptions::combine_piece
constexpr Bytes message_header{16};        // real/transport/tcp.hpp

// IPv4 and TCP with time stamps inside the MTU, Ethernet's 14 bytes outside: what tc-tbf counts (docs/lab.md).
constexpr Bytes packet_header{52};
constexpr Bytes frame_header{14};

// Ranks that exchange messages over the loopback device meet no network that could be modelled: one without limits
// stands for it.
Topology loopback(int ranks) {
  Topology topology;
  topology.name = "loopback";
  for (int r = 0; r < ranks; ++r) {
    const std::string name = fmt::format("h{}", r);
    const DeviceId id = topology.add_device({name, DeviceKind::host, static_cast<NodeId>(r), Duration{0}});
    topology.nodes.push_back({name, {id}, {id}});
  }
  const DeviceId middle = topology.add_device({"lo", DeviceKind::network_switch, no_id, Duration{0}});
  for (int r = 0; r < ranks; ++r) {
    Link link;
    link.from = static_cast<DeviceId>(r);
    link.to = middle;
    link.bandwidth = 10000_Gbps;
    topology.add_duplex(link);
  }
  topology.finish();
  return topology;
}

// Sizes from 1 B up by 4, then by 2 from 1 KiB, as far as the budget goes.
std::vector<PingPongRow> rows_within(const CalibrationRequest& request, const Topology& topology,
                                     const Routing& routing) {
  const auto route = routing.route(topology.endpoint(0), topology.endpoint(1));
  const Bandwidth bandwidth = route_bandwidth(topology, route);
  std::vector<Bytes> sizes;
  for (std::int64_t size = 1; size <= request.largest.count(); size *= size < 1024 ? 4 : 2)
    sizes.push_back(Bytes{size});
  std::vector<PingPongRow> rows;
  double left = request.budget_s;
  for (const Bytes size : sizes) {
    const double one_way =
        60e-6 + 1.1 * to_seconds(transfer_time(size, bandwidth)) + to_seconds(route_latency(topology, route));
    PingPongRow row;
    row.size = size;
    row.repetitions = std::clamp<std::int64_t>(static_cast<std::int64_t>(0.02 / one_way), 3, 40);
    row.rounds = one_way > 0.2 ? 1 : 3;
    const double cost = static_cast<double>((row.rounds + 1) * row.repetitions) * 2 * one_way + 0.01;
    if (cost > left) break;
    left -= cost;
    rows.push_back(row);
  }
  return rows;
}

std::vector<double> predicted_one_way(const PlannedPingPong& planned, const Topology& topology, const Routing& routing,
                                      const Profile& profile) {
  Timeline timeline;
  sim::SimulatedExecutor(topology, routing, profile).execute(planned.plan, timeline);
  std::vector<double> times;
  for (std::size_t row = 0; row < planned.rows.size(); ++row)
    times.push_back(median(one_way_times(planned, row, timeline)));
  return times;
}

Duration rounded(double s) { return nanoseconds(static_cast<std::int64_t>(std::max(0.0, s) * 1e9 + 0.5)); }

// The intervals of a fit as the profile has them: the processors' part of the intercept split evenly between sender and
// receiver, the rest as latency; the slope likewise as the rate of either end.
std::vector<MessageCost> message_costs_of(const MessageFit& fit, double processor_s) {
  std::vector<MessageCost> costs;
  for (const auto& interval : fit.intervals) {
    MessageCost cost;
    cost.up_to = interval.up_to;
    const double busy = std::min(processor_s, interval.intercept_s.value);
    cost.overhead = cost.receive_overhead = rounded(busy / 2);
    cost.latency = rounded(interval.intercept_s.value - busy);
    if (interval.slope_s_per_byte.value > 1e-13)
      cost.send_bandwidth = cost.receive_bandwidth =
          Bandwidth::bytes_per_second(static_cast<std::int64_t>(2 / interval.slope_s_per_byte.value));
    costs.push_back(cost);
  }
  return costs;
}

Bytes smallest_gso(const Json& as_built) {
  std::int64_t least = 0;
  if (as_built.is_object())
    for (const auto& link : as_built.at("links")) {
      const auto size = link.at("gso_max_size_bytes").get<std::int64_t>();
      least = least == 0 ? size : std::min(least, size);
    }
  return Bytes{least};
}

std::string table_of(const MessageFit& fit) {
  std::vector<std::vector<std::string>> rows{{"size", "measured (us)", "fitted (us)", "residual"}};
  for (const auto& residual : fit.residuals)
    rows.push_back({format_bytes(residual.size), fmt::format("{:.2f}", residual.measured_s * 1e6),
                    fmt::format("{:.2f}", residual.fitted_s * 1e6), fmt::format("{:+.1f}%", residual.relative * 100)});
  std::string text = format_table(rows);
  for (const auto& interval : fit.intervals) {
    text += fmt::format("# {}: {:.2f} us [{:.2f} ... {:.2f}] per message + {:.4f} ns [{:.4f} ... {:.4f}] per byte\n",
                        interval.up_to ? "up to " + format_bytes(*interval.up_to) : std::string("larger"),
                        interval.intercept_s.value * 1e6, interval.intercept_s.low * 1e6,
                        interval.intercept_s.high * 1e6, interval.slope_s_per_byte.value * 1e9,
                        interval.slope_s_per_byte.low * 1e9, interval.slope_s_per_byte.high * 1e9);
  }
  text += fmt::format("# residuals: median {:.1f}%, largest {:.1f}%\n", fit.median_error * 100, fit.max_error * 100);
  if (fit.held_out_median_error)
    text += fmt::format(
        "# fitted on every other size, the rest is predicted with a median error of {:.1f}%, at most {:.1f}%\n",
        *fit.held_out_median_error * 100, *fit.held_out_max_error * 100);
  return text;
}

}  // namespace

Calibration calibrate(const CalibrationRequest& request) {
  const Backend& backend = get_from(backend_catalogue(), "backend", request.backend);
  Topology topology = request.topology != nullptr ? *request.topology : loopback(request.ranks);
  const Routing routing(topology, {request.seed});
  const auto rows = rows_within(request, topology, routing);
  const PlannedPingPong planned = plan_ping_pong(request.ranks, rows);

  MeasureRequest measure = request.limits;
  measure.topology = &topology;
  measure.routing = &routing;
  measure.plan = &planned.plan;
  const auto measured = backend.measure(measure);
  if (!measured) throw InputError("calibrate starts its own ranks: run it by itself, not under a launcher");

  const real::MemoryRates memory = real::measure_memory_rates(combine_piece);
  Profile profile;
  profile.name = request.name;
  profile.backend = request.backend;
  profile.cores = measured->cores;
  profile.reduction = {memory.reduction, combine_piece};
  profile.copy_bandwidth = memory.copy;
  profile.tcp.ordered = true;
  profile.tcp.message_header = message_header;
  Topology built = topology;
  if (measured->as_built.is_object()) {
    apply_as_built(built, measured->as_built);
    profile.tcp.framing = {packet_header, frame_header, packet_header + frame_header, Bytes{0}};
  }

  // CPU time per message of sender and receiver together, and how late ranks run after a common start.
  std::vector<double> busy;
  std::vector<double> late;
  for (const auto& row : planned.rows) {
    const auto section = measured->sections.find(row.start);
    if (section == measured->sections.end()) continue;
    if (row.row.size <= 1_KiB)
      busy.push_back(section->second.cpu_s / static_cast<double>(2 * row.row.repetitions * row.row.rounds));
    late.insert(late.end(), section->second.lateness_s.begin(), section->second.lateness_s.end());
  }
  const double processor_s = busy.empty() ? 0 : median(busy);
  if (!late.empty()) profile.start_latency = rounded(median(late));

  // What the network takes of each time depends, through the token buckets, on how long the software lets them fill:
  // two rounds settle it.
  std::vector<MessageMeasurement> messages;
  for (std::size_t row = 0; row < planned.rows.size(); ++row)
    messages.push_back({planned.rows[row].row.size, one_way_times(planned, row, measured->timeline), 0});
  MessageFit fit;
  const Routing built_routing(built, {request.seed});
  for (int round = 0; round < 3; ++round) {
    const auto predicted = predicted_one_way(planned, built, built_routing, profile);
    for (std::size_t row = 0; row < messages.size(); ++row) {
      const double software = round == 0 ? 0 : fit.software_s(messages[row].size);
      messages[row].network_s = std::max(0.0, predicted[row] - software);
    }
    fit = fit_messages(messages);
    profile.tcp.messages = message_costs_of(fit, processor_s);
  }
  profile.tcp.framing.acknowledged = smallest_gso(measured->as_built);

  const Json run = run_info(elapsed_s());
  profile.measured = Json{{"host", run.at("host")},
                          {"date", run.at("date")},
                          {"version", run.at("version")},
                          {"ranks", request.ranks},
                          {"load_average", measured->load_average},
                          {"processor_s_per_message", processor_s},
                          {"messages", to_json(fit)}};
  if (request.topology != nullptr)
    profile.measured["topology"] = {{"name", topology.name}, {"sha256", topology.sha256}};
  profile.sha256 = sha256(to_yaml(profile));
  Calibration calibration;
  calibration.text = table_of(fit);
  calibration.text += fmt::format(
      "# CPU per message (sender and receiver) {:.2f} us, start latency {}, reduction {:.2f} GB/s, copy {:.2f} GB/s, "
      "load {:.2f}\n",
      processor_s * 1e6, format_duration(profile.start_latency), memory.reduction.bytes_per_second() * 1e-9,
      memory.copy.bytes_per_second() * 1e-9, measured->load_average);
  calibration.profile = std::move(profile);
  return calibration;
}

Profile cached_or_calibrated(const std::string& backend, const Topology* topology, int ranks, std::uint64_t seed,
                             bool again, const RunLimits& limits, const OutputOptions& output) {
  const Json run = run_info(0);
  std::string links;
  if (topology != nullptr)
    for (const Link& link : topology->links)
      links += fmt::format("{}-{}:{},{},{},{};", link.from, link.to, link.bandwidth.bits_per_second(),
                           link.latency.count(), link.burst ? link.burst->count() : -1, link.mtu.count());
  const std::string key =
      sha256(fmt::format("{}|{}|{}|{}|{}|{}", run.at("host").get<std::string>(), version, backend, ranks, seed, links));
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  const std::filesystem::path folder =
      cache != nullptr && *cache != '\0' ? std::filesystem::path(cache) / "lockstep"
      : home != nullptr && *home != '\0'
          ? std::filesystem::path(home) / ".cache" / "lockstep"
          : std::filesystem::temp_directory_path() / fmt::format("lockstep-{}", ::getuid());
  const std::filesystem::path file = folder / fmt::format("{}-{}.yaml", backend, key.substr(0, 16));
  std::error_code ignored;
  if (!again && std::filesystem::exists(file, ignored)) {
    try {
      Profile profile = load_profile(file.string());
      note(output, fmt::format("profile '{}' of this machine from {} (--recalibrate measures anew)", profile.name,
                               file.string()));
      return profile;
    } catch (const InputError& error) {
      note(output, fmt::format("the cached profile cannot be read and is measured anew: {}", error.what()));
    }
  }
  note(output,
       fmt::format(
           "no profile of this machine for backend '{}' yet: calibrating on point-to-point messages (30 s at most)",
           backend));
  CalibrationRequest request;
  request.backend = backend;
  request.topology = topology;
  request.seed = seed;
  request.ranks = ranks;
  request.largest = 4_MiB;
  request.budget_s = 12;
  request.name = fmt::format("{}-{}", backend, topology != nullptr ? topology->name : "loopback");
  limits.apply(request.limits);
  Profile profile = calibrate(request).profile;
  std::filesystem::create_directories(folder, ignored);
  try {
    write_output(file.string(), to_yaml(profile));
    profile.file = file.string();
  } catch (const InputError& error) {
    note(output, fmt::format("the profile could not be kept: {}", error.what()));
  }
  return profile;
}

}  // namespace lockstep::cli
