#include "study/calibration/processor_fit.hpp"

#include <ceres/ceres.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "core/base/error.hpp"
#include "core/base/statistics.hpp"

namespace lockstep {
namespace {

// A simulator's times are whole picoseconds: derivatives need steps well above their rounding.
constexpr double derivative_step = 1e-4;
constexpr double loss_scale = 0.05;
// Without noise the scatter is still not resolved below this.
constexpr double least_scatter = 1e-3;

struct Observation {
  const PairsMeasurement* measurement = nullptr;
  double time = 0;
};

/// Parameters in units of their start values, so that all have the same size for the solver.
struct Units {
  double overhead = 1;
  double per_byte = 1;
  double latency = 1;
};

class Problem {
 public:
  Problem(std::vector<Observation> observations, const ProcessorModel& model, bool with_bytes, Units units)
      : observations_(std::move(observations)), model_(model), with_bytes_(with_bytes), units_(units) {}

  [[nodiscard]] int parameters() const { return with_bytes_ ? 3 : 2; }
  [[nodiscard]] const std::vector<Observation>& observations() const { return observations_; }

  [[nodiscard]] ProcessorCost cost(const double* x) const {
    return {.overhead_s = std::max(0.0, x[0]) * units_.overhead,
            .per_byte_s = with_bytes_ ? std::max(0.0, x[2]) * units_.per_byte : 0,
            .latency_s = std::max(0.0, x[1]) * units_.latency};
  }
  void residuals(const double* x, double* out) const {
    const ProcessorCost c = cost(x);
    for (std::size_t i = 0; i < observations_.size(); ++i)
      out[i] = model_(c, *observations_[i].measurement) / observations_[i].time - 1;
  }

