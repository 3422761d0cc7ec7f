// MLPerf Storage v1.0 as published, and what the simulated loader says.
//
// A row is a submission's result: so many emulated accelerators on so many hosts of a system. The demand (sample size,
// batch, think time, threads) is workloads/mlperf_*.yaml. What the system's storage gives is taken from its *other*
// workloads alone: the largest rate per host that any of their rows shows, times the row's hosts. That is a lower bound
// of the storage: submissions stop adding accelerators when utilisation falls under the threshold.
//
// Two constants of the benchmark's own software, the same for every row, are fitted on the three rows of one system
// (F8000X, one client) with 1, 8 and 26 accelerators and CosmoFlow, whose step of 3.5 ms they dominate: a step costs
// 0.5 ms and an exponential part of 0.2 ms, of which the slowest accelerator's counts, as all begin a step together.
#pragma once

#include <string>
#include <vector>

#include "core/loader/spec.hpp"

namespace lockstep::storage {

struct Row {
  std::string system, workload, accelerator;  ///< "unet3d", "h100"
  int accelerators = 0, hosts = 0;
  double utilisation = 0;    ///< published, 0 ... 1
  double samples_per_s = 0;  ///< published
  double read_Bps = 0;       ///< published, bytes per second (the tables' MB are 2^20 bytes)
  // Filled by predict().
  double storage_Bps = 0;  ///< of the other workloads of the system
  double predicted_samples_per_s = 0, predicted_utilisation = 0;
  [[nodiscard]] double error() const { return predicted_samples_per_s / samples_per_s - 1; }
  [[nodiscard]] bool fitted() const;  ///< one of the three
};

/// The rows of systems with at least two workloads, in the file's order. Throws InputError naming the file and line.
std::vector<Row> load_rows(const std::string& file);

/// The demand of a workload on one accelerator: workloads/mlperf_WORKLOAD_ACCELERATOR.yaml in `folder`.
LoaderSpec demand(const std::string& folder, const std::string& workload, const std::string& accelerator);

/// What MLPerf asks for: 90% utilisation, 70% of CosmoFlow.
double threshold(const std::string& workload);

/// Throughput of all accelerators together, once queues are in their steady state, and utilisation.
struct Steady {
  double samples_per_s = 0, utilisation = 0;
};
Steady steady_state(LoaderSpec demand, int accelerators, int hosts, double storage_Bps, bool with_software = true);

/// Fills the predictions of all rows; `workloads`: the folder of the demands.
void predict(std::vector<Row>& rows, const std::string& workloads, bool with_software = true);

}  // namespace lockstep::storage
