// How many elements every rank of a group has for every other one: the matrix of an all_to_all_v.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace lockstep {

/// Cheap to copy: copies share the matrix. A rank's source holds its blocks in the order of the receivers, its target
/// those that it gets in the order of the senders, both without gaps.
class PairCounts {
 public:
  PairCounts() = default;  ///< none: the collective is of another kind
  /// matrix[from * ranks + to], none negative.
  PairCounts(int ranks, std::vector<std::int64_t> matrix);

  [[nodiscard]] bool empty() const { return matrix_ == nullptr; }
  [[nodiscard]] int ranks() const { return ranks_; }
  [[nodiscard]] std::int64_t at(int from, int to) const { return (*matrix_)[index(from, to)]; }
  /// Elements of `from` in front of its block for `to`; to = ranks(): all of them.
  [[nodiscard]] std::int64_t sent_before(int from, int to) const { return to == 0 ? 0 : (*sent_)[index(from, to - 1)]; }
  /// Elements that `to` gets in front of the block of `from`; from = ranks(): all of them.
  [[nodiscard]] std::int64_t received_before(int to, int from) const {
    return from == 0 ? 0 : (*received_)[index(to, from - 1)];
  }
  /// The most that one rank sends, or gets, its block for itself included.
  [[nodiscard]] std::int64_t most_sent() const { return most_sent_; }
  [[nodiscard]] std::int64_t most_received() const { return most_received_; }
  [[nodiscard]] const std::vector<std::int64_t>& matrix() const { return *matrix_; }

  bool operator==(const PairCounts& other) const;

 private:
  [[nodiscard]] std::size_t index(int row, int column) const {
    return static_cast<std::size_t>(row) * static_cast<std::size_t>(ranks_) + static_cast<std::size_t>(column);
  }
  int ranks_ = 0;
  std::int64_t most_sent_ = 0;
  std::int64_t most_received_ = 0;
  std::shared_ptr<const std::vector<std::int64_t>> matrix_;
  std::shared_ptr<const std::vector<std::int64_t>> sent_;      ///< row sums up to and including a place
  std::shared_ptr<const std::vector<std::int64_t>> received_;  ///< column sums likewise, a row per receiver
};

/// A skewed exchange: every rank sends `count` elements; the destination that stands k-th in a random order of the
/// ranks, the same for all senders, gets a share proportional to 1/k^exponent (Zipf's law, as the popularity of experts
/// follows it). exponent 0: equal shares. The same on every platform: no libm but sqrt.
PairCounts zipf_counts(int ranks, std::int64_t count, double exponent, std::uint64_t seed);

}  // namespace lockstep
