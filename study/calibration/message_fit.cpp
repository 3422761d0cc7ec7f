#include "study/calibration/message_fit.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "core/base/error.hpp"
#include "core/base/statistics.hpp"

namespace lockstep {
namespace {

// 95% efficiency on normal residuals (Huber 1964).
constexpr double huber_k = 1.345;
// Scatter below this is not resolved: it keeps the criterion finite on data without noise.
constexpr double least_scale = 1e-3;
constexpr std::size_t least_points = 3;

struct Point {
  double size = 0;
  double time = 0;  // median
  double network = 0;
  std::optional<Bytes> end;  // a power of two from here on, below the next size; none: no interval may end here
};

struct Line {
  double a = 0;
  double b = 0;
  bool b_is_free = true;  // not held at 0
  bool a_is_free = true;
  double cost = 0;  // sum of Huber's loss, in units of relative residuals squared
};

double residual(const Point& p, double a, double b) { return (p.network + a + b * p.size - p.time) / p.time; }

double huber_weight(double r, double scale) {
  const double limit = huber_k * scale;
  return std::abs(r) <= limit ? 1.0 : limit / std::abs(r);
}

double huber_loss(double r, double scale) {
  const double limit = huber_k * scale;
  return std::abs(r) <= limit ? r * r : limit * (2 * std::abs(r) - limit);
}

/// Weighted sums of the linear problem a * x + b * z = y with x = 1/t, z = s/t, y = (t - network)/t.
struct Sums {
  double xx = 0, xz = 0, zz = 0, xy = 0, zy = 0;
};

Sums sums_of(std::span<const Point> points, const std::vector<double>& weights) {
  Sums s;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double x = 1 / points[i].time;
    const double z = points[i].size / points[i].time;
    const double y = (points[i].time - points[i].network) / points[i].time;
    s.xx += weights[i] * x * x;
    s.xz += weights[i] * x * z;
    s.zz += weights[i] * z * z;
    s.xy += weights[i] * x * y;
    s.zy += weights[i] * z * y;
  }
  return s;
}

/// The best line with a >= 0, b >= 0 and a + b * at >= floor: the convex problem's optimum is the free one, or lies on
/// an edge.
Line solve(const Sums& s, double at, double floor) {
  const auto value = [&](double a, double b) {
    return a * a * s.xx + 2 * a * b * s.xz + b * b * s.zz - 2 * a * s.xy - 2 * b * s.zy;
  };
  const auto feasible = [&](double a, double b) { return a >= 0 && b >= 0 && a + b * at >= floor * (1 - 1e-12); };
  const double determinant = s.xx * s.zz - s.xz * s.xz;
  if (determinant > 1e-12 * s.xx * s.zz) {
    const double a = (s.xy * s.zz - s.zy * s.xz) / determinant;
    const double b = (s.zy * s.xx - s.xy * s.xz) / determinant;
    if (feasible(a, b)) return {.a = a, .b = b};
  }
  Line best;
  double least = std::numeric_limits<double>::infinity();
  const auto consider = [&](double a, double b, bool a_free, bool b_free) {
    if (!feasible(a, b) || value(a, b) >= least) return;
    least = value(a, b);
    best = {.a = a, .b = b, .b_is_free = b_free, .a_is_free = a_free};
  };
  const double flat = std::max({s.xx > 0 ? s.xy / s.xx : 0.0, 0.0, floor});
  consider(flat, 0, true, false);
  const double through_zero = std::max({s.zz > 0 ? s.zy / s.zz : 0.0, 0.0, at > 0 ? floor / at : 0.0});
  consider(0, through_zero, false, true);
  if (floor > 0 && at > 0) {
    // On the edge a = floor - b * at, with b between 0 and floor / at.
    const double curvature = at * at * s.xx - 2 * at * s.xz + s.zz;
    if (curvature > 0) {
      const double b = std::clamp((floor * at * s.xx - floor * s.xz - at * s.xy + s.zy) / curvature, 0.0, floor / at);
      consider(std::max(0.0, floor - b * at), b, false, true);
    }
  }
  return best;
}

/// Iteratively reweighted least squares for Huber's loss.
/// `most_cost` bounds what one point adds to `cost` (not its weight in the fit).
Line fit_line(std::span<const Point> points, double scale, double most_cost, double at = 0, double floor = 0) {
  std::vector<double> weights(points.size(), 1.0);
  Line line;
  for (int iteration = 0; iteration < 60; ++iteration) {
    const Line next = solve(sums_of(points, weights), at, floor);
    const bool settled = iteration > 0 && std::abs(next.a - line.a) <= 1e-10 * std::abs(next.a) + 1e-18 &&
                         std::abs(next.b - line.b) <= 1e-10 * std::abs(next.b) + 1e-24;
    line = next;
    if (settled) break;
    for (std::size_t i = 0; i < points.size(); ++i)
      weights[i] = huber_weight(residual(points[i], line.a, line.b), scale);
  }
  line.cost = 0;
  for (const auto& point : points) line.cost += std::min(huber_loss(residual(point, line.a, line.b), scale), most_cost);
  return line;
}

struct Segmentation {
  std::vector<std::size_t> ends;  // one past the last point of each interval
  std::vector<Line> lines;
  double cost = 0;
};

/// For every number of intervals, the division with the least cost (dynamic programming over interval ends).
std::vector<Segmentation> segmentations(std::span<const Point> points, double scale, double most_cost,
                                        int max_intervals) {
  const std::size_t n = points.size();
  constexpr double never = std::numeric_limits<double>::infinity();
  std::vector<std::vector<double>> cost(n + 1, std::vector<double>(n + 1, never));
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = i + least_points; j <= n; ++j)
      if ((i == 0 || points[i - 1].end) && (j == n || points[j - 1].end))
        cost[i][j] = fit_line(points.subspan(i, j - i), scale, most_cost).cost;

