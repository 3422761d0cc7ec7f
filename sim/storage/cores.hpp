// The cores of a host under the workers of its loaders: jobs, first come first served, each on one core.
//
// Quantities: picoseconds. Where there are as many cores as workers nothing waits. While other cores are busy a job
// takes up to `slowdown` times as long (shared caches, clocks, hyper-threads): in proportion to how many of the others
// are. When it is wrong: a kernel deals time slices; a job longer than the others' then ends later than here, the sum
// of work done is the same. Calls come in the order of time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace lockstep::sim {

class Cores {
 public:
  /// `count` <= 0: a core for everybody.
  Cores(int count, double slowdown)
      : free_(static_cast<std::size_t>(std::max(count, 0))), extra_(count > 1 ? (slowdown - 1) / (count - 1) : 0) {}

  struct Span {
    std::int64_t start = 0, end = 0;
  };
  Span run(std::int64_t now, std::int64_t duration) {
    if (free_.empty()) return {now, now + duration};
    std::size_t earliest = 0;
    int busy = 0;
    for (std::size_t i = 0; i < free_.size(); ++i) {
      if (free_[i] < free_[earliest]) earliest = i;
      if (free_[i] > now) ++busy;
    }
    const std::int64_t start = std::max(now, free_[earliest]);
    if (start > now) --busy;  // the one that it waits for
    if (extra_ != 0)
      duration += static_cast<std::int64_t>(static_cast<double>(duration) * extra_ * static_cast<double>(busy));
    free_[earliest] = start + duration;
    return {start, free_[earliest]};
  }

 private:
  std::vector<std::int64_t> free_;  // from when on
  double extra_;
};

}  // namespace lockstep::sim
