// Measurements by the backends: one catalogue, used by run, check, bench and calibrate.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/faults/changes.hpp"
#include "core/timeline/result.hpp"
#include "core/timeline/timeline.hpp"
#include "core/topology/routing.hpp"
#include "core/topology/topology.hpp"
#include "core/workload/workload.hpp"
#include "real/measure/measurement.hpp"

namespace lockstep::cli {

struct MeasureRequest {
  const Topology* topology = nullptr;  ///< the lab needs it
  const Routing* routing = nullptr;
  const Plan* plan = nullptr;
  std::vector<ResolvedFault> faults{};  ///< for backends that apply them
  std::uint64_t seed = 1;               ///< of what these draw
  std::chrono::milliseconds timeout{60'000};
  std::chrono::milliseconds rendezvous_timeout{30'000};
};

struct Backend {
  std::string name;
  std::string description;
  bool needs_topology = false;
  /// nullopt: this process is a rank other than 0 of a job, and has nothing to say.
  std::optional<real::Measurement> (*measure)(const MeasureRequest& request);
  bool applies_faults = false;
};

std::span<const Backend> backend_catalogue();

/// Options of commands that measure.
struct RunLimits {
  std::string timeout = "60s";
  std::string rendezvous_timeout = "30s";
  void declare(CLI::App& app);
  void apply(MeasureRequest& request) const;
};

}  // namespace lockstep::cli
