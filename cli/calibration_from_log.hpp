// A profile from what was measured elsewhere: a log of perftest, OSU or nccl-tests, or a result file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "cli/calibration.hpp"
#include "core/topology/topology.hpp"

namespace lockstep::cli {

struct LogCalibrationRequest {
  std::string file;
  const Topology* topology = nullptr;          ///< what was measured on
  std::optional<std::pair<int, int>> between;  ///< the ranks of point-to-point rows; none: 0 and the first elsewhere
  std::uint64_t seed = 1;                      ///< of the routes
  std::string name;                            ///< of the profile; empty: the file's
};

Calibration calibrate_from_log(const LogCalibrationRequest& request);

}  // namespace lockstep::cli
