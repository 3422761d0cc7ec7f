// Random numbers for simulated time: exact in every bit on every machine, so without logarithms.
#pragma once

#include <cstdint>

#include "core/base/hash.hpp"

namespace lockstep {

/// Independent draws from a key: the k-th is a function of (key, k) alone.
class Draws {
 public:
  explicit Draws(std::uint64_t key) : key_(key) {}

  std::uint64_t bits() { return mix64(key_ ^ mix64(count_++)); }
  /// Uniform in [0, 1), a multiple of 2^-53.
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1.0p-53; }
  /// Uniform among 0 ... n - 1; n > 0 (Lemire's multiply and shift; off by less than n / 2^64).
  std::uint64_t below(std::uint64_t n) {
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(bits()) * n) >> 64);
  }
  /// Exponential with mean 1, by comparisons of uniform draws alone (von Neumann, "Various techniques used in
  /// connection with random digits", 1951): a run u1 > u2 > ... that ends at an odd place gives k + u1, k being the
  /// runs that ended at an even one.
  double exponential() {
    for (double whole = 0;; ++whole) {
      const double first = uniform();
      double last = first;
      bool odd = true;
      for (double next = uniform(); next < last; next = uniform()) {
        last = next;
        odd = !odd;
      }
      if (odd) return whole + first;
    }
  }

 private:
  std::uint64_t key_;
  std::uint64_t count_ = 0;
};

}  // namespace lockstep
