// A shuffle without a list: a permutation of 0 ... n - 1 that is computed where it is asked, in both directions.
//
// Method: a Feistel network over the next power of two, whose outputs beyond n are sent through it again (cycle
// walking; Black and Rogaway, "Ciphers with arbitrary finite domains", 2002). Less than two walks on average; memory
// O(1).
#pragma once

#include <bit>
#include <cstdint>

#include "core/base/hash.hpp"

namespace lockstep {

class Permutation {
 public:
  Permutation(std::uint64_t n, std::uint64_t key) : n_(n), key_(mix64(key)) {
    const int bits = n > 2 ? static_cast<int>(std::bit_width(n - 1)) : 2;
    right_bits_ = bits / 2;
    right_mask_ = (std::uint64_t{1} << right_bits_) - 1;
    left_mask_ = (std::uint64_t{1} << (bits - right_bits_)) - 1;
  }
  /// What stands at `place` (< n).
  [[nodiscard]] std::uint64_t operator()(std::uint64_t place) const {
    if (n_ < 2) return place;
    do {
      std::uint64_t left = place >> right_bits_;
      std::uint64_t right = place & right_mask_;
      for (std::uint64_t round = 0; round < rounds; round += 2) {
        left ^= mix(right, round) & left_mask_;
        right ^= mix(left, round + 1) & right_mask_;
      }
      place = left << right_bits_ | right;
    } while (place >= n_);
    return place;
  }
  /// Where `value` (< n) stands.
  [[nodiscard]] std::uint64_t place_of(std::uint64_t value) const {
    if (n_ < 2) return value;
    do {
      std::uint64_t left = value >> right_bits_;
      std::uint64_t right = value & right_mask_;
      for (std::uint64_t round = rounds; round > 0; round -= 2) {
        right ^= mix(left, round - 1) & right_mask_;
        left ^= mix(right, round - 2) & left_mask_;
      }
      value = left << right_bits_ | right;
    } while (value >= n_);
    return value;
  }

 private:
  static constexpr std::uint64_t rounds = 6;
  [[nodiscard]] std::uint64_t mix(std::uint64_t half, std::uint64_t round) const {
    return mix64(key_ + (half << 3 | round));
  }
  std::uint64_t n_, key_;
  int right_bits_ = 1;
  std::uint64_t right_mask_ = 1, left_mask_ = 1;
};

}  // namespace lockstep
