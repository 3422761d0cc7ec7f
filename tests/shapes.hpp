// What some kinds and algorithms ask for beside a size: counts of all_to_all_v, nodes, dimensions.
#pragma once

#include <vector>

#include "core/base/hash.hpp"
#include "core/plan/plan.hpp"

namespace lockstep::test {

/// Skewed counts, even ones, or some with many empty blocks, by `number`.
inline PairCounts varied_counts(int ranks, std::int64_t count, int number) {
  if (number % 3 != 0) return zipf_counts(ranks, count, number % 3 * 0.75 - 0.75, static_cast<std::uint64_t>(number));
  std::vector<std::int64_t> matrix;
  for (int pair = 0; pair < ranks * ranks; ++pair) {
    const std::uint64_t random = mix64(static_cast<std::uint64_t>(number) * 4096 + static_cast<std::uint64_t>(pair));
    matrix.push_back(
        random % 4 == 0 ? 0 : static_cast<std::int64_t>(random % static_cast<std::uint64_t>(count / ranks + 1)));
  }
  return {ranks, matrix};
}

/// Gives the collective what its kind and algorithm need, varied by `number`; its count may change.
inline void give_shape(Collective& collective, int ranks, int number) {
  if (collective.kind == CollectiveKind::all_to_all_v) {
    collective.counts = varied_counts(ranks, collective.count, number);
    collective.count = collective.counts.most_sent();
  }
  std::vector<int> divisors;
  for (int d = 1; d <= ranks; ++d)
    if (ranks % d == 0) divisors.push_back(d);
  const int divisor = divisors[static_cast<std::size_t>(number) % divisors.size()];
  collective.ranks_per_node = divisor;
  if (number % 3 == 1) collective.dimensions = {divisor, ranks / divisor, 0};
  if (number % 3 == 2) {
    const int rest = ranks / divisor;
    collective.dimensions = rest % 2 == 0 ? Dimensions{2, divisor, rest / 2} : Dimensions{divisor, 1, rest};
  }
}

}  // namespace lockstep::test
