#include "study/calibration/kernel_fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/error.hpp"
#include "core/base/statistics.hpp"
#include "core/base/text.hpp"
#include "core/units/parse.hpp"

namespace lockstep {
namespace {

constexpr int most_intervals = 4;     // caches of three levels, and memory
constexpr int product_intervals = 2;  // small products, whose ends show, and all others: shapes are no sizes
constexpr double worth_a_rate = 0.9;  // of the residuals: a figure more has to leave clearly less

// What a size costs beside the straight line; the sizes are those of MessageMeasurement.
struct Point {
  std::int64_t size = 0;
  std::int64_t operands = 0;  // bytes that pass at `memory`
  std::vector<double> samples_s;
};

MessageFit fit_beside(const std::vector<Point>& points, double memory_bytes_per_s, int max_intervals) {
  std::vector<MessageMeasurement> measurements;
  for (const Point& point : points) {
    const double operands_s = memory_bytes_per_s > 0 ? static_cast<double>(point.operands) / memory_bytes_per_s : 0;
    measurements.push_back({Bytes{point.size}, point.samples_s, operands_s});
  }
  return fit_messages(measurements, {max_intervals});
}

// Bounded, as the fit's own loss is: a size that was disturbed does not choose the rate.
double loss(const MessageFit& fit) {
  double sum = 0;
  for (const auto& residual : fit.residuals) sum += std::min(std::abs(residual.relative), 0.5);
  return sum;
}

Duration whole_nanoseconds(double s) { return nanoseconds(std::llround(std::max(0.0, s) * 1e9)); }

// The rate of a slope, to four digits: what follows is noise, and a file is to be read.
std::int64_t rate_of(double per_second) {
  constexpr double most = 1e17;  // of a slope of nothing
  if (!(per_second < most)) return static_cast<std::int64_t>(most);
  const double unit = std::pow(10, std::max(0.0, std::floor(std::log10(std::max(per_second, 1.0))) - 3));
  return std::max<std::int64_t>(1, std::llround(per_second / unit) * std::llround(unit));
}

std::vector<TrafficInterval> traffic_intervals(const MessageFit& fit, double bytes_per_size) {
  std::vector<TrafficInterval> intervals;
  for (const auto& interval : fit.intervals)
    intervals.push_back({interval.up_to, whole_nanoseconds(interval.intercept_s.value),
                         Bandwidth::bytes_per_second(rate_of(bytes_per_size / interval.slope_s_per_byte.value))});
  return intervals;
}

std::vector<WorkInterval> work_intervals(const MessageFit& fit) {
  std::vector<WorkInterval> intervals;
  for (const auto& interval : fit.intervals)
    intervals.push_back({interval.up_to ? std::optional(Flops{interval.up_to->count()}) : std::nullopt,
                         whole_nanoseconds(interval.intercept_s.value),
                         FlopRate::per_second(rate_of(1 / interval.slope_s_per_byte.value))});
  return intervals;
}

void fit_product(const std::vector<Point>& points, KernelFit& result) {
  double best_rate = 0;
  result.fit = fit_beside(points, 0, product_intervals);
  double least = worth_a_rate * loss(result.fit);
  for (double rate = 5e8; rate < 3e11; rate *= 1.3) {
    MessageFit fit = fit_beside(points, rate, product_intervals);
    if (loss(fit) >= least) continue;
    least = loss(fit);
    best_rate = rate;
    result.fit = std::move(fit);
  }
  result.cost.work = work_intervals(result.fit);
  if (best_rate > 0) result.cost.memory = Bandwidth::bytes_per_second(rate_of(best_rate));
}

std::string rate_text(const KernelFit& fit, const Estimate& slope) {
  const double scale = fit.by_flops ? 1 : fit.bytes_per_size;
  const auto rate = [&](double s) { return s > 0 ? fmt::format("{:.2f}", scale / s * 1e-9) : std::string("any"); };
  return fmt::format("{} [{} ... {}]", rate(slope.value), rate(slope.high), rate(slope.low));
}

std::string errors_text(const std::vector<double>& errors) {
  return errors.empty() ? "-" : fmt::format("{:.1f}% / {:.1f}%", median(errors) * 100, percentile(errors, 1) * 100);
}

Json errors_json(const std::vector<double>& errors) {
  if (errors.empty()) return nullptr;
  return {{"sizes", errors.size()}, {"median_error", median(errors)}, {"max_error", percentile(errors, 1)}};
}

}  // namespace

KernelFit fit_kernel(std::span<const KernelMeasurement> measurements) {
  LOCKSTEP_CHECK(!measurements.empty(), "a fit of no kernels");
  const Kernel& first = measurements.front().kernel;
  KernelFit result;
  result.name = fmt::format("{} {}", first.name, to_string(first.type));
  result.by_flops = first.kind().by_flops;
  result.cost.kernel = first.name;
  result.cost.type = first.type;
  result.bytes_per_size =
      static_cast<double>(first.traffic().count()) / static_cast<double>(first.working_set().count());
  std::vector<Point> points;
  for (const auto& one : measurements) {
    LOCKSTEP_CHECK(one.kernel.name == first.name && one.kernel.type == first.type, "a fit of {} and {}", to_text(first),
                   to_text(one.kernel));
    if (one.held_out) continue;
    if (result.by_flops)
      points.push_back({one.kernel.flops().count(), one.kernel.traffic().count(), one.samples_s});
    else
      points.push_back({one.kernel.working_set().count(), 0, one.samples_s});
  }
  if (result.by_flops) {
    fit_product(points, result);
  } else {
    result.fit = fit_beside(points, 0, most_intervals);
    result.cost.traffic = traffic_intervals(result.fit, result.bytes_per_size);
  }
  for (const auto& one : measurements)
    result.residuals.push_back(
        {to_text(one.kernel), median(one.samples_s), to_seconds(result.cost.time_of(one.kernel)), one.held_out});
  return result;
}

KernelFit fit_reduction(std::span<const ReductionMeasurement> measurements) {
  KernelFit result;
  result.name = "reduction float32";
  std::vector<Point> points;
  for (const auto& one : measurements)
    if (!one.held_out) points.push_back({one.size.count(), 0, one.samples_s});
  result.fit = fit_beside(points, 0, most_intervals);
  result.reduction = traffic_intervals(result.fit, 1);
  for (const auto& one : measurements)
    result.residuals.push_back({format_bytes(one.size), median(one.samples_s),
                                to_seconds(interval_time(result.reduction, one.size, one.size)), one.held_out});
  return result;
}

KernelErrors errors_of(std::span<const KernelFit> fits) {
  KernelErrors errors;
  for (const auto& fit : fits)
    for (const auto& residual : fit.residuals)
      (residual.held_out ? errors.held_out : errors.fitted).push_back(std::abs(residual.relative()));
  return errors;
}

std::string kernel_table(std::span<const KernelFit> fits) {
  std::vector<std::vector<std::string>> rows{
      {"kernel", "up to", "overhead (us)", "rate [95%]", "", "fitted: median / most", "held out: median / most"}};
  for (const auto& fit : fits) {
    const KernelErrors errors = errors_of({&fit, 1});
    bool first = true;
    for (const auto& interval : fit.fit.intervals) {
      std::string end = "larger";
      if (interval.up_to)
        end = fit.by_flops ? fmt::format("{:.3g} Mflop", static_cast<double>(interval.up_to->count()) * 1e-6)
                           : format_bytes(*interval.up_to);
      rows.push_back({first ? fit.name : "", end, fmt::format("{:.2f}", interval.intercept_s.value * 1e6),
                      rate_text(fit, interval.slope_s_per_byte), fit.by_flops ? "Gflop/s" : "GB/s",
                      first ? errors_text(errors.fitted) : "", first ? errors_text(errors.held_out) : ""});
      first = false;
    }
  }
  std::string text = format_table(rows);
  const KernelErrors errors = errors_of(fits);
  text += fmt::format("# all: fitted sizes are off by {} (median / most), sizes that were held out by {}\n",
                      errors_text(errors.fitted), errors_text(errors.held_out));
  return text;
}

Json to_json(const KernelFit& fit) {
  const KernelErrors errors = errors_of({&fit, 1});
  Json intervals = Json::array();
  for (const auto& interval : fit.fit.intervals) {
    const double scale = fit.by_flops ? 1 : fit.bytes_per_size;
    const auto rate = [&](double s) { return s > 0 ? Json(scale / s) : Json(nullptr); };
    intervals.push_back(
        {{fit.by_flops ? "up_to_flops" : "up_to_bytes", interval.up_to ? Json(interval.up_to->count()) : Json(nullptr)},
         {"overhead_s", {interval.intercept_s.low, interval.intercept_s.value, interval.intercept_s.high}},
         {"per_second",
          {rate(interval.slope_s_per_byte.high), rate(interval.slope_s_per_byte.value),
           rate(interval.slope_s_per_byte.low)}}});
  }
  Json rows = Json::array();
  for (const auto& residual : fit.residuals)
    rows.push_back({residual.name, residual.measured_s, residual.relative(), residual.held_out});
  return {{"intervals", std::move(intervals)},
          {"fitted", errors_json(errors.fitted)},
          {"held_out", errors_json(errors.held_out)},
          {"residuals", std::move(rows)}};
}

}  // namespace lockstep
