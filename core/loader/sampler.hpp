// Which sample comes when: the same order for both clocks, from the seed alone.
//
// Contract:
//  - an epoch gives every index of a rank's share once (weighted: so many draws with replacement);
//  - rank r of R has places r, r + R, r + 2R, ... of the epoch's order, so shares differ by one sample at most;
//  - memory is that of the shuffle buffer; nothing grows with the number of samples.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/loader/permutation.hpp"
#include "core/loader/spec.hpp"

namespace lockstep {

/// Samples of `rank`'s share in one epoch.
std::int64_t share_of_rank(std::int64_t samples, int rank, int ranks);

/// The order of one epoch over all ranks; sequential, shuffle and weighted only (a buffer has a state: SampleStream).
class EpochOrder {
 public:
  EpochOrder(const SamplerSpec& spec, std::int64_t samples, std::int64_t epoch);
  /// The index at `place` of the epoch.
  [[nodiscard]] std::int64_t index(std::int64_t place) const;
  /// The place at which `index` stands; nullopt where an epoch may have it never or often (weighted).
  [[nodiscard]] std::optional<std::int64_t> place_of(std::int64_t index) const;

 private:
  SamplerSpec spec_;
  std::int64_t samples_;
  std::uint64_t key_;
  Permutation permutation_;
};

/// The samples of one rank, one after another, epoch after epoch.
class SampleStream {
 public:
  SampleStream(SamplerSpec spec, std::int64_t samples, int rank, int ranks);

  struct Sample {
    std::int64_t index = 0;
    std::int64_t epoch = 0;
    std::int64_t place = 0;  ///< in the epoch's order over all ranks
  };
  /// The next sample. A rank whose share is empty has none: ask share_of_rank first.
  Sample next();

 private:
  void begin_epoch();
  std::int64_t from_buffer();

  SamplerSpec spec_;
  std::int64_t samples_;
  int rank_, ranks_;
  std::int64_t share_;
  std::int64_t epoch_ = 0, position_ = 0;
  EpochOrder order_;
  std::vector<std::int64_t> buffer_;
  std::int64_t taken_ = 0;  // of the share, into the buffer
};

}  // namespace lockstep
