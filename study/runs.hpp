// Several simulations of one plan, with one seed each, as one result: what random routes and faults do to it.
//
// Contract:
//  - the runs have the same rows in the same order;
//  - a row's time_s is the median over the runs, min_s the least, p5_s and p95_s the 5th and 95th percentile,
//    iterations their number, samples_s every run's time in the order of the seeds;
//  - summary, operations and the rest are the first run's, except step_time_s and what adds up to it: those are of the
//    run with the median step time (the lower one of two).
#pragma once

#include <vector>

#include "core/timeline/result.hpp"

namespace lockstep {

class RunStatistics {
 public:
  explicit RunStatistics(Result first);
  void add(const Result& run);
  [[nodiscard]] Result result() const;

 private:
  Result first_;
  std::vector<std::vector<double>> times_;  ///< by row, then by run
  std::vector<Summary> summaries_;
};

}  // namespace lockstep