 private:
  std::vector<Observation> observations_;
  const ProcessorModel& model_;
  bool with_bytes_;
  Units units_;
};

/// One observation of the problem, as Ceres wants it.
struct OneResidual {
  const Problem* problem;
  const ProcessorModel* model;
  std::size_t index;
  bool operator()(double const* const* x, double* out) const {
    const auto& observation = problem->observations()[index];
    out[0] = (*model)(problem->cost(x[0]), *observation.measurement) / observation.time - 1;
    return std::isfinite(out[0]);
  }
};

double solve(const Problem& problem, const ProcessorModel& model, double* x) {
  ceres::NumericDiffOptions differences;
  differences.relative_step_size = derivative_step;
  ceres::Problem ceres_problem;
  for (std::size_t i = 0; i < problem.observations().size(); ++i) {
    auto* function = new ceres::DynamicNumericDiffCostFunction<OneResidual, ceres::CENTRAL>(
        new OneResidual{&problem, &model, i}, ceres::TAKE_OWNERSHIP, differences);
    function->AddParameterBlock(problem.parameters());
    function->SetNumResiduals(1);
    ceres_problem.AddResidualBlock(function, new ceres::SoftLOneLoss(loss_scale), x);
  }
  for (int p = 0; p < problem.parameters(); ++p) ceres_problem.SetParameterLowerBound(x, p, 0);
  ceres::Solver::Options options;
  options.num_threads = 1;
  options.linear_solver_type = ceres::DENSE_QR;
  options.logging_type = ceres::SILENT;
  options.max_num_iterations = 200;
  options.function_tolerance = 1e-12;
  options.parameter_tolerance = 1e-10;
  ceres::Solver::Summary summary;
  ceres::Solve(options, &ceres_problem, &summary);
  return summary.final_cost;
}

}  // namespace

double processor_time(const ProcessorCost& cost, const PairsMeasurement& measurement) {
  const double occupancy = cost.overhead_s + cost.per_byte_s * static_cast<double>(measurement.size.count());
  return std::max(measurement.network_s + cost.latency_s + occupancy,
                  measurement.pairs * occupancy / measurement.cores);
}

ProcessorFit fit_processor(std::span<const PairsMeasurement> measurements, const ProcessorModel& model) {
  std::vector<Observation> observations;
  std::set<Bytes> sizes;
  double least_time = std::numeric_limits<double>::infinity();
  double most_per_byte = 0;
  for (const auto& m : measurements) {
    if (m.samples_s.empty() || m.pairs < 1 || m.cores < 1)
      throw InputError(fmt::format("calibration: {} samples with {} pairs on {} cores; expected at least one of each",
                                   m.samples_s.size(), m.pairs, m.cores));
    for (const double sample : m.samples_s)
      if (!std::isfinite(sample) || sample <= 0)
        throw InputError(
            fmt::format("calibration: a sample of {} s with {} pairs; expected a time over 0", sample, m.pairs));
    const double time = median(m.samples_s);
    observations.push_back({&m, time});
    sizes.insert(m.size);
    least_time = std::min(least_time, std::max(time - m.network_s, time * 0.01));
    if (m.size.count() > 0) most_per_byte = std::max(most_per_byte, time / static_cast<double>(m.size.count()));
  }
  const bool with_bytes = sizes.size() > 1 && most_per_byte > 0;
  const std::size_t parameters = with_bytes ? 3 : 2;
  if (observations.size() < parameters)
    throw InputError(fmt::format("calibration: {} measurements of simultaneous pairs; a fit needs at least {}",
                                 observations.size(), parameters));
  // Bytes weigh as much as the largest messages show; a per-byte unit from the smallest ones would be far too large.
  if (with_bytes) {
    const auto& largest = *std::max_element(observations.begin(), observations.end(), [](const auto& x, const auto& y) {
      return std::tuple(x.measurement->size, x.time) < std::tuple(y.measurement->size, y.time);
    });
    most_per_byte = largest.time / static_cast<double>(largest.measurement->size.count());
  }

  const Problem problem(std::move(observations), model, with_bytes,
                        {least_time, with_bytes ? most_per_byte : 1, least_time});
  // The bound by the cores is a corner where derivatives vanish: several starts, the best one counts.
  std::array<double, 3> best{};
  double least_cost = std::numeric_limits<double>::infinity();
  for (const double share : {0.1, 0.3, 0.5, 0.7, 0.9}) {
    for (const double byte_share : {0.1, 0.6}) {
      std::array<double, 3> x{share, 1 - share, byte_share};
      const double cost = solve(problem, model, x.data());
      if (cost < least_cost) {
        least_cost = cost;
        best = x;
      }
      if (!with_bytes) break;
    }
  }

  const auto n = static_cast<Eigen::Index>(problem.observations().size());
  const auto p = static_cast<Eigen::Index>(parameters);
  Eigen::VectorXd residuals(n);
  problem.residuals(best.data(), residuals.data());
  Eigen::MatrixXd jacobian(n, p);
  for (Eigen::Index k = 0; k < p; ++k) {
    std::array<double, 3> high = best;
    std::array<double, 3> low = best;
    const double step = std::max(best[static_cast<std::size_t>(k)], 0.01) * 1e-3;
    high[static_cast<std::size_t>(k)] += step;
    low[static_cast<std::size_t>(k)] = std::max(0.0, low[static_cast<std::size_t>(k)] - step);
    Eigen::VectorXd above(n);
    Eigen::VectorXd below(n);
    problem.residuals(high.data(), above.data());
    problem.residuals(low.data(), below.data());
    jacobian.col(k) = (above - below) / (high[static_cast<std::size_t>(k)] - low[static_cast<std::size_t>(k)]);
  }

  ProcessorFit fit;
  fit.cost = problem.cost(best.data());
  std::vector<double> errors;
  double squares = 0;
  for (Eigen::Index i = 0; i < n; ++i) {
    errors.push_back(std::abs(residuals[i]));
    const double bounded = std::min(std::abs(residuals[i]), 2 * loss_scale);
    squares += bounded * bounded;
  }
  fit.median_error = median(errors);
  fit.max_error = percentile(errors, 1);
  const int degrees = static_cast<int>(n - p);
  const double scatter = std::max(least_scatter, std::sqrt(squares / std::max(1, degrees)));

  // Singular values say which combinations of parameters the measurements see at all: below a hundredth of the largest,
  // in relative units, a combination is told by noise.
  const Eigen::JacobiSVD<Eigen::MatrixXd> svd(jacobian, Eigen::ComputeThinU | Eigen::ComputeThinV);
  const Eigen::VectorXd singular = svd.singularValues();
  fit.identified = singular.size() == p && singular[p - 1] > 0.01 * singular[0];
  const auto interval = [&](double value, double unit, Eigen::Index k) -> Estimate {
    if (!fit.identified) return {value, 0, std::numeric_limits<double>::infinity()};
    double variance = 0;
    for (Eigen::Index j = 0; j < p; ++j) variance += std::pow(svd.matrixV()(k, j) / singular[j], 2);
    const double half = student_975(degrees) * scatter * std::sqrt(variance) * unit;
    return {value, std::max(0.0, value - half), value + half};
  };
  fit.overhead_s = interval(fit.cost.overhead_s, least_time, 0);
  fit.latency_s = interval(fit.cost.latency_s, least_time, 1);
  if (with_bytes) fit.per_byte_s = interval(fit.cost.per_byte_s, most_per_byte, 2);
  return fit;
}

Json to_json(const ProcessorFit& fit) {
  const auto estimate_json = [](const Estimate& e) {
    return Json{{"value", e.value}, {"low", e.low}, {"high", std::isfinite(e.high) ? Json(e.high) : Json(nullptr)}};
  };
  return Json{{"overhead_s", estimate_json(fit.overhead_s)},
              {"per_byte_s", estimate_json(fit.per_byte_s)},
              {"latency_s", estimate_json(fit.latency_s)},
              {"confidence", 0.95},
              {"identified", fit.identified},
              {"median_error", fit.median_error},
              {"max_error", fit.max_error}};
}

}  // namespace lockstep
