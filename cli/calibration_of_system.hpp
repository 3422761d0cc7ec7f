// A system's own correction of NCCL's model {offset, scale, transport latency}, from a log of nccl-tests.
#pragma once

#include "cli/calibration_from_log.hpp"
#include "core/timeline/result.hpp"

namespace lockstep::cli {

/// A log of NCCL's collectives, as against messages between two ranks.
bool is_log_of_nccl(const Result& measured);

/// Fits every fourth row (study/calibration/system_fit.hpp) of the kinds that NCCL's model knows, and predicts the
/// others, which are printed. Throws InputError where the topology has no such ranks or the rows are fewer than twelve.
Calibration calibrate_system(const Result& measured, const LogCalibrationRequest& request);

}  // namespace lockstep::cli
