// How fast kernels are, from measured times: the section `compute:` of a profile (core/profile/compute_profile.hpp).
//
//   other kernels   time = a_k + b_k * working set          k: interval of the working set
//   products        time = operands / memory + a_k + b_k * flops          k: interval of flops
//   reductions      as other kernels, of the bytes of one operand
//
// a and b are study/calibration/message_fit.hpp's, with its confidence intervals; of the rates `memory` that are tried
// (a factor of 1.3 apart, and none), the one that leaves the least residuals is taken. What is held out is not fitted:
// it is predicted with the profile as it will be written, and says how good that is.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/json.hpp"
#include "core/profile/profile.hpp"
#include "study/calibration/message_fit.hpp"

namespace lockstep {

struct KernelMeasurement {
  Kernel kernel;
  std::vector<double> samples_s;
  bool held_out = false;
};
struct ReductionMeasurement {
  Bytes size;
  std::vector<double> samples_s;
  bool held_out = false;
};

/// A measurement beside what the profile says of it.
struct KernelResidual {
  std::string name;  ///< the kernel's text, or a size
  double measured_s = 0;
  double predicted_s = 0;
  bool held_out = false;
  [[nodiscard]] double relative() const { return predicted_s / measured_s - 1; }
};

/// Of one kernel and type, or of reductions.
struct KernelFit {
  std::string name;  ///< "matmul float32", "reduction"
  MessageFit fit;    ///< sizes are working sets in bytes, or flops
  bool by_flops = false;
  double bytes_per_size = 1;  ///< traffic per byte of working set: rates count traffic
  std::vector<KernelResidual> residuals;
  KernelCost cost;                         ///< of a kernel
  std::vector<TrafficInterval> reduction;  ///< of reductions
};

/// Of one kind and type. Throws InputError with fewer than three sizes to fit.
KernelFit fit_kernel(std::span<const KernelMeasurement> measurements);
KernelFit fit_reduction(std::span<const ReductionMeasurement> measurements);

/// |relative| of what was fitted, and of what was held out.
struct KernelErrors {
  std::vector<double> fitted, held_out;
};
KernelErrors errors_of(std::span<const KernelFit> fits);

/// Intervals with their rates and confidence intervals, and the errors, a line each.
std::string kernel_table(std::span<const KernelFit> fits);
/// For the profile's record of how it was obtained.
Json to_json(const KernelFit& fit);

}  // namespace lockstep
