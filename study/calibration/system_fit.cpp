#include "study/calibration/system_fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/statistics.hpp"

namespace lockstep {
namespace {

constexpr double huber = 1.345;
constexpr int passes = 20;

using Unknowns = std::array<double, 3>;  // offset, scale, scale x latency

/// Weighted least squares over the unknowns that are in use; none when they cannot be told apart.
std::optional<Unknowns> solve(std::span<const SystemSample> samples, std::span<const double> weights,
                              const std::array<bool, 3>& used) {
  std::array<std::array<double, 4>, 3> matrix{};
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const SystemSample& sample = samples[i];
    const Unknowns row{1 / sample.measured_s, sample.fixed_s / sample.measured_s, sample.crossings / sample.measured_s};
    for (std::size_t a = 0; a < 3; ++a) {
      for (std::size_t b = 0; b < 3; ++b) matrix[a][b] += weights[i] * row[a] * row[b];
      matrix[a][3] += weights[i] * row[a];
    }
  }
  for (std::size_t a = 0; a < 3; ++a) {
    if (used[a]) continue;
    for (std::size_t b = 0; b < 3; ++b) matrix[a][b] = matrix[b][a] = 0;
    matrix[a][a] = 1;
    matrix[a][3] = 0;
  }
  // The columns differ by many powers of ten: judge pivots relative to their diagonal.
  const Unknowns diagonal{matrix[0][0], matrix[1][1], matrix[2][2]};
  for (std::size_t column = 0; column < 3; ++column) {
    if (!(matrix[column][column] > 1e-9 * diagonal[column])) return std::nullopt;
    for (std::size_t row = 0; row < 3; ++row) {
      if (row == column) continue;
      const double factor = matrix[row][column] / matrix[column][column];
      for (std::size_t k = column; k < 4; ++k) matrix[row][k] -= factor * matrix[column][k];
    }
  }
  return Unknowns{matrix[0][3] / matrix[0][0], matrix[1][3] / matrix[1][1], matrix[2][3] / matrix[2][2]};
}

std::vector<double> residuals(std::span<const SystemSample> samples, const Unknowns& x) {
  std::vector<double> found;
  for (const auto& sample : samples)
    found.push_back((x[0] + x[1] * sample.fixed_s + x[2] * sample.crossings) / sample.measured_s - 1);
  return found;
}

std::optional<Unknowns> robust(std::span<const SystemSample> samples, const std::array<bool, 3>& used) {
  std::vector<double> weights(samples.size(), 1.0);
  std::optional<Unknowns> solution;
  for (int pass = 0; pass < passes; ++pass) {
    solution = solve(samples, weights, used);
    if (!solution) return std::nullopt;
    const auto found = residuals(samples, *solution);
    std::vector<double> sizes;
    for (const double r : found) sizes.push_back(std::abs(r));
    const double scatter = std::max(1e-3, 1.4826 * median(sizes));
    for (std::size_t i = 0; i < found.size(); ++i)
      weights[i] = sizes[i] <= huber * scatter ? 1.0 : huber * scatter / sizes[i];
  }
  return solution;
}

}  // namespace

SystemFit fit_system(std::span<const SystemSample> samples, double default_latency_s) {
  if (samples.size() < 3) throw InputError(fmt::format("a system's fit needs 3 sizes; there are {}", samples.size()));
  for (const auto& sample : samples)
    if (!(sample.measured_s > 0) || !(sample.fixed_s > 0)) throw InputError("a system's fit needs times above 0");

  const auto differ = [&](const SystemSample& sample) { return sample.crossings != samples.front().crossings; };
  SystemFit fit;
  fit.has_latency = samples.size() >= 6 && std::any_of(samples.begin(), samples.end(), differ);
  std::vector<SystemSample> folded(samples.begin(), samples.end());
  const auto fold_default = [&] {
    fit.has_latency = false;
    for (std::size_t i = 0; i < folded.size(); ++i)
      folded[i].fixed_s = samples[i].fixed_s + default_latency_s * samples[i].crossings;
  };
  if (!fit.has_latency) fold_default();

  // Unknowns that would be negative are left out, the latency first.
  std::array<bool, 3> used{true, true, fit.has_latency};
  auto solution = robust(folded, used);
  if (used[2] && (!solution || (*solution)[2] < 0 || (*solution)[1] <= 0)) {
    fold_default();
    used[2] = false;
    solution = robust(folded, used);
  }
  if (!solution || (*solution)[0] < 0 || (*solution)[1] <= 0) {
    used = {false, true, used[2]};
    solution = robust(folded, used);
  }
  LOCKSTEP_CHECK(solution && (*solution)[1] > 0, "a system's fit without a scale");
  fit.offset_s = used[0] ? (*solution)[0] : 0;
  fit.scale = (*solution)[1];
  fit.latency_s = used[2] ? (*solution)[2] / fit.scale : default_latency_s;
  std::vector<double> sizes;
  for (const auto& sample : samples)
    sizes.push_back(std::abs(fit.predict(sample.fixed_s, sample.crossings) / sample.measured_s - 1));
  fit.median_error = median(sizes);
  return fit;
}

}  // namespace lockstep
