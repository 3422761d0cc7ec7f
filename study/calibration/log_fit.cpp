#include "study/calibration/log_fit.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/base/error.hpp"
#include "core/base/statistics.hpp"
#include "core/profile/message_cost.hpp"
#include "study/calibration/message_costs.hpp"

namespace lockstep {
namespace {

using Samples = std::map<std::int64_t, std::vector<double>>;  // by size

// Messages up to here are said to be small: their time is one per message, not per byte.
constexpr std::int64_t small_message = 256;
// From here on size sets the time, and what is reached of the link's rate can be read off.
constexpr std::int64_t large_message = 512 * 1024;
// Faster than the route by more than this is another route.
constexpr double rounding = 0.02;
// Where a stream of messages is slower than the link by this much, something else than the link limits it.
constexpr double slower_than_link = 1.1;

void add(Samples& samples, const CollectiveRow& row) {
  auto& of_size = samples[row.size_bytes];
  if (row.samples_s.empty())
    of_size.push_back(row.time_s);
  else
    of_size.insert(of_size.end(), row.samples_s.begin(), row.samples_s.end());
}

double rate_of(const PathFigures& path) { return path.bandwidth.bytes_per_second(); }

/// Bytes per second that the largest messages reach; nothing where none is large.
std::optional<double> plateau(const Samples& lone, const Samples& stream) {
  double best = 0;
  for (const auto& [size, times] : stream)
    if (size >= large_message) best = std::max(best, static_cast<double>(size) / median(times));
  if (best > 0) return best;
  // The slope between a large lone message and one at least twice its size: their latency cancels.
  for (auto small = lone.lower_bound(large_message); small != lone.end(); ++small) {
    const auto large = lone.rbegin();
    if (large->first < 2 * small->first) break;
    const double more_s = median(large->second) - median(small->second);
    if (more_s > 0) return static_cast<double>(large->first - small->first) / more_s;
  }
  return std::nullopt;
}

MessageCost stream_cost(const CostInterval& interval) {
  MessageCost cost;
  cost.up_to = interval.up_to;
  cost.overhead = nanoseconds(std::llround(interval.intercept_s.value * 1e9));
  if (interval.slope_s_per_byte.value > 1e-13)
    cost.send_bandwidth = Bandwidth::bytes_per_second(std::llround(1 / interval.slope_s_per_byte.value));
  return cost;
}

std::vector<MessageMeasurement> measurements_of(const Samples& samples, double network_s, double per_byte_s) {
  std::vector<MessageMeasurement> measurements;
  for (const auto& [size, times] : samples) {
    MessageMeasurement measurement{.size = Bytes{size}, .samples_s = times, .network_s = 0};
    measurement.network_s = std::min(network_s + per_byte_s * static_cast<double>(size), median(times));
    measurements.push_back(std::move(measurement));
  }
  return measurements;
}

}  // namespace

LogFit fit_log(const Result& measured, const PathFigures& path, const std::string& file) {
  LogFit result;
  Samples lone;
  Samples stream;
  bool reads = false;
  for (const auto& row : measured.collectives) {
    if (row.kind != CollectiveKind::send_recv || row.ranks != 2 || row.size_bytes <= 0 || row.time_s <= 0) continue;
    if (row.protocol == "read") {
      reads = true;
      continue;
    }
    add(row.throughput.value_or(false) ? stream : lone, row);
  }
  if (reads) result.notes.emplace_back("rows of ib_read_* were left out: a read is a request and its answer");
  if (lone.size() < 3 && stream.size() < 3)
    throw InputError(fmt::format(
        "{}: needs messages of at least three sizes between two ranks (perftest -a, osu_latency, a send_recv of two "
        "ranks); has {} sizes of lone messages and {} of streams",
        file, lone.size(), stream.size()));

  const double rate = rate_of(path);
  if (const auto reached = plateau(lone, stream)) {
    if (*reached > rate * (1 + rounding))
      throw InputError(
          fmt::format("{}: messages reach {:.2f} GB/s, and the route between {} carries {:.2f} GB/s; is "
                      "this the topology that was measured?",
                      file, *reached * 1e-9, path.name, rate * 1e-9));
    result.efficiency = std::min(1.0, *reached / rate);
  } else {
    result.notes.emplace_back("no message of 512KiB or more: links are taken to carry payload alone");
  }
  const double latency_s = to_seconds(path.latency);
  if (!lone.empty() && median(lone.begin()->second) < latency_s * (1 - rounding))
    throw InputError(
        fmt::format("{}: a message takes {:.2f} us, and the route between {} alone {:.2f} us; is this the "
                    "topology that was measured?",
                    file, median(lone.begin()->second) * 1e6, path.name, latency_s * 1e6));
  TransportProfile& transport = result.transport;
  transport.framing.frame_header =
      Bytes{std::llround(static_cast<double>(path.mtu.count()) * (1 / result.efficiency - 1))};
  const double per_byte_s = 1 / (rate * MessageCosts(transport).payload_share(path.mtu));

  std::vector<double> gaps;
  for (const auto& [size, times] : stream)
    if (size <= small_message) gaps.push_back(median(times));
  if (!gaps.empty()) result.gap_s = median(gaps);

  if (lone.size() >= 3) {
    result.fit = fit_messages(measurements_of(lone, latency_s, per_byte_s));
    transport.messages = message_costs(result.fit, 0);
    if (result.gap_s) {
      const Duration gap = nanoseconds(std::llround(*result.gap_s * 1e9));
      for (auto& cost : transport.messages) {
        const Duration processor = std::min(gap, cost.overhead);
        cost.latency = 2 * (cost.overhead - processor);
        cost.overhead = cost.receive_overhead = processor;
      }
    } else {
      result.notes.emplace_back(
          "no rate of small messages in the log (ib_write_bw, osu_bw): what software adds is taken for processor time, "
          "half at either end");
    }
    const Bytes largest{lone.rbegin()->first};
    transport.messages = message_costs_beyond(std::move(transport.messages), largest, largest);
  } else {
    // A stream says what limits its rate; where that is the link, it says nothing of the software.
    Samples limited;
    for (const auto& [size, times] : stream)
      if (median(times) > slower_than_link * per_byte_s * static_cast<double>(size)) limited[size] = times;
    if (limited.size() < 3)
      throw InputError(
          fmt::format("{}: the link limits the messages of all but {} sizes: nothing is left to fit; "
                      "expected three sizes at least (perftest -a)",
                      file, limited.size()));
    result.fit = fit_messages(measurements_of(limited, 0, 0));
    for (const auto& interval : result.fit.intervals) transport.messages.push_back(stream_cost(interval));
    const Bytes largest{limited.rbegin()->first};
    transport.messages = message_costs_beyond(std::move(transport.messages), largest, largest);
    for (const auto& [size, times] : limited) stream.erase(size);
    result.notes.emplace_back(
        "no lone messages in the log (ib_write_lat, osu_latency): the latency is the topology's alone");
  }

  const MessageCosts costs(transport);
  for (const auto& [size, times] : stream) {
    const double processor_s =
        1e-12 * static_cast<double>(std::max(costs.send_time(size, 0), costs.receive_time(size)));
    SizeResidual residual{.size = Bytes{size}, .measured_s = median(times)};
    residual.fitted_s = std::max(processor_s, per_byte_s * static_cast<double>(size));
    residual.relative = residual.fitted_s / residual.measured_s - 1;
    result.not_fitted.push_back(residual);
  }
  return result;
}

}  // namespace lockstep
