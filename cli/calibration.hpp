// Measures the software of a backend by point-to-point messages and fits a profile: the glue between plans, backends,
// the simulator (as the model of the network) and study/calibration.
#pragma once

#include <optional>
#include <string>

#include "cli/measure.hpp"
#include "cli/options.hpp"
#include "core/profile/profile.hpp"
#include "core/topology/routing.hpp"
#include "core/topology/topology.hpp"

namespace lockstep::cli {

struct CalibrationRequest {
  std::string backend;
  const Topology* topology = nullptr;  ///< the lab's; none for tcp (loopback)
  std::uint64_t seed = 1;
  int ranks = 2;
  Bytes largest{0};       ///< largest message
  double budget_s = 20;   ///< sizes that would take longer are left out, the largest first
  std::string name;       ///< of the profile
  MeasureRequest limits;  ///< time-outs
};

struct Calibration {
  Profile profile;
  std::string text;  ///< table for people: residuals, confidence intervals, held-out check
};

/// nullopt: this process is a rank other than 0 of a launcher's job, and has done its part.
std::optional<Calibration> calibrate(const CalibrationRequest& request);

/// The profile of this machine, backend and lab settings: from the cache, or calibrated now (and kept). A note says
/// which. In a launcher's job all ranks ask for it together; where it is measured, those other than 0, which predict
/// nothing, get `ideal`.
Profile cached_or_calibrated(const std::string& backend, const Topology* topology, int ranks, std::uint64_t seed,
                             bool again, const RunLimits& limits, const OutputOptions& output);

}  // namespace lockstep::cli
