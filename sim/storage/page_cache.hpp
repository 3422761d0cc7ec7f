// The page cache of the hosts, least recently used out first, without a list of what it holds.
//
// Quantities: sizes in bytes; places in the order of an epoch. A sample is in the cache if what its host has read since
// it read the sample last fits. Where that was is the inverse of the epoch's permutation; how much distinct data came
// since is, in a random order, N (1 - product of (1 - f)) for the fractions f of the dataset that each epoch's part
// read (its expectation; the deviation is of order sqrt(N)), in a sequential one the whole share of the host. Assumes
// samples of the mean size. Weighted orders have no inverse: a sample counts as held with the probability that a cache
// of this size holds any, once it has been read. When it is wrong: other data in the cache, read-ahead beyond a sample,
// a kernel that is not LRU.
#pragma once

#include <cstdint>
#include <vector>

#include "core/loader/sampler.hpp"
#include "core/loader/spec.hpp"

namespace lockstep::sim {

class PageCache {
 public:
  PageCache(const LoaderSpec& spec, int ranks, int ranks_per_host);

  /// Is the sample in its host's cache when it is read at `place` of `epoch`? `taken` bytes of the memory are used by
  /// others. Call it in the order of the reads.
  [[nodiscard]] bool holds(const SampleStream::Sample& sample, std::int64_t taken);

 private:
  [[nodiscard]] int host_of_place(std::int64_t place) const {
    return static_cast<int>(place % ranks_) / ranks_per_host_;
  }
  [[nodiscard]] bool fits(double samples, std::int64_t taken) const;
  [[nodiscard]] const EpochOrder& order(std::int64_t epoch);
  [[nodiscard]] bool holds_weighted(const SampleStream::Sample& sample, std::int64_t taken);

  SamplerSpec sampler_;
  CacheSpec cache_;
  std::int64_t samples_;
  double bytes_per_sample_;  // in pages, where every sample is a file
  int ranks_, ranks_per_host_, hosts_;
  std::vector<EpochOrder> orders_;  // of the epochs last asked for
  std::vector<std::int64_t> order_epochs_;
  std::vector<bool> seen_;  // weighted orders alone: a bit per sample
  std::uint64_t draws_ = 0;
};

}  // namespace lockstep::sim
