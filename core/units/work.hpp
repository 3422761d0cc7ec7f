// Floating-point work, its rate, and counts with suffixes, beside core/units/quantity.hpp and parse.hpp.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/units/duration.hpp"

namespace lockstep {

/// Floating-point operations; a multiplication and an addition are two.
class Flops {
 public:
  constexpr Flops() = default;
  constexpr explicit Flops(std::int64_t n) : count_(n) {}
  [[nodiscard]] constexpr std::int64_t count() const { return count_; }
  constexpr auto operator<=>(const Flops&) const = default;

 private:
  std::int64_t count_ = 0;
};

class FlopRate {
 public:
  constexpr FlopRate() = default;
  static constexpr FlopRate per_second(std::int64_t n) { return FlopRate{n}; }
  [[nodiscard]] constexpr std::int64_t per_second() const { return flops_; }
  constexpr auto operator<=>(const FlopRate&) const = default;

 private:
  constexpr explicit FlopRate(std::int64_t n) : flops_(n) {}
  std::int64_t flops_ = 0;
};

/// Time of `work` at `rate`, to the nearest picosecond, in 128 bits. No work takes no time, whatever the rate; a rate
/// of zero with work to do is a broken invariant.
Duration work_time(Flops work, FlopRate rate);

// All throw UnitError (core/units/parse.hpp).
Flops parse_flops(std::string_view text);         ///< flop kflop Mflop Gflop Tflop Pflop
FlopRate parse_flop_rate(std::string_view text);  ///< the same per second: flop/s ... Pflop/s
std::int64_t parse_count(std::string_view text);  ///< a plain number, or one with k M G T, Ki Mi Gi Ti

/// Canonical text that parses back to exactly the same value.
std::string to_text(Flops f);
std::string to_text(FlopRate r);

}  // namespace lockstep
