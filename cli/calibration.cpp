#include "cli/calibration.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "cli/inputs.hpp"
#include "cli/output.hpp"
#include "core/base/catalogue.hpp"
#include "core/base/error.hpp"
#include "core/base/hash.hpp"
#include "core/base/number.hpp"
#include "core/base/statistics.hpp"
#include "core/base/text.hpp"
#include "core/base/version.hpp"
#include "core/topology/as_built.hpp"
#include "core/workload/ping_pong.hpp"
#include "real/executor/executor.hpp"
#include "real/measure/memory_rates.hpp"
#include "real/transport/catalogue.hpp"
#include "sim/executor.hpp"
#include "study/calibration/fit_table.hpp"
#include "study/calibration/message_costs.hpp"

namespace lockstep::cli {
namespace {

constexpr Bytes combine_piece{real::default_combine_piece};
constexpr int fit_rounds = 8;
constexpr std::int64_t few_messages = 6;
// From this size on messages are of data just written and sent once, as a collective's are: copies of what no cache
// holds, or of what it has to write back first, take twice as long. Behind a network nobody notices.
constexpr Bytes least_fresh = 4_KiB;
constexpr Bytes largest_footprint = 48_MiB;
constexpr std::int64_t many_messages = 24;
// A machine wakes up fast or slowly for seconds on end (idle states, neighbours): rounds are spread over so many
// passes.
constexpr std::int64_t passes = 4;
constexpr Bytes message_header{16};  // real/transport/tcp.hpp

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

// A profile says what the software costs. What a file does to the network on purpose (latencies, loss, shallow queues,
// the hosts' TCP) is left out while that is measured: it is the model's to predict.
Topology undisturbed(Topology topology) {
  topology.tcp = {};
  for (Link& link : topology.links) {
    link.queue.reset();
    link.latency = Duration{0};
    link.loss = 0;
  }
  for (Device& device : topology.devices) device.latency = Duration{0};
  return topology;
}

std::int64_t switches_between(const Topology& topology, const Routing& routing, Rank a, Rank b) {
  return route_switches(topology, routing.route(topology.endpoint(a), topology.endpoint(b)));
}

// Sizes from 4 B up by 4, then by 2 from 1 KiB, as far as the budget goes.
std::vector<PingPongRow> rows_within(const CalibrationRequest& request, const Topology& topology,
                                     const Routing& routing) {
  const auto route = routing.route(topology.endpoint(0), topology.endpoint(1));
  const Bandwidth bandwidth = route_bandwidth(topology, route);
  std::vector<Bytes> sizes;
  for (std::int64_t size = 4; size <= request.largest.count(); size *= size < 1024 ? 4 : 2)
    sizes.push_back(Bytes{size});
  std::vector<PingPongRow> rows;
  double left = request.budget_s;
  for (const Bytes size : sizes) {
    const double one_way =
        60e-6 + 1.1 * to_seconds(transfer_time(size, bandwidth)) + to_seconds(route_latency(topology, route));
    PingPongRow row;
    row.size = size;
    // Few messages per round, many rounds: a collective, too, begins on cold caches and with full token buckets.
    row.repetitions = one_way > 0.005 ? 3 : few_messages;
    row.rounds = std::clamp<std::int64_t>(static_cast<std::int64_t>(0.1 / passes / one_way), 1, 5);
    const double cost =
        static_cast<double>(passes * (row.rounds + 1)) * (static_cast<double>(row.repetitions) * one_way + 0.005);
    if (cost > left) break;
    left -= cost;
    row.pairs = request.ranks / 2;
    row.exchange = true;
    row.fresh = request.topology == nullptr && size >= least_fresh;
    // As many data as those of a collective of such messages: more would lie farther away.
    if (row.fresh) row.repetitions = std::clamp<std::int64_t>(request.ranks, 2, row.repetitions);
    if (row.footprint() > largest_footprint) row.repetitions = 2;
    rows.push_back(row);
  }
  rows.push_back({64_B, request.ranks / 2, true, many_messages, 3});
  // A lone ping-pong beside it: what a message takes on idle cores.
  for (const Bytes size : {1_B, 1_KiB, 8_KiB}) rows.push_back({size, 1, false, 6, 5});
  if (request.topology == nullptr)
    for (const Bytes size : {256_KiB, 512_KiB, 1_MiB, 2_MiB})
      if (size <= request.largest) rows.push_back({size, request.ranks / 2, false, 12, 3, false, true, true});
  // Pairs with more switches between them: what a switch costs where this machine is the network.
  if (request.ranks % 2 == 0 &&
      switches_between(topology, routing, 0, request.ranks / 2) > switches_between(topology, routing, 0, 1))
    for (const Bytes size : {64_B, 1_KiB, 4_KiB})
      rows.push_back({size, request.ranks / 2, true, few_messages, 5, true});
  return rows;
}

// All rounds of a row, over the passes. The plan has the rows once per pass.
std::vector<RoundTimes> all_rounds(const PlannedPingPong& planned, std::size_t row, const Timeline& timeline) {
  std::vector<RoundTimes> all;
  for (std::size_t i = row; i < planned.rows.size(); i += planned.rows.size() / passes) {
    const auto some = round_times(planned, i, timeline);
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

std::vector<double> message_samples(const PlannedPingPong& planned, std::size_t row, const Timeline& timeline) {
  std::vector<double> samples;
  for (const RoundTimes& round : all_rounds(planned, row, timeline)) samples.push_back(round.message_s);
  return samples;
}

RoundTimes typical(const PlannedPingPong& planned, std::size_t row, const Timeline& timeline) {
  std::vector<double> first;
  for (const RoundTimes& round : all_rounds(planned, row, timeline)) first.push_back(round.first_s);
  return {median(first), median(message_samples(planned, row, timeline))};
}

std::vector<RoundTimes> predicted_times(const PlannedPingPong& planned, const Topology& topology,
                                        const Routing& routing, const Profile& profile) {
  Timeline timeline;
  sim::SimulatedExecutor(topology, routing, profile).execute(planned.plan, timeline);
  std::vector<RoundTimes> times;
  for (std::size_t row = 0; row < planned.rows.size() / passes; ++row) times.push_back(typical(planned, row, timeline));
  return times;
}

Duration rounded(double s) { return nanoseconds(static_cast<std::int64_t>(std::max(0.0, s) * 1e9 + 0.5)); }

// The messages of a round fit into the token buckets of every link that they cross.
bool passes_at_once(const PingPongRow& row, const Topology& built) {
  for (const Link& link : built.links)
    if (link.burst && row.repetitions * (row.size + message_header).count() * 106 / 100 > link.burst->count())
      return false;
  return true;
}

// What the messages of a measurement say before anything is fitted.
struct Observed {
  std::vector<RoundTimes> times;    // by row
  std::vector<std::size_t> fitted;  // rows whose times are the software's
  std::vector<std::size_t> far;     // the same between ranks that are far apart
  double processor_s = 0;           // CPU time of a message, sender and receiver together
  double latency_s = 0;             // of a message, on nobody's processor
  double receive_share = 0.5;       // of the time that a large message costs sender and receiver together
  double start_overhead_s = 0;      // CPU time of a rank after a common start, beyond its messages
  Json idle = Json::array();        // lone pairs, for the record
};

Observed observe(const std::vector<PingPongRow>& rows, const PlannedPingPong& planned,
                 const real::Measurement& measured, const Topology& built) {
  Observed observed;
  std::vector<double> few;
  std::vector<double> many;
  std::vector<double> alone;
  std::vector<double> shares;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const PingPongRow& row = rows[i];
    observed.times.push_back(typical(planned, i, measured.timeline));
    const double message_s = observed.times.back().message_s;
    double cpu = 0;
    for (std::size_t k = i; k < planned.rows.size(); k += rows.size()) {
      const auto section = measured.sections.find(planned.rows[k].start);
      LOCKSTEP_CHECK(section != measured.sections.end(), "row {} was not measured", k);
      cpu += section->second.cpu_s / static_cast<double>(row.rounds * row.pairs * 2 * passes);
    }
    if (row.one_way) {
      for (std::size_t k = 0; k < i; ++k)
        if (rows[k].exchange && rows[k].size == row.size) shares.push_back(message_s / observed.times[k].message_s);
    } else if (!row.exchange) {
      observed.idle.push_back({{"size_bytes", row.size.count()}, {"time_s", message_s}});
      if (row.size <= 1_KiB) alone.push_back(message_s);
    } else if (row.far) {
      observed.far.push_back(i);
    } else if (row.repetitions == many_messages) {
      many.push_back(cpu);
    } else {
      if (row.size <= 1_KiB) few.push_back(cpu);
      // Where the token buckets run dry, the network sets the time and says nothing of the software.
      if (passes_at_once(row, built)) observed.fitted.push_back(i);
    }
  }
  observed.processor_s =
      std::max(0.0, (median(many) - median(few)) / static_cast<double>(many_messages - few_messages));
  // A lone message takes its processor time and what is nobody's: interrupts, the scheduler.
  observed.latency_s = std::max(0.0, median(alone) - observed.processor_s);
  // Messages one behind the other keep both ends busy; the slower one sets the pace, and that is who has to fetch what
  // the other has just written.
  if (!shares.empty()) observed.receive_share = std::clamp(median(shares), 0.5, 1.0);
  observed.start_overhead_s = median(few) - observed.processor_s * static_cast<double>(few_messages);
  return observed;
}

// A step towards the processor time per switch with which far pairs take as long as measured. The costs that are fitted
// on near pairs shrink by what their own switches take, so only the further ones count.
void fit_switches(Profile& profile, const Observed& observed, const PlannedPingPong& planned,
                  const std::vector<RoundTimes>& predicted, const Topology& built, const Routing& routing) {
  constexpr double probe_s = 1e-6;
  Profile probe = profile;
  probe.tcp.switch_overhead += rounded(probe_s);
  const auto with_probe = predicted_times(planned, built, routing, probe);
  const auto far = static_cast<double>(switches_between(built, routing, 0, planned.plan.ranks / 2));
  const double further = far - static_cast<double>(switches_between(built, routing, 0, 1));
  std::vector<double> steps;
  for (const std::size_t i : observed.far) {
    const double gain = (with_probe[i].message_s - predicted[i].message_s) / probe_s * further / far;
    if (gain > 0) steps.push_back((observed.times[i].message_s - predicted[i].message_s) / gain);
  }
  if (steps.empty()) return;
  profile.tcp.switch_overhead = rounded(to_seconds(profile.tcp.switch_overhead) + median(steps) / 2);
}

// What limits large messages: the network; the copies of sender and receiver, which go on side by side (a rate); or
// copies of which one begins when the other is done, as a library in shared memory makes them (time of processors).
enum class Bound { network, streams, copies };

// Fits the costs of messages and the start latency of `profile`, whose other figures are known. What queues for the
// cores take of each time depends on the costs themselves: simulator and fit take turns. Returns the fit, and the
// simulator's times with the last of it.
std::pair<MessageFit, std::vector<RoundTimes>> fit_costs(Profile& profile, const Observed& observed,
                                                         const std::vector<PingPongRow>& rows,
                                                         const PlannedPingPong& planned, const Timeline& measured,
                                                         const Topology& built, const Routing& routing, Bound bound) {
  const auto& fitted = observed.fitted;
  std::vector<MessageMeasurement> messages;
  for (const std::size_t i : fitted) messages.push_back({rows[i].size, message_samples(planned, i, measured), 0});
  std::vector<double> network(messages.size(), 0);
  MessageFit fit;
  profile.tcp.copied = bound == Bound::copies;
  auto predicted = predicted_times(planned, built, routing, profile);
  for (int round = 0; round < fit_rounds; ++round) {
    for (std::size_t k = 0; k < messages.size(); ++k) {
      const double software = round == 0 ? 0 : fit.software_s(messages[k].size);
      const double others = std::max(0.0, predicted[fitted[k]].message_s - software);
      network[k] = round < 2 ? others : (network[k] + others) / 2;  // damped: queues answer to the costs
      messages[k].network_s = std::min(network[k], observed.times[fitted[k]].message_s);
    }
    fit = fit_messages(messages);
    profile.tcp.messages = message_costs(fit, observed.latency_s, observed.receive_share);
    if (bound == Bound::network)
      profile.tcp.messages = message_costs_beyond(std::move(profile.tcp.messages), messages.back().size, combine_piece);
    predicted = predicted_times(planned, built, routing, profile);
    if (!observed.far.empty()) {
      fit_switches(profile, observed, planned, predicted, built, routing);
      predicted = predicted_times(planned, built, routing, profile);
    }
    // Ranks run this much after a common start: what the first messages take beyond what the model says of them.
    std::vector<double> late;
    for (const std::size_t i : fitted)
      late.push_back(observed.times[i].first_s - predicted[i].first_s + to_seconds(profile.start_latency));
    const double wait_s = median(late);
    profile.start_latency = rounded(wait_s);
    // Less than its processor time: ranks that look for messages before they sleep are at work as the clock sees it.
    if (wait_s < 0) profile.start_overhead = rounded(to_seconds(profile.start_overhead) + wait_s);
  }
  return {std::move(fit), std::move(predicted)};
}

// How well the simulator with the fitted profile says what it was fitted on, and what it was not.
struct Check {
  std::vector<double> fitted, others;  // relative errors
};

Check check_of(const Observed& observed, const std::vector<PingPongRow>& rows,
               const std::vector<RoundTimes>& predicted) {
  Check check;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double error = std::abs(predicted[i].message_s / observed.times[i].message_s - 1);
    if (std::find(observed.fitted.begin(), observed.fitted.end(), i) != observed.fitted.end() || rows[i].far)
      check.fitted.push_back(error);
    else if (rows[i].repetitions != many_messages)
      check.others.push_back(error);
  }
  return check;
}

Json to_json(const Check& check) {
  const auto errors = [](const std::vector<double>& values) {
    return Json{{"median_error", median(values)}, {"max_error", percentile(values, 1)}};
  };
  return {{"fitted", errors(check.fitted)}, {"others", errors(check.others)}};
}

std::string text_of(const Check& check) {
  const auto errors = [](const std::vector<double>& values) {
    return fmt::format("{:.1f}% (median), {:.1f}% at most", median(values) * 100, percentile(values, 1) * 100);
  };
  return fmt::format(
      "# simulated with this profile: the messages fitted are off by {}; others (lone pairs, sizes that "
      "the network bounds) by {}\n",
      errors(check.fitted), errors(check.others));
}

/// Up to this size a message is sent whether its receiver waits for it or not; none: all are.
std::optional<Bytes> largest_unasked(const std::string& transport, bool in_network, const Json& ranks) {
  // Open MPI's btl_tcp_eager_limit and btl_vader_eager_limit.
  if (transport == "mpi") return in_network ? 64_KiB : 4_KiB;
  if (transport == "ucx_put") return Bytes{0};  // the receiver sends the address first
  if (transport != "ucx" || ranks.empty()) return std::nullopt;
  // What UCX says of its first connection (real/ucx/worker.cpp).
  static constexpr std::string_view words = "rendezvous from ";
  const std::string chosen = ranks.front().value("chosen", "");
  const std::size_t at = chosen.find(words);
  if (at == std::string::npos) return std::nullopt;
  std::string_view number = std::string_view(chosen).substr(at + words.size());
  const auto bytes = whole_number_in<std::int64_t>(number.substr(0, number.find(' ')));
  return bytes ? std::optional(Bytes{std::max<std::int64_t>(*bytes - 1, 0)}) : std::nullopt;
}

}  // namespace

std::optional<Calibration> calibrate(const CalibrationRequest& request) {
  const Backend& backend = get_from(backend_catalogue(), "backend", request.backend);
  const bool in_network = request.topology != nullptr;
  const Topology topology = in_network ? undisturbed(*request.topology) : loopback(request.ranks);
  const Routing routing(topology, {request.seed});
  const auto rows = rows_within(request, topology, routing);
  std::vector<PingPongRow> repeated;
  for (std::int64_t pass = 0; pass < passes; ++pass) repeated.insert(repeated.end(), rows.begin(), rows.end());
  const PlannedPingPong planned = plan_ping_pong(request.ranks, repeated);

  MeasureRequest measure = request.limits;
  measure.topology = &topology;
  measure.routing = &routing;
  measure.plan = &planned.plan;
  const auto measured = backend.measure(measure);
  if (!measured) return std::nullopt;

  // A message of which only the end is told is combined as a whole, when its data are no longer near.
  const bool in_pieces = real::find_transport(measure.transport).reports_progress;
  real::MemoryRates memory = real::measure_memory_rates(in_pieces ? combine_piece : request.largest,
                                                        std::min(measured->ranks_here, measured->cores));
  Profile profile;
  profile.name = request.name;
  profile.backend = request.backend;
  profile.cores = measured->cores;
  profile.reduction = {std::move(memory.reduction), in_pieces ? combine_piece : Bytes{0}};
  profile.copies = std::move(memory.copies);
  profile.tcp.ordered = true;
  profile.tcp.eager_threshold = largest_unasked(measure.transport, in_network, measured->transport);
  profile.tcp.message_header = message_header;
  Topology built = topology;
  if (measured->as_built.is_object()) {
    apply_as_built(built, measured->as_built);
    profile.tcp.framing = {packet_header, frame_header, packet_header + frame_header,
                           built.tcp.largest_packet.value_or(Bytes{0})};
    profile.tcp.send_buffer = built.tcp.send_buffer;
  }
  const Observed observed = observe(rows, planned, *measured, built);
  profile.start_overhead = rounded(observed.start_overhead_s);
  const auto [fit, predicted] =
      fit_costs(profile, observed, rows, planned, measured->timeline, built, Routing(built, {request.seed}),
                in_network  ? Bound::network
                : in_pieces ? Bound::streams
                            : Bound::copies);
  const Check check = check_of(observed, rows, predicted);

  const Json run = run_info(elapsed_s());
  profile.measured = Json{{"host", run.at("host")},
                          {"date", run.at("date")},
                          {"version", run.at("version")},
                          {"ranks", request.ranks},
                          {"load_average", measured->load_average},
                          {"processor_s_per_message", observed.processor_s},
                          {"latency_s", observed.latency_s},
                          {"receive_share", observed.receive_share},
                          {"idle_ping_pong", observed.idle},
                          {"simulated", to_json(check)},
                          {"messages", to_json(fit)}};
  if (in_network) profile.measured["topology"] = {{"name", topology.name}, {"sha256", topology.sha256}};
  profile.sha256 = sha256(to_yaml(profile));
  Calibration calibration;
  calibration.text = fit_table(fit) + text_of(check);
  const auto rates = [](const std::vector<TrafficInterval>& intervals) {
    const auto gigabytes = [](const TrafficInterval& one) { return one.rate->bytes_per_second() * 1e-9; };
    return fmt::format("{:.1f} to {:.1f} GB/s", gigabytes(intervals.front()), gigabytes(intervals.back()));
  };
  calibration.text += fmt::format(
      "# CPU per message (sender and receiver) {:.2f} us, per switch {}, start latency {}, reduction {}, copy {} "
      "(small to large), load {:.2f}\n",
      observed.processor_s * 1e6, format_duration(profile.tcp.switch_overhead), format_duration(profile.start_latency),
      rates(profile.reduction.intervals), rates(profile.copies), measured->load_average);
  calibration.profile = std::move(profile);
  return calibration;
}

Profile cached_or_calibrated(const std::string& backend, const Topology* topology, int ranks, std::uint64_t seed,
                             bool again, const RunLimits& limits, const OutputOptions& output) {
  const auto tell = [&](const std::string& text) {
    if (writes_results()) note(output, text);
  };
  const Json run = run_info(0);
  std::string links;
  if (topology != nullptr)
    for (const Link& link : undisturbed(*topology).links)
      links += fmt::format("{}-{}:{},{},{},{};", link.from, link.to, link.bandwidth.bits_per_second(),
                           link.latency.count(), link.burst ? link.burst->count() : -1, link.mtu.count());
  const std::string key =
      sha256(fmt::format("undisturbed, awake|{}|{}|{}|{}|{}|{}|{}", run.at("host").get<std::string>(), version, backend,
                         limits.transport, ranks, seed, links));
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
      tell(fmt::format("profile '{}' of this machine from {} (--recalibrate measures anew)", profile.name,
                       file.string()));
      return profile;
    } catch (const InputError& error) {
      tell(fmt::format("the cached profile cannot be read and is measured anew: {}", error.what()));
    }
  }
  tell(fmt::format(
      "no profile of this machine for backend '{}' yet: calibrating on point-to-point messages (30 s at most)",
      backend));
  CalibrationRequest request;
  request.backend = backend;
  request.topology = topology;
  request.seed = seed;
  request.ranks = ranks;
  request.largest = topology != nullptr ? 4_MiB : 32_MiB;
  request.budget_s = 12;
  request.name = fmt::format("{}-{}", backend, topology != nullptr ? topology->name : "loopback");
  limits.apply(request.limits, get_from(backend_catalogue(), "backend", backend));
  const auto calibration = calibrate(request);
  if (!calibration) return ideal_profile();
  Profile profile = calibration->profile;
  std::filesystem::create_directories(folder, ignored);
  try {
    write_output(file.string(), to_yaml(profile));
    profile.file = file.string();
  } catch (const InputError& error) {
    tell(fmt::format("the profile could not be kept: {}", error.what()));
  }
  return profile;
}

}  // namespace lockstep::cli
