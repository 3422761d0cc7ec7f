#include "core/base/statistics.hpp"

#include <algorithm>
#include <vector>

#include "core/base/error.hpp"

namespace lockstep {

double percentile(std::span<const double> samples, double quantile) {
  LOCKSTEP_CHECK(!samples.empty(), "a percentile needs at least one sample");
  LOCKSTEP_CHECK(quantile >= 0 && quantile <= 1, "quantile {} outside 0..1", quantile);
  std::vector<double> sorted(samples.begin(), samples.end());
  std::sort(sorted.begin(), sorted.end());
  const double position = quantile * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  if (below + 1 >= sorted.size()) return sorted.back();
  const double fraction = position - static_cast<double>(below);
  // Written so that equal neighbours give exactly their value.
  return sorted[below] + fraction * (sorted[below + 1] - sorted[below]);
}

double median(std::span<const double> samples) { return percentile(samples, 0.5); }

}  // namespace lockstep