  std::vector<Segmentation> all;
  const auto limit = static_cast<std::size_t>(std::max(1, max_intervals));
  std::vector<std::vector<double>> best(limit + 1, std::vector<double>(n + 1, never));
  std::vector<std::vector<std::size_t>> from(limit + 1, std::vector<std::size_t>(n + 1, 0));
  best[0][0] = 0;
  for (std::size_t k = 1; k <= limit; ++k) {
    for (std::size_t j = 1; j <= n; ++j) {
      for (std::size_t i = 0; i < j; ++i) {
        if (best[k - 1][i] == never || cost[i][j] == never || best[k - 1][i] + cost[i][j] >= best[k][j]) continue;
        best[k][j] = best[k - 1][i] + cost[i][j];
        from[k][j] = i;
      }
    }
    if (best[k][n] == never) break;
    Segmentation segmentation;
    for (std::size_t j = n, level = k; level > 0; --level) {
      segmentation.ends.insert(segmentation.ends.begin(), j);
      j = from[level][j];
    }
    std::size_t begin = 0;
    double floor = 0;
    double at = 0;
    for (const std::size_t end : segmentation.ends) {
      segmentation.lines.push_back(fit_line(points.subspan(begin, end - begin), scale, most_cost, at, floor));
      const Line& line = segmentation.lines.back();
      segmentation.cost += line.cost;
      if (end < n) {
        at = static_cast<double>(points[end - 1].end->count());
        floor = line.a + line.b * at;
      }
      begin = end;
    }
    all.push_back(std::move(segmentation));
  }
  return all;
}

std::vector<double> residuals_of(std::span<const Point> points, const Segmentation& segmentation) {
  std::vector<double> residuals;
  std::size_t interval = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (i == segmentation.ends[interval]) ++interval;
    residuals.push_back(residual(points[i], segmentation.lines[interval].a, segmentation.lines[interval].b));
  }
  return residuals;
}

double scale_of(const std::vector<double>& residuals, std::size_t parameters) {
  std::vector<double> magnitudes;
  for (const double r : residuals) magnitudes.push_back(std::abs(r));
  // Fitted residuals are too small by the degrees of freedom that the parameters took.
  const double n = static_cast<double>(residuals.size());
  const double correction = std::sqrt(n / std::max(1.0, n - static_cast<double>(parameters)));
  return std::max(least_scale, 1.4826 * median(magnitudes) * correction);
}

struct Chosen {
  Segmentation segmentation;
  double scale = 0;
};

