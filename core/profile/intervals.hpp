// Costs that are piecewise in an amount (of bytes, of work): intervals, ascending in the largest amount of each; the
// last has no end.
//
//   time(s) = the largest of  overhead_k + amount(s) / rate_k           for s in interval k
//                       and   what s = up_to_j takes in each interval j before it
//
// so that more never takes less time, whatever was fitted or written.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "core/config/type.hpp"
#include "core/units/duration.hpp"
#include "core/units/quantity.hpp"
#include "core/units/work.hpp"

namespace lockstep {

/// Bytes at a bandwidth: reductions, and kernels that memory limits.
struct TrafficInterval {
  std::optional<Bytes> up_to;  ///< of the working set; none: all larger ones
  Duration overhead{0};
  std::optional<Bandwidth> bandwidth;  ///< none: free
};
/// Work at a rate: products.
struct WorkInterval {
  std::optional<Flops> up_to;
  Duration overhead{0};
  std::optional<FlopRate> rate;  ///< none: free
};

/// `bytes` of a working set of `size`; intervals before its own are taken with the same share of bytes in the working
/// set. No intervals: nothing.
Duration traffic_time(const std::vector<TrafficInterval>& intervals, Bytes size, Bytes bytes);
Duration work_time(const std::vector<WorkInterval>& intervals, Flops work);

/// The interval of `size`: the first whose `up_to` is at least that.
template <class Interval, class Amount>
const Interval& interval_of(const std::vector<Interval>& intervals, Amount size) {
  return *std::find_if(intervals.begin(), intervals.end() - 1,
                       [&](const Interval& interval) { return interval.up_to && size <= *interval.up_to; });
}

/// Reports intervals whose ends do not ascend, or are missing, or stand in the last. `Interval` has `up_to` and
/// `position`; `text` makes a text of an end.
template <class Interval, class Text>
void check_intervals(const std::vector<Interval>& intervals, const Text& text, const char* all_larger,
                     config::Diagnostics& diagnostics) {
  for (std::size_t i = 0; i < intervals.size(); ++i) {
    const bool last = i + 1 == intervals.size();
    if (last && intervals[i].up_to) {
      diagnostics.error(intervals[i].position,
                        fmt::format("the last interval has no 'up_to': it holds for all larger {}", all_larger));
    } else if (!last && !intervals[i].up_to) {
      diagnostics.error(intervals[i].position, "only the last interval may go without 'up_to'");
    } else if (!last && i > 0 && intervals[i - 1].up_to && *intervals[i].up_to <= *intervals[i - 1].up_to) {
      diagnostics.error(intervals[i].position, fmt::format("'up_to' must ascend: {} after {}",
                                                           text(*intervals[i].up_to), text(*intervals[i - 1].up_to)));
    }
  }
}

/// What a file says of traffic: intervals, or keys beside them that replace that figure in each.
struct TrafficKeys {
  struct Interval {
    config::Position position;
    std::optional<Bytes> up_to;
    std::optional<Duration> overhead;
    std::optional<Bandwidth> bandwidth;
  };
  std::optional<std::vector<Interval>> intervals;
  std::optional<Duration> overhead;
  std::optional<Bandwidth> bandwidth;
};
/// The declarations of its keys in a record whose struct is derived from TrafficKeys; `size` says what `up_to` is of.
template <class Keys>
void declare_traffic(config::Record<Keys>& record, const char* size, const char* bandwidth_meaning);
config::Type<TrafficKeys::Interval> traffic_interval_type(const char* size);
std::vector<TrafficInterval> intervals_of(const TrafficKeys& keys);
/// "    - {up_to: 32KiB, overhead: 1us, bandwidth: 3GB/s}", a line each; empty for none.
std::string intervals_yaml(const std::vector<TrafficInterval>& intervals, const std::string& indent);

template <class Keys>
void declare_traffic(config::Record<Keys>& record, const char* size, const char* bandwidth_meaning) {
  record
      .optional("bandwidth", static_cast<std::optional<Bandwidth> Keys::*>(&TrafficKeys::bandwidth),
                config::bandwidth().positive(), bandwidth_meaning)
      .optional("overhead", static_cast<std::optional<Duration> Keys::*>(&TrafficKeys::overhead), config::duration(),
                "time besides, whatever the size")
      .optional("intervals",
                static_cast<std::optional<std::vector<TrafficKeys::Interval>> Keys::*>(&TrafficKeys::intervals),
                config::list(traffic_interval_type(size), 1),
                "intervals of size, ascending in up_to; the keys beside them replace that figure in each")
      .rule([](const Keys& keys, const config::Node&, config::Diagnostics& diagnostics) {
        if (keys.intervals) check_intervals(*keys.intervals, format_bytes, "ones", diagnostics);
      });
}

}  // namespace lockstep
