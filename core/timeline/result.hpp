// Result files (DESIGN section 6): `{"schema": "lockstep.result/1", ...}`. The keys are a contract.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/plan/types.hpp"
#include "core/units/duration.hpp"

namespace lockstep {

using Json = nlohmann::ordered_json;

/// A row of `collectives`.
struct CollectiveRow {
  CollectiveKind kind = CollectiveKind::all_reduce;
  std::string algorithm;  ///< empty (null in JSON): not known, as in the logs of other programs
  std::optional<std::string> protocol;
  int ranks = 0;  ///< 0 (null in JSON): not known
  std::int64_t size_bytes = 0;
  double time_s = 0;            ///< median for a measurement
  std::optional<double> min_s;  ///< of a measurement, or of several simulations
  std::optional<double> p5_s;   ///< of several simulations
  std::optional<double> p95_s;
  std::optional<std::int64_t> iterations;
  std::optional<std::int64_t> wrong;  ///< elements that failed the data check; none: not checked
  std::string type = "float32";
  std::optional<std::string> reduction;  ///< "sum", ... where the kind reduces
  std::optional<bool> cpu_limited;       ///< measurement: the CPU, not the network, set the time
  std::optional<double> cpu_load;  ///< measurement: busy share of the machine's cores during the timed part (0..1)
  std::vector<double> samples_s;   ///< measurement: every iteration, in order; simulations: every run
  std::optional<bool> throughput;  ///< logs: time_s is size / bandwidth of many messages in flight, not a lone one's
  [[nodiscard]] double algbw_GBps() const;
  [[nodiscard]] double busbw_GBps() const;
};

/// What a row of `operations` says of a kernel besides.
struct KernelFigures {
  std::string kernel;             ///< with its shape: "matmul:float32:1024x1024x512"
  std::int64_t flops = 0;         ///< of one rank
  std::int64_t memory_bytes = 0;  ///< traffic of one rank
  double time_s = 0;              ///< from the earliest start to the latest end over ranks; median for a measurement
  std::optional<double> p95_s;    ///< of a measurement
  std::optional<std::int64_t> iterations;
  std::optional<std::int64_t> wrong;  ///< elements that failed the check, over all ranks; none: not checked
  std::vector<double> samples_s;      ///< measurement: every iteration, in order
  [[nodiscard]] double gflops() const { return time_s > 0 ? static_cast<double>(flops) / time_s * 1e-9 : 0; }
  [[nodiscard]] double memory_GBps() const {
    return time_s > 0 ? static_cast<double>(memory_bytes) / time_s * 1e-9 : 0;
  }
};

/// A row of `operations`: a plan operation, once per role.
struct OperationRow {
  std::string role;
  std::string stream;
  std::string name;
  std::string kind;        ///< "collective", "compute", "send", ...
  std::int64_t count = 0;  ///< executions counted over all ranks, warm-up left out
  double mean_s = 0;
  double min_s = 0;
  double max_s = 0;
  double first_start_s = 0;
  std::optional<KernelFigures> kernel{};  ///< of kind "compute"
};

struct SourceFile {
  std::string name;
  std::optional<std::string> file;
  std::optional<std::string> sha256;
};

struct Summary {
  int rank = 0;            ///< the rank that ends last
  double step_time_s = 0;  ///< sum of the parts below
  double compute_s = 0;
  double exposed_communication_s = 0;
  double loader_stall_s = 0;
  double pipeline_bubble_s = 0;
  double launch_gap_s = 0;
  double other_s = 0;
  std::vector<std::pair<std::string, double>> exposed_communication_by_kind_s;
  std::optional<double> tokens_per_s_per_gpu, tflops_per_gpu, mfu;
  std::optional<std::int64_t> peak_memory_bytes;
  std::optional<std::string> fits_in_memory;
  double per_rank_min_s = 0, per_rank_mean_s = 0, per_rank_max_s = 0;  ///< step time over ranks
};

struct Result {
  enum class Kind { simulation, measurement } kind = Kind::simulation;
  Json run = Json::object();  ///< what depends on this run: command, version, wall_clock_s, host, date
  SourceFile topology;
  SourceFile workload;
  SourceFile profile;
  int ranks = 0;
  std::optional<std::string> backend;   ///< measurement
  std::optional<std::string> fidelity;  ///< simulation
  std::uint64_t seed = 0;
  Summary summary;
  std::vector<CollectiveRow> collectives;
  std::vector<OperationRow> operations;
  Json network;                       ///< what a simulation of packets has counted; null where it does not apply
  Json loader;                        ///< of a workload with a loader; null where it does not apply
  Json as_built;                      ///< null where it does not apply
  std::vector<std::string> warnings;  ///< keys that were given and cannot have had any effect
  std::vector<std::string> notes;     ///< for people: what was assumed, what is missing
};

/// Elements of collectives and kernels that are not what they should be.
std::int64_t wrong_elements(const Result& result);

Json to_json(const Result& result);
/// Throws InputError naming the key ("measured.json: collectives[3].time_s: ...").
Result result_from_json(const Json& json, const std::string& file);
/// Reads a result file. Throws InputError.
Result load_result(const std::string& path);

/// The table for people: size, type, algorithm, time, algbw, busbw (and min, p95, wrong for a measurement).
std::string result_table(const Result& result);

}  // namespace lockstep
