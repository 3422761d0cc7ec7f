#include "core/profile/intervals.hpp"

#include "core/base/error.hpp"
#include "core/config/work_type.hpp"
#include "core/units/parse.hpp"

namespace lockstep {
namespace {

// amount * part / whole, rounded down.
std::int64_t share(std::int64_t amount, std::int64_t part, std::int64_t whole) {
  const auto product = static_cast<unsigned __int128>(amount) * static_cast<unsigned __int128>(part);
  return static_cast<std::int64_t>(product / static_cast<unsigned __int128>(whole));
}

Duration time_at(Bytes bytes, Bandwidth bandwidth) { return transfer_time(bytes, bandwidth); }
Duration time_at(Flops work, FlopRate rate) { return work_time(work, rate); }

template <class Amount, class Rate>
Duration time_in(const RateInterval<Amount, Rate>& interval, Amount amount) {
  return interval.overhead + (interval.rate ? time_at(amount, *interval.rate) : Duration{0});
}

template <class Amount, class Rate>
Duration time_of(const std::vector<RateInterval<Amount, Rate>>& intervals, Amount size, Amount amount) {
  if (intervals.empty()) return Duration{0};
  LOCKSTEP_CHECK(size.count() > 0 || amount.count() == 0, "an amount of {} in a whole of {}", amount.count(),
                 size.count());
  const auto& own = interval_of(intervals, size);
  Duration time = time_in(own, amount);
  for (const auto* before = intervals.data(); before != &own; ++before) {
    // An end that the whole has passed: less than `amount`.
    const Amount part{share(before->up_to->count(), amount.count(), size.count())};
    time = std::max(time, time_in(*before, part));
  }
  return time;
}

template <class Amount, class Rate>
std::string yaml_of(const std::vector<RateInterval<Amount, Rate>>& intervals, const std::string& rate,
                    const std::string& indent) {
  std::string text;
  for (const auto& interval : intervals) {
    text += indent + "- {";
    if (interval.up_to) text += fmt::format("up_to: {}, ", to_text(*interval.up_to));
    text += fmt::format("overhead: {}", to_text(interval.overhead));
    if (interval.rate) text += fmt::format(", {}: {}", rate, to_text(*interval.rate));
    text += "}\n";
  }
  return text;
}

}  // namespace

Duration interval_time(const std::vector<TrafficInterval>& intervals, Bytes size, Bytes amount) {
  return time_of(intervals, size, amount);
}

Duration interval_time(const std::vector<WorkInterval>& intervals, Flops size, Flops amount) {
  return time_of(intervals, size, amount);
}

RateWords<Bytes, Bandwidth> traffic_words(const char* size) {
  return {"bandwidth",
          config::bandwidth().positive(),
          "bytes per second",
          "Sizes up to `up_to`, and more than the interval before.",
          config::bytes(),
          size,
          "size",
          format_bytes};
}

RateWords<Flops, FlopRate> work_words() {
  return {"rate",
          config::flop_rate(),
          "operations per second",
          "Products of up to `up_to`, and more than the interval before.",
          config::flops(),
          "most operations",
          "operations",
          to_text};
}

std::string intervals_yaml(const std::vector<TrafficInterval>& intervals, const std::string& indent) {
  return yaml_of(intervals, "bandwidth", indent);
}

std::string intervals_yaml(const std::vector<WorkInterval>& intervals, const std::string& indent) {
  return yaml_of(intervals, "rate", indent);
}

}  // namespace lockstep
