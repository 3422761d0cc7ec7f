#include "real/measure/measurement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/base/error.hpp"
#include "core/collective/walk.hpp"
#include "core/workload/rows.hpp"
#include "real/lab/cpu_load.hpp"
#include "real/launch/local.hpp"
#include "real/launch/pinning.hpp"
#include "real/virtual_ranks/virtual_ranks.hpp"

namespace lockstep::real {
namespace {

// Longer than a sleeping core takes to come back.
constexpr std::chrono::microseconds awake_before_start{500};

// What every rank tells rank 0. Times are picoseconds since the common epoch.
Json report_of(const Timeline& timeline, const TransportExecutor& executor, const Control::ClockOffset& clock,
               const Transport& transport, bool speaks_for_process) {
  Json report = Json::object();
  report["operations"] = Json::array();
  for (const auto& r : timeline.operations)
    report["operations"].push_back(
        {r.role, r.stream, r.operation, r.ordinal, r.iteration, r.warmup ? 1 : 0, r.start.count(), r.end.count()});
  report["wrong"] = Json::array();
  for (const auto& [operation, count] : executor.wrong()) report["wrong"].push_back({operation, count});
  report["sections"] = Json::array();
  for (const auto& [operation, section] : executor.sections())
    report["sections"].push_back(
        {operation, speaks_for_process ? section.cpu_s : 0.0, section.elapsed_s, section.lateness_s});
  report["clock"] = {clock.offset.count(), clock.uncertainty.count()};
  const Transport::Statistics statistics = transport.statistics();
  report["transport"] = {statistics.messages_sent, statistics.bytes_sent, statistics.header_bytes_sent,
                         statistics.unexpected_bytes, transport.chosen()};
  return report;
}

std::vector<int> all_but(int own, int count) {
  std::vector<int> others;
  for (int other = 0; other < count; ++other)
    if (other != own) others.push_back(other);
  return others;
}

}  // namespace

int processes_of(const Plan& plan, const MeasurementOptions& options) {
  const int processes = options.processes.value_or(plan.ranks);
  if (processes < 1 || processes > plan.ranks)
    throw InputError(
        fmt::format("{} processes for {} ranks: from one process for all to one for each", processes, plan.ranks));
  return processes;
}

std::string measure_rank(const JobEnvironment& environment, const Plan& plan, const MeasurementOptions& options) {
  const int cores = options.cores > 0 ? options.cores : usable_cores();  // before the rank gives up all but one
  const auto control = connect_control(environment, plan_hash(plan), options.rendezvous_timeout);
  control->set_timeout(options.executor.timeout);
  const auto transports = control->all_gather(options.transport);
  for (std::size_t other = 0; other < transports.size(); ++other)
    if (transports[other] != transports.front())
      throw RunFailure(
          fmt::format("rank {} sends by {}, rank 0 by {}: were both started with the same --backend and "
                      "--transport?",
                      other, transports[other], transports.front()));
  const Placement placement{plan.ranks, processes_of(plan, options)};
  const bool several = placement.processes < placement.ranks;
  if (control->size() != placement.processes)
    throw InputError(fmt::format("the job has {} processes, the plan is for {} ranks in {}", control->size(),
                                 placement.ranks, placement.processes));
  const RanksHere here = find_ranks_here(*control);
  if (options.pin) pin_rank(here.place);
  // Ranks that have a core each are awake when they start together and while a message is on its way, as ranks that
  // train are, and as libraries of messages are.
  const bool own_cores = !several && !options.machine_is_network && here.own_cores;
  ExecutorOptions how = options.executor;
  if (own_cores) how.waking = {awake_before_start, [place = here.place] { visit_core(place); }};
  TcpOptions tcp = options.tcp;
  tcp.looks = own_cores;
  const auto transport =
      make_transport(find_transport(options.transport), *control,
                     several ? all_but(environment.rank, control->size()) : peers_of(plan, environment.rank), tcp);
  if (several && transport->device() != nullptr)
    throw InputError("--processes: ranks with a GPU are processes of their own");
  const Control::ClockOffset clock = control->estimate_clock_offset();

  // One epoch for all: rank 0's, on each rank's own clock. An offset within its uncertainty is none (one host has one
  // clock).
  const auto now = WallClock::now().time_since_epoch();
  const auto epochs =
      control->all_gather(std::to_string(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()));
  const auto offset = std::chrono::abs(clock.offset) > clock.uncertainty ? clock.offset : std::chrono::nanoseconds{0};
  std::int64_t epoch = 0;
  std::from_chars(epochs.front().data(), epochs.front().data() + epochs.front().size(), epoch);

  // What one rank does, and what it says of it. Of the ranks of a process the first one speaks for its processor time.
  const auto run_rank = [&](Control& own_control, Transport& own_transport) {
    TransportExecutor executor(own_control, own_transport, how);
    executor.set_epoch(WallClock::time_point(std::chrono::nanoseconds(epoch) + offset));
    Timeline timeline;
    std::optional<KeepingRecorder> keeping;
    if (own_control.rank() == 0 && options.kept != nullptr) keeping.emplace(*options.kept, timeline);
    executor.execute(plan, keeping ? static_cast<Recorder&>(*keeping) : timeline);
    const bool speaks = own_control.rank() == placement.first(environment.rank);
    return report_of(timeline, executor, clock, own_transport, speaks).dump();
  };

  const Json own = several ? Json(run_virtual_ranks(*control, *transport, placement, run_rank))
                           : Json::array({run_rank(*control, *transport)});
  const auto reports = control->gather(own.dump());
  control->barrier();
  if (environment.rank != 0) return {};
  Json all{{"ranks", Json::array()},         {"cores", cores},
           {"ranks_here", here.count},       {"pinned", options.pin},
           {"sends_by", options.transport},  {"same_machine", options.same_machine},
           {"load_average", load_average()}, {"processes", placement.processes},
           {"control", Json::array()}};
  for (const auto& with : control->traffic())
    all["control"].push_back({with.frames_sent, with.bytes_sent, with.frames_received, with.bytes_received});
  for (const auto& process : reports)
    for (const Json& report : Json::parse(process)) all["ranks"].push_back(Json::parse(report.get<std::string>()));
  return all.dump();
}

Measurement parse_measurement(const std::string& text) {
  const Json all = Json::parse(text);
  Measurement measurement;
  measurement.cores = all.at("cores").get<int>();
  measurement.ranks_here = all.at("ranks_here").get<int>();
  measurement.processes = all.at("processes").get<int>();
  measurement.same_machine = all.at("same_machine").get<bool>();
  measurement.pinned = all.at("pinned").get<bool>();
  measurement.sends_by = all.at("sends_by").get<std::string>();
  measurement.load_average = all.at("load_average").get<double>();
  for (const Json& with : all.at("control"))
    measurement.control.push_back({with.at(0).get<std::uint64_t>(), with.at(1).get<std::uint64_t>(),
                                   with.at(2).get<std::uint64_t>(), with.at(3).get<std::uint64_t>()});
  measurement.clock = Json::array();
  measurement.transport = Json::array();
  Rank rank = 0;
  for (const Json& report : all.at("ranks")) {
    for (const Json& row : report.at("operations")) {
      OperationRecord record;
      record.rank = rank;
      record.role = row.at(0).get<std::uint32_t>();
      record.stream = row.at(1).get<std::uint32_t>();
      record.operation = row.at(2).get<std::uint32_t>();
      record.ordinal = row.at(3).get<std::int64_t>();
      record.iteration = row.at(4).get<std::int64_t>();
      record.warmup = row.at(5).get<int>() != 0;
      record.start = Duration{row.at(6).get<std::int64_t>()};
      record.end = Duration{row.at(7).get<std::int64_t>()};
      measurement.timeline.operation(record);
    }
    for (const Json& entry : report.at("wrong"))
      measurement.wrong[entry.at(0).get<std::uint32_t>()] += entry.at(1).get<std::int64_t>();
    for (const Json& entry : report.at("sections")) {
      auto& section = measurement.sections[entry.at(0).get<std::uint32_t>()];
      section.cpu_s += entry.at(1).get<double>();
      section.elapsed_s = std::max(section.elapsed_s, entry.at(2).get<double>());
      for (const Json& late : entry.at(3)) section.lateness_s.push_back(late.get<double>());
    }
    const Json& clock = report.at("clock");
    measurement.clock.push_back({{"rank", rank},
                                 {"offset_s", clock.at(0).get<double>() * 1e-9},
                                 {"uncertainty_s", clock.at(1).get<double>() * 1e-9}});
    const Json& sent = report.at("transport");
    measurement.transport.push_back({{"rank", rank},
                                     {"messages_sent", sent.at(0)},
                                     {"payload_bytes", sent.at(1)},
                                     {"header_bytes", sent.at(2)},
                                     {"unexpected_bytes", sent.at(3)}});
    if (const std::string by = sent.at(4).get<std::string>(); !by.empty()) measurement.transport.back()["chosen"] = by;
    ++rank;
  }
  measurement.timeline.sort();
  return measurement;
}

Result result_of(const PlannedWorkload& planned, const Measurement& measurement) {
  Result result;
  result.kind = Result::Kind::measurement;
  result.ranks = planned.plan.ranks;
  result.collectives = collective_rows(planned, measurement.timeline, true);
  for (std::size_t i = 0; i < result.collectives.size(); ++i) {
    CollectiveRow& row = result.collectives[i];
    const auto wrong = measurement.wrong.find(planned.rows[i].verify);
    if (wrong != measurement.wrong.end()) row.wrong = wrong->second;
    const auto section = measurement.sections.find(planned.rows[i].start);
    if (measurement.same_machine && section != measurement.sections.end() && section->second.elapsed_s > 0) {
      row.cpu_load = std::min(1.0, section->second.cpu_s / (section->second.elapsed_s * measurement.cores));
      row.cpu_limited = *row.cpu_load >= cpu_limit;
    }
  }
  result.operations = operation_rows(planned, measurement.timeline, true);
  for (auto& row : result.operations)
    for (const auto& entry : planned.kernels)
      if (row.kernel && row.name == entry.name)
        if (const auto wrong = measurement.wrong.find(entry.prepare); wrong != measurement.wrong.end())
          row.kernel->wrong = wrong->second;
  result.summary = collective_summary(planned, measurement.timeline, result.collectives, result.operations);
  result.as_built = measurement.as_built;
  result.run["sends_by"] = measurement.sends_by;
  result.run["clock"] = measurement.clock;
  result.run["transport"] = measurement.transport;
  result.run["cores"] = measurement.cores;
  result.run["pinned"] = measurement.pinned;
  if (measurement.same_machine) result.run["oversubscribed"] = planned.plan.ranks > measurement.cores;
  result.run["load_average"] = measurement.load_average;
  if (measurement.processes > 0 && measurement.processes < planned.plan.ranks)
    result.run["virtual_ranks"] = {{"processes", measurement.processes}, {"says", std::string(virtual_ranks_say)}};
  if (!measurement.notes.empty()) result.run["notes"] = measurement.notes;
  return result;
}

Result partial_result_of(PlannedWorkload planned, const InterruptedRun& failure) {
  const Measurement& measurement = failure.seen();
  std::erase_if(planned.rows, [&](const PlannedCollective& row) {
    return std::none_of(
        measurement.timeline.operations.begin(), measurement.timeline.operations.end(),
        [&](const OperationRecord& record) { return !record.warmup && record.operation == row.operation; });
  });
  Result result = result_of(planned, measurement);
  result.run["partial"] = failure.what();
  return result;
}

Measurement keep_if_it_fails(MeasurementOptions options,
                             const std::function<Measurement(const MeasurementOptions&)>& measure) {
  const KeptFile kept;
  options.kept = &kept;
  try {
    return measure(options);
  } catch (const RunFailure& failure) {
    Measurement seen;
    seen.timeline.operations = kept.records();
    if (seen.timeline.operations.empty()) throw;
    seen.timeline.sort();
    seen.cores = options.cores > 0 ? options.cores : usable_cores();
    seen.same_machine = false;  // rank 0 alone says nothing of the processors' load
    seen.pinned = options.pin;
    seen.processes = options.processes.value_or(0);
    seen.sends_by = options.transport;
    seen.load_average = load_average();
    throw InterruptedRun(failure.what(), std::move(seen));
  }
}

Measurement measure_on_loopback(const Plan& plan, const MeasurementOptions& options) {
  return keep_if_it_fails(options, [&](const MeasurementOptions& keeping) {
    LocalRanks ranks;
    ranks.count = processes_of(plan, keeping);
    ranks.body = [&](const JobEnvironment& environment) { return measure_rank(environment, plan, keeping); };
    return parse_measurement(run_local_ranks(ranks));
  });
}

std::optional<Measurement> measure_in_job(const JobEnvironment& environment, const Plan& plan,
                                          const MeasurementOptions& options) {
  if (environment.rank != 0) {
    measure_rank(environment, plan, options);
    return std::nullopt;
  }
  return keep_if_it_fails(options, [&](const MeasurementOptions& keeping) {
    return parse_measurement(measure_rank(environment, plan, keeping));
  });
}

}  // namespace lockstep::real
