// `calibrate --backend cpu`: how fast kernels and reductions are on one core of this machine.
#pragma once

#include <string>

#include "cli/calibration.hpp"
#include "cli/options.hpp"

namespace lockstep::cli {

struct CpuCalibrationRequest {
  Bytes largest = 256_MiB;  ///< working set
  std::string name;         ///< of the profile; empty: "cpu"
};

/// Takes less than a minute. Throws InputError where OpenBLAS is missing, RunFailure where a kernel computes wrong
/// results.
Calibration calibrate_cpu(const CpuCalibrationRequest& request, const OutputOptions& output);

}  // namespace lockstep::cli