Chosen choose(std::span<const Point> points, int max_intervals) {
  // The scatter comes from the finest division first, fitted with a loss that is nearly absolute (as robust as it
  // gets), then from the division chosen with it. With the scatter given, sizes that were disturbed cost every division
  // the same, and do not hide what the others say.
  const auto finest = segmentations(points, least_scale, std::numeric_limits<double>::infinity(), max_intervals);
  double scale = scale_of(residuals_of(points, finest.back()), 2 * finest.back().ends.size());
  Segmentation best;
  const double log_count = std::log(static_cast<double>(points.size()));
  for (int pass = 0; pass < 3; ++pass) {
    double lowest = std::numeric_limits<double>::infinity();
    // Beyond three times the scatter a point is an outlier, however far: one alone must not buy an interval of its own
    // (that costs 4 log n, 13 for 27 sizes, and three points that agree can pay it).
    for (auto& candidate : segmentations(points, scale, 9 * scale * scale, max_intervals)) {
      // Two parameters an interval, and the place of its end. An end is searched for among all sizes, and a search
      // finds more by chance than an ordinary parameter: it counts twice.
      const double intervals = static_cast<double>(candidate.ends.size());
      const double criterion = candidate.cost / (scale * scale) + (2 * intervals + 2 * (intervals - 1)) * log_count;
      if (criterion < lowest) {
        lowest = criterion;
        best = std::move(candidate);
      }
    }
    scale = scale_of(residuals_of(points, best), 2 * best.ends.size());
  }
  return {std::move(best), scale};
}

std::vector<Point> points_of(std::span<const MessageMeasurement> measurements) {
  std::vector<Point> points;
  for (const auto& measurement : measurements) {
    const std::int64_t size = measurement.size.count();
    if (size < 0) throw InputError(fmt::format("calibration: a message size of {} bytes", size));
    if (measurement.samples_s.empty())
      throw InputError(fmt::format("calibration: no samples for messages of {} bytes", size));
    for (const double sample : measurement.samples_s)
      if (!std::isfinite(sample) || sample <= 0)
        throw InputError(fmt::format("calibration: a sample of {} s for messages of {} bytes; expected a time over 0",
                                     sample, size));
    if (!std::isfinite(measurement.network_s) || measurement.network_s < 0)
      throw InputError(
          fmt::format("calibration: a network time of {} s for messages of {} bytes", measurement.network_s, size));
    points.push_back({.size = static_cast<double>(size),
                      .time = median(measurement.samples_s),
                      .network = measurement.network_s,
                      .end = {}});
  }
  std::sort(points.begin(), points.end(), [](const Point& x, const Point& y) {
    return std::tuple(x.size, x.time, x.network) < std::tuple(y.size, y.time, y.network);
  });
  for (std::size_t i = 0; i + 1 < points.size(); ++i) {
    const auto here = static_cast<std::uint64_t>(points[i].size);
    const std::uint64_t power = std::bit_ceil(std::max<std::uint64_t>(here, 1));
    if (static_cast<double>(power) < points[i + 1].size) points[i].end = Bytes{static_cast<std::int64_t>(power)};
  }
  return points;
}

std::size_t distinct_sizes(std::span<const Point> points) {
  std::size_t distinct = 0;
  for (std::size_t i = 0; i < points.size(); ++i) distinct += i == 0 || points[i].size != points[i - 1].size ? 1 : 0;
  return distinct;
}

Estimate estimate(double value, double half_width) {
  return {value, std::max(0.0, value - half_width), value + half_width};
}

}  // namespace

double student_975(int degrees) {
  const double v = std::max(1, degrees);
  if (degrees <= 2) return degrees <= 1 ? 12.706 : 4.303;
  const double z = 1.959963984540054;
  const double z3 = z * z * z;
  const double z5 = z3 * z * z;
  const double z7 = z5 * z * z;
  return z + (z3 + z) / (4 * v) + (5 * z5 + 16 * z3 + 3 * z) / (96 * v * v) +
         (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * v * v * v);
}

double MessageFit::software_s(Bytes size) const {
  LOCKSTEP_CHECK(!intervals.empty(), "a fit without intervals");
  for (const auto& interval : intervals)
    if (!interval.up_to || size <= *interval.up_to)
      return interval.intercept_s.value + interval.slope_s_per_byte.value * static_cast<double>(size.count());
  return intervals.back().intercept_s.value +
         intervals.back().slope_s_per_byte.value * static_cast<double>(size.count());
}

