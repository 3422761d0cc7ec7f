#include "core/plan/pair_counts.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/base/error.hpp"
#include "core/base/hash.hpp"

namespace lockstep {
namespace {

// base^exponent for base >= 1 and exponent >= 0: whole powers by products, the rest by the bits of the fraction, each a
// square root of the one before.
double power(double base, double exponent) {
  double result = 1;
  double whole = std::floor(exponent);
  double fraction = exponent - whole;
  for (; whole > 0; --whole) result *= base;
  double root = base;
  for (int bit = 0; bit < 30 && fraction > 0; ++bit) {
    root = std::sqrt(root);
    fraction *= 2;
    if (fraction >= 1) {
      result *= root;
      fraction -= 1;
    }
  }
  return result;
}

}  // namespace

PairCounts::PairCounts(int ranks, std::vector<std::int64_t> matrix) : ranks_(ranks) {
  LOCKSTEP_CHECK(matrix.size() == static_cast<std::size_t>(ranks) * static_cast<std::size_t>(ranks),
                 "{} counts for {} ranks", matrix.size(), ranks);
  std::vector<std::int64_t> sent(matrix.size(), 0);
  std::vector<std::int64_t> received(matrix.size(), 0);
  for (int rank = 0; rank < ranks; ++rank) {
    std::int64_t out = 0;
    std::int64_t in = 0;
    for (int other = 0; other < ranks; ++other) {
      LOCKSTEP_CHECK(matrix[index(rank, other)] >= 0, "{} elements from {} to {}", matrix[index(rank, other)], rank,
                     other);
      sent[index(rank, other)] = out += matrix[index(rank, other)];
      received[index(rank, other)] = in += matrix[index(other, rank)];
    }
    most_sent_ = std::max(most_sent_, out);
    most_received_ = std::max(most_received_, in);
  }
  matrix_ = std::make_shared<const std::vector<std::int64_t>>(std::move(matrix));
  sent_ = std::make_shared<const std::vector<std::int64_t>>(std::move(sent));
  received_ = std::make_shared<const std::vector<std::int64_t>>(std::move(received));
}

bool PairCounts::operator==(const PairCounts& other) const {
  if (matrix_ == other.matrix_) return true;
  return matrix_ != nullptr && other.matrix_ != nullptr && ranks_ == other.ranks_ && *matrix_ == *other.matrix_;
}

PairCounts zipf_counts(int ranks, std::int64_t count, double exponent, std::uint64_t seed) {
  // Destinations by falling popularity.
  std::vector<std::pair<std::uint64_t, int>> order;
  for (int r = 0; r < ranks; ++r) order.emplace_back(mix64(mix64(seed) ^ static_cast<std::uint64_t>(r)), r);
  std::sort(order.begin(), order.end());
  std::vector<double> until{0};
  for (int k = 1; k <= ranks; ++k) until.push_back(until.back() + 1 / power(k, exponent));
  std::vector<std::int64_t> row(static_cast<std::size_t>(ranks), 0);
  std::int64_t dealt = 0;
  for (int k = 0; k < ranks; ++k) {
    const auto place = static_cast<std::size_t>(k);
    const std::int64_t end =
        k + 1 == ranks ? count
                       : static_cast<std::int64_t>(static_cast<double>(count) * (until[place + 1] / until.back()));
    row[static_cast<std::size_t>(order[place].second)] = std::max<std::int64_t>(end - dealt, 0);
    dealt = std::max(dealt, end);
  }
  std::vector<std::int64_t> matrix;
  matrix.reserve(static_cast<std::size_t>(ranks) * static_cast<std::size_t>(ranks));
  for (int from = 0; from < ranks; ++from) matrix.insert(matrix.end(), row.begin(), row.end());
  return {ranks, std::move(matrix)};
}

}  // namespace lockstep
