// Measurements by the backends: one catalogue, used by run, check, bench and calibrate.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <map>
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
  std::optional<int> processes;         ///< that share the ranks; none: one for each
  bool pin = false;                     ///< each rank stays on one core
  std::string transport;                ///< a name of the transport catalogue; empty: the backend's own
  std::vector<ResolvedFault> faults{};  ///< for backends that apply them
  std::uint64_t seed = 1;               ///< of what these draw
  /// How long kernels sleep instead of being run; none: they are run.
  std::optional<std::map<std::string, Duration>> sleep{};
  std::chrono::milliseconds timeout{60'000};
  std::chrono::milliseconds rendezvous_timeout{30'000};
};

struct Backend {
  std::string name;
  std::string description;
  bool needs_topology = false;
  std::vector<std::string> transports;  ///< that it may use, its own first
  /// nullopt: this process is a rank other than 0 of a job, and has nothing to say.
  std::optional<real::Measurement> (*measure)(const MeasureRequest& request);
  bool applies_faults = false;
};

std::span<const Backend> backend_catalogue();
/// Ranks of the job that a launcher put this process in; none: it was started by hand.
std::optional<int> launched_ranks();
/// Whether this process is the one that prints and writes: rank 0 of a launcher's job, or started by hand.
bool writes_results();
/// Name and description of all of them, for help.
std::string backend_help();
/// What the backend sends by: `wanted`, or its own where that is empty. Throws InputError where it cannot.
std::string transport_of(const Backend& backend, const std::string& wanted);

/// Rows that are left to NCCL (`auto` after sim::choose_algorithms) as a backend that is NCCL runs them: `native`.
Workload with_native_rows(Workload workload, const Backend& backend);

/// Options of commands that measure.
struct RunLimits {
  std::string timeout = "60s";
  std::string rendezvous_timeout = "30s";
  std::string transport;
  bool pin = false;
  void declare(CLI::App& app);
  void apply(MeasureRequest& request, const Backend& backend) const;
};

}  // namespace lockstep::cli
