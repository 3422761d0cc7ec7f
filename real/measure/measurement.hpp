// Runs a planned workload for real and makes a result of it.
#pragma once

#include <functional>
#include <string>

#include "core/timeline/result.hpp"
#include "core/timeline/timeline.hpp"
#include "core/workload/workload.hpp"
#include "real/executor/executor.hpp"
#include "real/transport/tcp.hpp"

namespace lockstep::real {

struct MeasurementOptions {
  ExecutorOptions executor;
  TcpOptions tcp;
  std::chrono::milliseconds rendezvous_timeout{30'000};
  int cores = 0;             ///< that the ranks of this machine share; 0: those this process may use
  bool same_machine = true;  ///< all ranks are on this machine: CPU load over the ranks says whether it was the limit
  double cpu_limit = 0.9;    ///< busy share of the cores from which a row is flagged
};

/// The ranks' collective result: what rank 0 knows at the end.
struct Measurement {
  Result result;      ///< collectives, operations, summary, run.clock; the caller adds files, backend and as_built
  Timeline timeline;  ///< operations of all ranks on the common clock
};

/// One rank's part, over TCP; rank 0 gets the measurement as text (for the parent process), the others an empty string.
/// Throws RunFailure.
std::string measure_rank(const JobEnvironment& environment, const PlannedWorkload& planned,
                         const MeasurementOptions& options);
Measurement parse_measurement(const PlannedWorkload& planned, const std::string& text);

/// All ranks on this machine over loopback (`run --backend tcp --ranks N`).
Measurement measure_on_loopback(const PlannedWorkload& planned, const MeasurementOptions& options);

/// This process is one rank of a job that a launcher started; nullopt on ranks other than 0.
std::optional<Measurement> measure_in_job(const JobEnvironment& environment, const PlannedWorkload& planned,
                                          const MeasurementOptions& options);

}  // namespace lockstep::real
