// Order statistics of samples: one definition for measurements, comparisons and calibration.
#pragma once

#include <span>

namespace lockstep {

/// The middle sample; the mean of the middle two where the count is even. Needs at least one sample (a broken invariant
/// otherwise).
double median(std::span<const double> samples);

/// The value below which the share `quantile` (0..1) of the samples lies: linear interpolation between the two nearest
/// order statistics, position quantile * (count - 1) (type 7 of Hyndman and Fan, "Sample Quantiles in Statistical
/// Packages", 1996; what NumPy does by default). percentile(x, 0.5) equals median(x). Needs at least one sample.
double percentile(std::span<const double> samples, double quantile);

}  // namespace lockstep
