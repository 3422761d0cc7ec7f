// exp() that a compiler turns into vector instructions: no branches, no calls, no table.
//
// e^x = 2^n e^r with n = x / ln 2 rounded and |r| <= ln 2 / 2 = 0.347, where the Taylor series to the power 7 (float)
// or 13 (double) is exact to the last bits: 0.347^8 / 8! = 5e-9, 0.347^14 / 14! = 4e-18. ln 2 is subtracted in two
// parts, of which the first times n is exact (Cody and Waite, "Software Manual for the Elementary Functions", 1980).
// Adding 1.5 times 2 to the number of fraction bits rounds to a whole number and leaves it in the low bits, which
// become the exponent of 2^n.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

namespace lockstep::real {

/// For |x| <= 87 (float) or 708 (double), where result and 2^n are normal numbers: comparisons that would cut x there
/// cost ten times as much as all the rest. Kernels have inputs of their own, which are small.
template <class T>
inline T exponential(T x) {
  constexpr bool single = std::is_same_v<T, float>;
  using Bits = std::conditional_t<single, std::uint32_t, std::uint64_t>;
  constexpr int fraction = single ? 23 : 52;
  constexpr Bits bias = single ? 127 : 1023;
  constexpr T rounder = static_cast<T>(Bits{3} << (fraction - 1));
  constexpr T high = single ? T(0.693359375) : T(0x1.62e42fee00000p-1);
  constexpr T low = single ? T(-2.12194440054690583e-4) : T(1.90821492927058770e-10);
  constexpr T series[] = {1,
                          1,
                          T(1) / 2,
                          T(1) / 6,
                          T(1) / 24,
                          T(1) / 120,
                          T(1) / 720,
                          T(1) / 5040,
                          T(1) / 40320,
                          T(1) / 362880,
                          T(1) / 3628800,
                          T(1) / 39916800,
                          T(1) / 479001600,
                          T(1) / 6227020800};
  constexpr int degree = single ? 7 : 13;
  const T shifted = x * T(1.44269504088896340736) + rounder;
  const T n = shifted - rounder;
  const T r = (x - n * high) - n * low;
  T sum = series[degree];
  for (int i = degree - 1; i >= 0; --i) sum = sum * r + series[i];
  const Bits power = (std::bit_cast<Bits>(shifted) << fraction) + (bias << fraction);
  return sum * std::bit_cast<T>(power);
}

}  // namespace lockstep::real