namespace {

MessageFit fit_points(const std::vector<Point>& points, int max_intervals) {
  const auto [segmentation, scale] = choose(points, max_intervals);
  const std::vector<double> residuals = residuals_of(points, segmentation);

  MessageFit fit;
  fit.scale = scale;
  // Huber's covariance: scatter of the bounded residuals over the squared share that is not bounded.
  double bounded_squares = 0;
  double unbounded = 0;
  for (const double r : residuals) {
    const double bounded = r * huber_weight(r, scale);
    bounded_squares += bounded * bounded;
    unbounded += std::abs(r) <= huber_k * scale ? 1 : 0;
  }
  const double n = static_cast<double>(points.size());
  const int degrees = static_cast<int>(points.size()) - 2 * static_cast<int>(segmentation.ends.size());
  const double share = std::max(unbounded / n, 0.1);
  const double variance = bounded_squares / std::max(1, degrees) / (share * share);
  const double width = student_975(degrees) * std::sqrt(variance);

  std::size_t begin = 0;
  for (std::size_t k = 0; k < segmentation.ends.size(); ++k) {
    const std::size_t end = segmentation.ends[k];
    const std::span<const Point> own(points.data() + begin, end - begin);
    const Line& line = segmentation.lines[k];
    const Sums s = sums_of(own, std::vector<double>(own.size(), 1.0));
    const double determinant = s.xx * s.zz - s.xz * s.xz;
    double a_error = 0;
    double b_error = 0;
    if (determinant > 1e-12 * s.xx * s.zz) {
      a_error = std::sqrt(s.zz / determinant);
      b_error = std::sqrt(s.xx / determinant);
    } else {
      a_error = s.xx > 0 ? std::sqrt(1 / s.xx) : 0;
      b_error = s.zz > 0 ? std::sqrt(1 / s.zz) : 0;
    }
    fit.intervals.push_back({.up_to = end < points.size() ? points[end - 1].end : std::nullopt,
                             .intercept_s = estimate(line.a, width * a_error),
                             .slope_s_per_byte = estimate(line.b, width * b_error)});
    begin = end;
  }
  std::vector<double> errors;
  for (std::size_t i = 0; i < points.size(); ++i) {
    fit.residuals.push_back({.size = Bytes{static_cast<std::int64_t>(points[i].size)},
                             .measured_s = points[i].time,
                             .fitted_s = points[i].time * (1 + residuals[i]),
                             .relative = residuals[i]});
    errors.push_back(std::abs(residuals[i]));
  }
  fit.median_error = median(errors);
  fit.max_error = percentile(errors, 1);
  return fit;
}

}  // namespace

MessageFit fit_messages(std::span<const MessageMeasurement> measurements, const MessageFitOptions& options) {
  const std::vector<Point> points = points_of(measurements);
  if (distinct_sizes(points) < least_points)
    throw InputError(
        fmt::format("calibration: {} message sizes; a fit needs at least {}", distinct_sizes(points), least_points));
  MessageFit fit = fit_points(points, options.max_intervals);

  if (distinct_sizes(points) >= 8) {
    std::vector<MessageMeasurement> kept;
    std::vector<Point> held_out;
    std::size_t index = 0;
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (i > 0 && points[i].size != points[i - 1].size) ++index;
      // Outside the range of the sizes fitted nothing is promised, so the ends are kept.
      const bool last = points[i].size == points.back().size;
      if (index % 2 == 0 || last) {
        kept.push_back({.size = Bytes{static_cast<std::int64_t>(points[i].size)},
                        .samples_s = {points[i].time},
                        .network_s = points[i].network});
      } else {
        held_out.push_back(points[i]);
      }
    }
    const MessageFit half = fit_points(points_of(kept), options.max_intervals);
    std::vector<double> errors;
    for (const auto& point : held_out) {
      const double predicted = point.network + half.software_s(Bytes{static_cast<std::int64_t>(point.size)});
      errors.push_back(std::abs(predicted - point.time) / point.time);
    }
    fit.held_out_median_error = median(errors);
    fit.held_out_max_error = percentile(errors, 1);
  }
  return fit;
}

Json to_json(const MessageFit& fit) {
  const auto estimate_json = [](const Estimate& e) {
    return Json{{"value", e.value}, {"low", e.low}, {"high", e.high}};
  };
  Json intervals = Json::array();
  for (const auto& interval : fit.intervals)
    intervals.push_back(Json{{"up_to_bytes", interval.up_to ? Json(interval.up_to->count()) : Json(nullptr)},
                             {"intercept_s", estimate_json(interval.intercept_s)},
                             {"slope_s_per_byte", estimate_json(interval.slope_s_per_byte)}});
  Json residuals = Json::array();
  for (const auto& r : fit.residuals)
    residuals.push_back(Json{
        {"size_bytes", r.size.count()}, {"measured_s", r.measured_s}, {"fitted_s", r.fitted_s}, {"error", r.relative}});
  const auto or_null = [](const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); };
  return Json{{"intervals", std::move(intervals)},
              {"confidence", 0.95},
              {"scale", fit.scale},
              {"median_error", fit.median_error},
              {"max_error", fit.max_error},
              {"held_out_median_error", or_null(fit.held_out_median_error)},
              {"held_out_max_error", or_null(fit.held_out_max_error)},
              {"residuals", std::move(residuals)}};
}

}  // namespace lockstep
