#include "core/profile/intervals.hpp"

#include "core/base/error.hpp"
#include "core/units/parse.hpp"

namespace lockstep {
namespace {

// amount * part / whole, rounded down.
std::int64_t share(std::int64_t amount, std::int64_t part, std::int64_t whole) {
  const auto product = static_cast<unsigned __int128>(amount) * static_cast<unsigned __int128>(part);
  return static_cast<std::int64_t>(product / static_cast<unsigned __int128>(whole));
}

Duration time_in(const TrafficInterval& interval, Bytes bytes) {
  return interval.overhead + (interval.bandwidth ? transfer_time(bytes, *interval.bandwidth) : Duration{0});
}

Duration time_in(const WorkInterval& interval, Flops work) {
  return interval.overhead + (interval.rate ? work_time(work, *interval.rate) : Duration{0});
}

}  // namespace

Duration traffic_time(const std::vector<TrafficInterval>& intervals, Bytes size, Bytes bytes) {
  if (intervals.empty()) return Duration{0};
  LOCKSTEP_CHECK(size.count() > 0 || bytes.count() == 0, "{} bytes of a working set of {}", bytes.count(),
                 size.count());
  const TrafficInterval& own = interval_of(intervals, size);
  Duration time = time_in(own, bytes);
  for (const TrafficInterval* before = intervals.data(); before != &own; ++before) {
    // An end that the working set has passed: less than `bytes`.
    const std::int64_t part = share(before->up_to->count(), bytes.count(), size.count());
    time = std::max(time, time_in(*before, Bytes{part}));
  }
  return time;
}

Duration work_time(const std::vector<WorkInterval>& intervals, Flops work) {
  if (intervals.empty()) return Duration{0};
  const WorkInterval& own = interval_of(intervals, work);
  Duration time = time_in(own, work);
  for (const WorkInterval* before = intervals.data(); before != &own; ++before)
    time = std::max(time, time_in(*before, *before->up_to));
  return time;
}

config::Type<TrafficKeys::Interval> traffic_interval_type(const char* size) {
  using Interval = TrafficKeys::Interval;
  return config::record<Interval>("interval", "Sizes up to `up_to`, and more than the interval before.")
      .optional("up_to", &Interval::up_to, config::bytes(),
                fmt::format("the largest {} of this interval; absent in the last one", size))
      .optional("overhead", &Interval::overhead, config::duration(), "time besides, whatever the size")
      .optional("bandwidth", &Interval::bandwidth, config::bandwidth().positive(), "bytes per second; absent: free")
      .keep_position(&Interval::position)
      .type();
}

std::vector<TrafficInterval> intervals_of(const TrafficKeys& keys) {
  std::vector<TrafficInterval> intervals;
  if (keys.intervals)
    for (const auto& one : *keys.intervals)
      intervals.push_back({one.up_to, one.overhead.value_or(Duration{0}), one.bandwidth});
  else if (keys.overhead || keys.bandwidth)
    intervals.emplace_back();
  for (auto& interval : intervals) {
    if (keys.overhead) interval.overhead = *keys.overhead;
    if (keys.bandwidth) interval.bandwidth = keys.bandwidth;
  }
  return intervals;
}

std::string intervals_yaml(const std::vector<TrafficInterval>& intervals, const std::string& indent) {
  std::string text;
  for (const auto& interval : intervals) {
    text += indent + "- {";
    if (interval.up_to) text += fmt::format("up_to: {}, ", to_text(*interval.up_to));
    text += fmt::format("overhead: {}", to_text(interval.overhead));
    if (interval.bandwidth) text += fmt::format(", bandwidth: {}", to_text(*interval.bandwidth));
    text += "}\n";
  }
  return text;
}

}  // namespace lockstep
