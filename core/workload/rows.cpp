#include "core/workload/rows.hpp"

#include <algorithm>
#include <limits>
#include <map>

#include "core/base/statistics.hpp"
#include "core/plan/program.hpp"

namespace lockstep {
namespace {

std::string kind_of(const Action& action) {
  static constexpr const char* names[] = {"compute",    "send", "receive", "combine", "copy",
                                          "collective", "fill", "verify",  "mark",    "prepare"};
  return names[action.index()];
}

struct Extent {
  Duration start{std::numeric_limits<std::int64_t>::max()};
  Duration end{std::numeric_limits<std::int64_t>::min()};
  void add(const OperationRecord& record) {
    start = std::min(start, record.start);
    end = std::max(end, record.end);
  }
  [[nodiscard]] double length_s() const { return to_seconds(end - start); }
};

/// By operation: the time of each execution, in the order of the iterations.
class Executions {
 public:
  explicit Executions(const Timeline& timeline) {
    for (const auto& record : timeline.operations)
      if (!record.warmup) extents_[record.operation][record.iteration].add(record);
  }
  [[nodiscard]] std::vector<double> samples_of(std::uint32_t operation) const {
    std::vector<double> samples;
    if (const auto found = extents_.find(operation); found != extents_.end())
      for (const auto& [iteration, extent] : found->second) samples.push_back(extent.length_s());
    return samples;
  }

 private:
  std::map<std::uint32_t, std::map<std::int64_t, Extent>> extents_;
};

KernelFigures figures_of(const Kernel& kernel) {
  KernelFigures figures;
  figures.kernel = to_text(kernel);
  figures.flops = kernel.flops().count();
  figures.memory_bytes = kernel.traffic().count();
  return figures;
}

void add_kernels(const PlannedWorkload& planned, const Timeline& timeline, bool measured,
                 std::vector<OperationRow>& rows) {
  if (planned.kernels.empty()) return;
  const Executions executions(timeline);
  for (const auto& entry : planned.kernels) {
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const OperationRow& candidate) {
      return candidate.kind == "compute" && candidate.name == entry.name;
    });
    std::vector<double> samples = executions.samples_of(entry.operation);
    if (row == rows.end() || samples.empty()) continue;
    KernelFigures figures = figures_of(entry.kernel);
    figures.time_s = median(samples);
    if (measured) {
      figures.p95_s = percentile(samples, 0.95);
      figures.iterations = static_cast<std::int64_t>(samples.size());
      figures.samples_s = std::move(samples);
    }
    row->kernel = std::move(figures);
  }
}

}  // namespace

