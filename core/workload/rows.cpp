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
                                          "collective", "fill", "verify",  "mark"};
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

}  // namespace

std::vector<CollectiveRow> collective_rows(const PlannedWorkload& planned, const Timeline& timeline, bool measured) {
  std::map<std::uint32_t, std::map<std::int64_t, Extent>> executions;
  for (const auto& record : timeline.operations)
    if (!record.warmup) executions[record.operation][record.iteration].add(record);
  std::vector<CollectiveRow> rows;
  for (const auto& entry : planned.rows) {
    CollectiveRow row;
    row.kind = entry.spec.kind;
    row.algorithm = entry.spec.algorithms.front();
    row.ranks = planned.plan.ranks;
    row.size_bytes = entry.spec.sizes.empty() ? 0 : entry.spec.sizes.front().count();
    row.type = std::string(to_string(entry.spec.type));
    if (reduces(entry.spec.kind)) row.reduction = std::string(to_string(entry.spec.reduction));
    std::vector<double> samples;
    for (const auto& [iteration, extent] : executions[entry.operation]) samples.push_back(extent.length_s());
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
                           const std::vector<CollectiveRow>& rows) {
  Summary summary;
  std::map<std::string, double> by_kind;
  for (const auto& row : rows) {
    summary.step_time_s += row.time_s;
    by_kind[std::string(to_string(row.kind))] += row.time_s;
  }
  summary.exposed_communication_s = summary.step_time_s;
  summary.exposed_communication_by_kind_s.assign(by_kind.begin(), by_kind.end());

  // Per rank: the time in the collectives' operations of one pass (the mean over counted iterations).
  std::vector<double> per_rank(static_cast<std::size_t>(planned.plan.ranks), 0);
  std::map<std::pair<std::uint32_t, Rank>, std::pair<double, std::int64_t>> sums;
  std::vector<bool> is_row;
  for (const auto& entry : planned.rows) {
    is_row.resize(std::max<std::size_t>(is_row.size(), entry.operation + 1), false);
    is_row[entry.operation] = true;
  }
  Duration last_end{std::numeric_limits<std::int64_t>::min()};
  for (const auto& record : timeline.operations) {
    if (record.warmup || record.operation >= is_row.size() || !is_row[record.operation]) continue;
    auto& [sum, count] = sums[{record.operation, record.rank}];
    sum += to_seconds(record.end - record.start);
    ++count;
    if (record.end > last_end) {
      last_end = record.end;
      summary.rank = record.rank;
    }
  }
  for (const auto& [key, value] : sums)
    per_rank[static_cast<std::size_t>(key.second)] += value.first / static_cast<double>(value.second);
  if (!per_rank.empty()) {
    summary.per_rank_min_s = *std::min_element(per_rank.begin(), per_rank.end());
    summary.per_rank_max_s = *std::max_element(per_rank.begin(), per_rank.end());
    double total = 0;
    for (const double t : per_rank) total += t;
    summary.per_rank_mean_s = total / static_cast<double>(per_rank.size());
  }
  return summary;
}

std::vector<OperationRow> operation_rows(const Plan& plan, const Timeline& timeline) {
  struct Sum {
    std::int64_t count = 0;
    double total = 0;
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
    ++sum.count;
    sum.total += time;
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
    row.mean_s = sum.total / static_cast<double>(sum.count);
    row.min_s = sum.least;
    row.max_s = sum.most;
    row.first_start_s = to_seconds(sum.first);
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace lockstep
