// The table of a result for people, in the manner of nccl-tests.
#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.hpp"
#include "core/timeline/result.hpp"
#include "core/units/quantity.hpp"

namespace lockstep {
namespace {

std::string microseconds_text(double seconds) { return fmt::format("{:.2f}", seconds * 1e6); }

std::string optional_microseconds(const std::optional<double>& seconds) {
  return seconds ? microseconds_text(*seconds) : "-";
}

std::string source_text(const SourceFile& source) {
  return source.name.empty() ? source.file.value_or("?") : source.name;
}

std::string algorithm_text(const CollectiveRow& row) {
  const std::string algorithm = row.algorithm.empty() ? "?" : row.algorithm;
  return row.protocol ? algorithm + " " + *row.protocol : algorithm;
}

std::string heading(const Result& result) {
  const bool simulated = result.kind == Result::Kind::simulation;
  std::string text = simulated ? "# simulation" : "# measurement";
  if (!result.workload.name.empty() || result.workload.file) text += " of " + source_text(result.workload);
  if (!result.topology.name.empty() || result.topology.file) text += " on " + source_text(result.topology);
  text += fmt::format(", {} ranks", result.ranks);
  if (result.fidelity) text += ", fidelity " + *result.fidelity;
  if (result.backend) text += ", backend " + *result.backend;
  if (!result.profile.name.empty()) text += ", profile " + result.profile.name;
  return text + '\n';
}

std::string collectives_table(const Result& result) {
  const bool measured = result.kind == Result::Kind::measurement;
  std::vector<std::vector<std::string>> cells{
      {"collective", "algorithm", "ranks", "size (B)", "type", "redop", "time (us)", "algbw (GB/s)", "busbw (GB/s)"}};
  if (measured) cells.front().insert(cells.front().end(), {"min (us)", "p95 (us)", "iterations", "#wrong", "note"});
  const bool several_runs = !measured && std::any_of(result.collectives.begin(), result.collectives.end(),
                                                     [](const CollectiveRow& row) { return row.p5_s.has_value(); });
  if (several_runs) cells.front().insert(cells.front().end(), {"p5 (us)", "p95 (us)"});
  for (const auto& row : result.collectives) {
    const bool has_bandwidth = row.time_s > 0;
    std::vector<std::string> line{std::string(to_string(row.kind)),
                                  algorithm_text(row),
                                  std::to_string(row.ranks),
                                  std::to_string(row.size_bytes),
                                  row.type,
                                  row.reduction.value_or("none"),
                                  microseconds_text(row.time_s),
                                  has_bandwidth ? fmt::format("{:.3f}", row.algbw_GBps()) : "-",
                                  has_bandwidth ? fmt::format("{:.3f}", row.busbw_GBps()) : "-"};
    if (measured) {
      line.push_back(optional_microseconds(row.min_s));
      line.push_back(optional_microseconds(row.p95_s));
      line.push_back(row.iterations ? std::to_string(*row.iterations) : "-");
      line.push_back(row.wrong ? std::to_string(*row.wrong) : "-");
      line.push_back(row.cpu_limited.value_or(false) ? "CPU-limited" : "");
    }
    if (several_runs) {
      line.push_back(optional_microseconds(row.p5_s));
      line.push_back(optional_microseconds(row.p95_s));
    }
    cells.push_back(std::move(line));
  }
  return format_table(cells);
}

std::string kernels_table(const Result& result) {
  const bool measured = result.kind == Result::Kind::measurement;
  std::vector<std::vector<std::string>> cells{{"kernel", "ranks", "time (us)", "GFLOP/s", "memory (GB/s)"}};
  if (measured) cells.front().insert(cells.front().end(), {"p95 (us)", "iterations", "#wrong"});
  for (const auto& row : result.operations) {
    if (!row.kernel) continue;
    const KernelFigures& kernel = *row.kernel;
    std::vector<std::string> line{kernel.kernel, std::to_string(result.ranks), microseconds_text(kernel.time_s),
                                  kernel.flops > 0 && kernel.time_s > 0 ? fmt::format("{:.2f}", kernel.gflops()) : "-",
                                  kernel.time_s > 0 ? fmt::format("{:.2f}", kernel.memory_GBps()) : "-"};
    if (measured) {
      line.push_back(optional_microseconds(kernel.p95_s));
      line.push_back(kernel.iterations ? std::to_string(*kernel.iterations) : "-");
      line.push_back(kernel.wrong ? std::to_string(*kernel.wrong) : "-");
    }
    cells.push_back(std::move(line));
  }
  return cells.size() == 1 ? std::string{} : format_table(cells);
}

std::string step_table(const Summary& summary) {
  std::vector<std::vector<std::string>> cells{{"where", "time (us)", "share"}};
  const auto part = [&](const char* name, double seconds) {
    cells.push_back({name, microseconds_text(seconds),
                     summary.step_time_s > 0 ? fmt::format("{:.1f}%", 100 * seconds / summary.step_time_s) : "-"});
  };
  part("compute", summary.compute_s);
  part("exposed communication", summary.exposed_communication_s);
  part("loader stall", summary.loader_stall_s);
  part("pipeline bubble", summary.pipeline_bubble_s);
  part("launch gap", summary.launch_gap_s);
  part("other", summary.other_s);
  part("step", summary.step_time_s);
  return fmt::format("# step of rank {}, the one that ends last\n", summary.rank) + format_table(cells);
}

}  // namespace

std::string result_table(const Result& result) {
  std::string text = heading(result);
  if (!result.collectives.empty()) text += collectives_table(result);
  const std::string kernels = kernels_table(result);
  text += kernels;
  // A list of collectives or kernels has no training step to take apart.
  if (result.collectives.empty() && kernels.empty() && result.summary.step_time_s > 0)
    text += step_table(result.summary);
  for (const auto& note : result.notes) text += "# " + note + '\n';
  return text;
}

}  // namespace lockstep