std::vector<CollectiveRow> collective_rows(const PlannedWorkload& planned, const Timeline& timeline, bool measured) {
  const Executions executions(timeline);
  std::vector<CollectiveRow> rows;
  for (const auto& entry : planned.rows) {
    CollectiveRow row;
    row.kind = entry.spec.kind;
    row.algorithm = entry.spec.algorithms.front();
    row.ranks = planned.plan.ranks;
    row.size_bytes = entry.spec.sizes.empty() ? 0 : entry.spec.sizes.front().count();
    row.type = std::string(to_string(entry.spec.type));
    if (reduces(entry.spec.kind)) row.reduction = std::string(to_string(entry.spec.reduction));
    std::vector<double> samples = executions.samples_of(entry.operation);
    if (!samples.empty()) row.time_s = median(samples);
    if (measured && !samples.empty()) {
      row.min_s = *std::min_element(samples.begin(), samples.end());
      row.p95_s = percentile(samples, 0.95);
      row.iterations = static_cast<std::int64_t>(samples.size());
      row.samples_s = std::move(samples);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

Summary collective_summary(const PlannedWorkload& planned, const Timeline& timeline,
                           const std::vector<CollectiveRow>& rows, const std::vector<OperationRow>& operations) {
  Summary summary;
  std::map<std::string, double> by_kind;
  for (const auto& row : rows) {
    summary.step_time_s += row.time_s;
    by_kind[std::string(to_string(row.kind))] += row.time_s;
  }
  summary.exposed_communication_s = summary.step_time_s;
  for (const auto& row : operations)
    if (row.kernel) summary.compute_s += row.kernel->time_s;
  summary.step_time_s += summary.compute_s;
  summary.exposed_communication_by_kind_s.assign(by_kind.begin(), by_kind.end());

  // Per rank: the time in the rows' operations of one pass (the mean over counted iterations), in whole
  // picoseconds, so that ranks that were simulated as one give the same mean as each of them.
  struct Sum {
    std::int64_t time = 0;
    std::int64_t count = 0;
  };
  struct PerRank {
    std::int64_t ranks = 1;
    std::map<std::uint32_t, Sum> operations;
  };
  std::map<Rank, PerRank> by_rank;
  std::vector<bool> is_row;
  const auto count_in = [&](std::uint32_t operation) {
    is_row.resize(std::max<std::size_t>(is_row.size(), operation + 1), false);
    is_row[operation] = true;
  };
  for (const auto& entry : planned.rows) count_in(entry.operation);
  for (const auto& entry : planned.kernels) count_in(entry.operation);
  Duration last_end{std::numeric_limits<std::int64_t>::min()};
  for (const auto& record : timeline.operations) {
    if (record.warmup || record.operation >= is_row.size() || !is_row[record.operation]) continue;
    PerRank& rank = by_rank[record.rank];
    rank.ranks = record.ranks;
    Sum& sum = rank.operations[record.operation];
    sum.time += (record.end - record.start).count();
    ++sum.count;
    if (record.end > last_end) {
      last_end = record.end;
      summary.rank = record.rank;
    }
  }
  if (planned.plan.ranks > 0) {
    std::int64_t counted = 0;
    std::int64_t least = std::numeric_limits<std::int64_t>::max();
    std::int64_t most = 0;
    __int128 total = 0;
    for (const auto& [rank, entry] : by_rank) {
      std::int64_t time = 0;
      for (const auto& [operation, sum] : entry.operations) time += sum.time / sum.count;
      least = std::min(least, time);
      most = std::max(most, time);
      total += static_cast<__int128>(time) * entry.ranks;
      counted += entry.ranks;
    }
    if (counted < planned.plan.ranks) least = 0;  // some take no part
    summary.per_rank_min_s = to_seconds(Duration{least});
    summary.per_rank_max_s = to_seconds(Duration{most});
    summary.per_rank_mean_s = static_cast<double>(total) / static_cast<double>(planned.plan.ranks) * 1e-12;
  }
  return summary;
}

std::vector<OperationRow> operation_rows(const PlannedWorkload& planned, const Timeline& timeline, bool measured) {
  const Plan& plan = planned.plan;
  struct Sum {
    std::int64_t count = 0;
    __int128 total = 0;  // picoseconds
    double least = std::numeric_limits<double>::max();
    double most = 0;
    Duration first{std::numeric_limits<std::int64_t>::max()};
    std::uint32_t stream = 0;
  };
  std::map<std::pair<std::uint32_t, std::uint32_t>, Sum> sums;
  for (const auto& record : timeline.operations) {
    if (record.warmup) continue;
    Sum& sum = sums[{record.role, record.operation}];
    const double time = to_seconds(record.end - record.start);
    sum.count += record.ranks;
    sum.total += static_cast<__int128>((record.end - record.start).count()) * record.ranks;
    sum.least = std::min(sum.least, time);
    sum.most = std::max(sum.most, time);
    sum.first = std::min(sum.first, record.start);
    sum.stream = record.stream;
  }
  std::vector<Program> programs;
  for (const auto& role : plan.roles) programs.push_back(compile(role));
  std::vector<OperationRow> rows;
  for (const auto& [key, sum] : sums) {
    const Operation& operation = *programs[key.first].by_id[key.second]->operation;
    OperationRow row;
    row.role = plan.roles[key.first].name;
    row.stream = plan.roles[key.first].streams[sum.stream].name;
    row.name = operation.name;
    row.kind = kind_of(operation.action);
    row.count = sum.count;
    row.mean_s = static_cast<double>(sum.total) / static_cast<double>(sum.count) * 1e-12;
    row.min_s = sum.least;
    row.max_s = sum.most;
    row.first_start_s = to_seconds(sum.first);
    rows.push_back(std::move(row));
  }
  add_kernels(planned, timeline, measured, rows);
  return rows;
}

OperationRow kernel_row(const PlannedWorkload& planned, const PlannedKernel& kernel, Duration time) {
  OperationRow row;
  row.role = planned.plan.roles.front().name;
  row.stream = planned.plan.roles.front().streams.front().name;
  row.name = kernel.name;
  row.kind = "compute";
  row.count = planned.plan.ranks;
  row.mean_s = row.min_s = row.max_s = to_seconds(time);
  row.kernel = figures_of(kernel.kernel);
  row.kernel->time_s = to_seconds(time);
  return row;
}

}  // namespace lockstep
