#include "sim/row_summary.hpp"

#include <map>
#include <string>

namespace lockstep::sim {

Summary summary_of(std::span<const CollectiveRow> rows, std::span<const OperationRow> operations) {
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
  summary.per_rank_min_s = summary.per_rank_mean_s = summary.per_rank_max_s = summary.step_time_s;
  summary.exposed_communication_by_kind_s.assign(by_kind.begin(), by_kind.end());
  return summary;
}

}  // namespace lockstep::sim
