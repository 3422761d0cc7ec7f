#include "study/runs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/base/error.hpp"
#include "core/base/statistics.hpp"

namespace lockstep {

RunStatistics::RunStatistics(Result first) : first_(std::move(first)), times_(first_.collectives.size()) {
  add(first_);
}

void RunStatistics::add(const Result& run) {
  LOCKSTEP_CHECK(run.collectives.size() == times_.size(), "{} rows in one run, {} in another", run.collectives.size(),
                 times_.size());
  for (std::size_t i = 0; i < times_.size(); ++i) times_[i].push_back(run.collectives[i].time_s);
  summaries_.push_back(run.summary);
}

Result RunStatistics::result() const {
  Result result = first_;
  for (std::size_t i = 0; i < times_.size(); ++i) {
    CollectiveRow& row = result.collectives[i];
    row.time_s = median(times_[i]);
    row.min_s = *std::min_element(times_[i].begin(), times_[i].end());
    row.p5_s = percentile(times_[i], 0.05);
    row.p95_s = percentile(times_[i], 0.95);
    row.iterations = static_cast<std::int64_t>(times_[i].size());
    row.samples_s = times_[i];
  }
  std::vector<std::size_t> order(summaries_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return summaries_[a].step_time_s < summaries_[b].step_time_s; });
  result.summary = summaries_[order[(order.size() - 1) / 2]];
  result.notes.push_back(fmt::format("{} runs, seeds {} to {}: times are medians; operations are of the first run",
                                     summaries_.size(), first_.seed, first_.seed + summaries_.size() - 1));
  return result;
}

}  // namespace lockstep
