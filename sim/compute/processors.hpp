// The processors that run the ranks' communication software: each rank does one job at a time, in order; `cores` of
// them run at once.
//
// Quantities: a job is (rank, duration), and the slice after which it gives its core to whoever waits, itself behind
// them. First come first served among the ranks that have work: the fluid limit of a
// fair scheduler whose time slice is one job, but for jobs with slices of their own. Of those that get work in one
// moment, the lowest rank is first: the order of calls within a moment changes nothing. When it is wrong: jobs longer
// than the kernel's slice, busy polling, unequal priorities.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "sim/fifo.hpp"

namespace lockstep::sim {

class Processors {
 public:
  /// `cores` <= 0: one per rank.
  Processors(std::size_t ranks, int cores)
      : ranks_(ranks), free_(cores > 0 ? cores : std::numeric_limits<int>::max()) {}

  struct Started {
    std::uint32_t rank = 0;
    std::int64_t duration = 0;
  };
  static constexpr std::int64_t whole = std::numeric_limits<std::int64_t>::max();
  /// Queues a job; `tag` comes back when it is done. It begins with dispatch().
  void submit(std::uint32_t rank, std::int64_t duration, std::uint64_t tag, std::int64_t slice = whole) {
    Rank& r = ranks_[rank];
    r.jobs.push({duration, slice, tag});
    if (r.jobs.size() == 1) fresh_.push_back(rank);
  }
  /// What dispatch() began of `rank` has passed: the tag of its job, or none where that was a slice and more is to
  /// come.
  std::optional<std::uint64_t> finish(std::uint32_t rank) {
    Rank& r = ranks_[rank];
    ++free_;
    Job& job = r.jobs.front();
    job.left -= std::min(job.left, job.slice);
    if (job.left > 0) {
      fresh_.push_back(rank);
      return std::nullopt;
    }
    const std::uint64_t tag = r.jobs.pop().tag;
    if (!r.jobs.empty()) fresh_.push_back(rank);
    return tag;
  }
  /// Once everything of a moment is known: appends the jobs that begin now to `started`.
  void dispatch(std::vector<Started>& started) {
    std::sort(fresh_.begin(), fresh_.end());
    for (const std::uint32_t rank : fresh_) waiting_.push(rank);
    fresh_.clear();
    while (free_ > 0 && !waiting_.empty()) {
      const std::uint32_t rank = waiting_.pop();
      --free_;
      const Job& job = ranks_[rank].jobs.front();
      started.push_back({rank, std::min(job.left, job.slice)});
    }
  }

 private:
  struct Job {
    std::int64_t left;
    std::int64_t slice;
    std::uint64_t tag;
  };
  struct Rank {
    Fifo<Job> jobs;  // the front one is running or waiting for a core
  };
  std::vector<Rank> ranks_;
  std::vector<std::uint32_t> fresh_;  // have got work in this moment
  Fifo<std::uint32_t> waiting_;
  int free_;
};

}  // namespace lockstep::sim
