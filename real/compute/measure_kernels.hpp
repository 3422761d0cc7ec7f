// How long kernels take on this machine, one by one, on one core: what calibration fits.
#pragma once

#include <functional>
#include <vector>

#include "core/compute/kernel.hpp"
#include "real/executor/buffers.hpp"

namespace lockstep::real {

struct KernelTimes {
  Kernel kernel;
  std::vector<double> samples_s;
  std::int64_t wrong = 0;
};

struct KernelTiming {
  int passes = 3;          ///< over all kernels: a machine is fast or slow for seconds on end; two where one takes long
  int samples = 5;         ///< per pass; fewer where one takes long
  double longest_s = 0.1;  ///< of all samples of a pass together, two at least
};

/// Each sample is one call after a short sleep, as in a plan, on data that the calls before have left in the caches.
/// Results are checked once, where memory is below 16 MiB. `progress` is told what is measured.
std::vector<KernelTimes> measure_kernels(const std::vector<Kernel>& kernels, const KernelTiming& timing,
                                         const std::function<void(const std::string&)>& progress);

/// combine_elements on so many bytes of float32 sums, in the same way.
struct ReductionTimes {
  Bytes size;
  std::vector<double> samples_s;
};
std::vector<ReductionTimes> measure_reductions(const std::vector<Bytes>& sizes, const KernelTiming& timing);

/// Relative spread of a kernel of a fifth of a millisecond, over 200 calls: (95th percentile - median) / median.
double timing_noise();

/// "Intel(R) Xeon(R) Processor", as the kernel names it; empty where it does not.
std::string processor_name();

}  // namespace lockstep::real
