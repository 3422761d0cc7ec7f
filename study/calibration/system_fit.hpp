// The correction of a model for one system: two or three numbers that its own measurements give.
//
//   measured_i = offset + scale x (fixed_i + latency x crossings_i)
//
// fixed_i: what the model predicts of measurement i without the transport's latency; crossings_i: how many times that
// latency follows one another in it (0 in one node: then only offset and scale are fitted). The sum of the squares of
// relative residuals is least, with Huber's weights (k = 1.345) on the scatter found, so that disturbed sizes count
// little; offset and latency are not negative. Normal equations of at most three unknowns, solved by elimination.
#pragma once

#include <span>

namespace lockstep {

struct SystemSample {
  double fixed_s = 0;
  double crossings = 0;
  double measured_s = 0;
};

struct SystemFit {
  double offset_s = 0;
  double scale = 1;
  double latency_s = 0;      ///< of one crossing; 0 where no sample has one
  bool has_latency = false;  ///< samples with different numbers of crossings made it possible to tell
  double median_error = 0;   ///< |relative residual| over the samples
  [[nodiscard]] double predict(double fixed_s, double crossings) const {
    return offset_s + scale * (fixed_s + latency_s * crossings);
  }
};

/// Throws InputError with fewer than three samples, or times that are not positive. `default_latency_s` is used where
/// the samples cannot tell the latency from the offset (all have the same number of crossings).
SystemFit fit_system(std::span<const SystemSample> samples, double default_latency_s);

}  // namespace lockstep
