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

template <class Amount, class Rate>
struct RateInterval {
  std::optional<Amount> up_to;  ///< none: all larger ones
  Duration overhead{0};
  std::optional<Rate> rate;  ///< none: free
};
/// Bytes at a bandwidth: reductions, and kernels that memory limits. `up_to` is of the working set.
using TrafficInterval = RateInterval<Bytes, Bandwidth>;
/// Work at a rate: products.
using WorkInterval = RateInterval<Flops, FlopRate>;

/// `amount` of a whole of `size` (bytes of a working set; for work both are the same); intervals before its own are
/// taken with the same share of the whole. No intervals: nothing.
Duration interval_time(const std::vector<TrafficInterval>& intervals, Bytes size, Bytes amount);
Duration interval_time(const std::vector<WorkInterval>& intervals, Flops size, Flops amount);

/// One bandwidth for all sizes.
inline std::vector<TrafficInterval> at_bandwidth(Bandwidth bandwidth) {
  return {{std::nullopt, Duration{0}, bandwidth}};
}

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

/// What a file says: intervals, or keys beside them that replace that figure in each.
template <class Amount, class Rate>
struct RateKeys {
  struct Interval {
    config::Position position;
    std::optional<Amount> up_to;
    std::optional<Duration> overhead;
    std::optional<Rate> rate;
  };
  std::optional<std::vector<Interval>> intervals;
  std::optional<Duration> overhead;
  std::optional<Rate> rate;
};
using TrafficKeys = RateKeys<Bytes, Bandwidth>;
using WorkKeys = RateKeys<Flops, FlopRate>;

/// Names and meanings of the keys, as users read them.
template <class Amount, class Rate>
struct RateWords {
  const char* rate;              ///< the key
  config::Type<Rate> rate_type;  ///< of its value
  const char* per_second;        ///< what it counts
  const char* interval;          ///< what an interval holds for
  config::Type<Amount> up_to_type;
  const char* up_to;   ///< what `up_to` is the most of
  const char* amount;  ///< what intervals are of
  std::string (*text)(Amount);
};
/// `bandwidth:`, by `size`: "largest working set".
RateWords<Bytes, Bandwidth> traffic_words(const char* size);
/// `rate:`, by operations.
RateWords<Flops, FlopRate> work_words();

/// The declarations of these keys in a record whose struct is derived from RateKeys; `rate_meaning` is of the key that
/// replaces the rate in every interval.
template <class Keys, class Amount, class Rate>
void declare_rates(config::Record<Keys>& record, const RateWords<Amount, Rate>& words, const char* rate_meaning);

template <class Amount, class Rate>
std::vector<RateInterval<Amount, Rate>> intervals_of(const RateKeys<Amount, Rate>& keys);
/// "    - {up_to: 32KiB, overhead: 1us, bandwidth: 3GB/s}", a line each; empty for none.
std::string intervals_yaml(const std::vector<TrafficInterval>& intervals, const std::string& indent);
std::string intervals_yaml(const std::vector<WorkInterval>& intervals, const std::string& indent);

template <class Keys, class Amount, class Rate>
void declare_rates(config::Record<Keys>& record, const RateWords<Amount, Rate>& words, const char* rate_meaning) {
  using Base = RateKeys<Amount, Rate>;
  using Interval = typename Base::Interval;
  const auto interval =
      config::record<Interval>("interval", words.interval)
          .optional("up_to", &Interval::up_to, words.up_to_type,
                    fmt::format("the {} of this interval; absent in the last one", words.up_to))
          .optional("overhead", &Interval::overhead, config::duration(), "time besides, whatever the size")
          .optional(words.rate, &Interval::rate, words.rate_type, fmt::format("{}; absent: free", words.per_second))
          .keep_position(&Interval::position)
          .type();
  record.optional(words.rate, static_cast<std::optional<Rate> Keys::*>(&Base::rate), words.rate_type, rate_meaning)
      .optional("overhead", static_cast<std::optional<Duration> Keys::*>(&Base::overhead), config::duration(),
                "time besides, whatever the size")
      .optional("intervals", static_cast<std::optional<std::vector<Interval>> Keys::*>(&Base::intervals),
                config::list(interval, 1),
                fmt::format("intervals of {}, ascending in up_to; the keys beside them replace that figure in each",
                            words.amount))
      .rule([text = words.text](const Keys& keys, const config::Node&, config::Diagnostics& diagnostics) {
        if (keys.intervals) check_intervals(*keys.intervals, text, "ones", diagnostics);
      });
}

template <class Amount, class Rate>
std::vector<RateInterval<Amount, Rate>> intervals_of(const RateKeys<Amount, Rate>& keys) {
  std::vector<RateInterval<Amount, Rate>> intervals;
  if (keys.intervals)
    for (const auto& one : *keys.intervals)
      intervals.push_back({one.up_to, one.overhead.value_or(Duration{0}), one.rate});
  else if (keys.overhead || keys.rate)
    intervals.emplace_back();
  for (auto& interval : intervals) {
    if (keys.overhead) interval.overhead = *keys.overhead;
    if (keys.rate) interval.rate = keys.rate;
  }
  return intervals;
}

}  // namespace lockstep
