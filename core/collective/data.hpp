// The data of collectives: arithmetic that every executor shares, input patterns, and the check of every element.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/plan/pair_counts.hpp"
#include "core/plan/types.hpp"

namespace lockstep {

/// target[i] = target[i] (reduction) source[i], `count` elements. `average` sums here and divides in finish_average.
/// bfloat16 goes through float and rounds to nearest even. int32 wraps.
void combine_elements(ElementType type, Reduction reduction, const std::byte* source, std::byte* target,
                      std::int64_t count);

/// target[i] /= ranks (integers truncate towards zero).
void finish_average(ElementType type, std::byte* target, std::int64_t count, int ranks);

/// What a collective works on, as far as its data are concerned.
struct DataRequest {
  CollectiveKind kind = CollectiveKind::all_reduce;
  int rank = 0;
  int size = 1;
  std::int64_t count = 0;  ///< elements of the whole buffer of one rank
  int root = 0;
  ElementType type = ElementType::float32;
  Reduction reduction = Reduction::sum;
  const PairCounts* counts = nullptr;  ///< of all_to_all_v
  std::uint64_t seed = 0;              ///< varies the pattern from iteration to iteration
};

/// Writes this rank's input (small integers that every type holds exactly, so that sums are exact in any order for up
/// to 64 ranks in bfloat16 and far more in the others) into `source`; `target` (may be the same memory) gets a value
/// that the result cannot have wherever the collective will write.
void fill_input(const DataRequest& request, std::span<std::byte> source, std::span<std::byte> target);

/// Number of elements of this rank's result that are not the expected ones.
std::int64_t count_wrong(const DataRequest& request, std::span<const std::byte> target);

}  // namespace lockstep
