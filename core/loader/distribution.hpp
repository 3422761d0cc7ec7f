// What varies from sample to sample: sizes in bytes, times in picoseconds.
//
// A value is a whole number; draws are functions of their key alone, exact in every bit on every machine (no libm).
// Shapes: fixed; uniform; exponential (of the part above nothing); normal, as the sum of twelve uniform draws
// (Irwin-Hall: mean and deviation exact, tails end at six deviations), cut at 0; a table of quantiles, in between
// linear.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config/type.hpp"
#include "core/units/duration.hpp"
#include "core/units/quantity.hpp"

namespace lockstep {

struct Distribution {
  enum class Shape { fixed, uniform, exponential, normal, quantiles };
  Shape shape = Shape::fixed;
  std::int64_t mean = 0;
  std::int64_t deviation = 0;             ///< of uniform and normal; uniform spans mean -+ sqrt(3) deviations
  std::vector<std::int64_t> quantiles{};  ///< ascending: the values at 0, 1/(n-1), ..., 1

  /// The value that belongs to `key`: the same key, the same value. Never below 0.
  [[nodiscard]] std::int64_t draw(std::uint64_t key) const;
  /// The mean of what draw() returns (of quantiles: of the broken line; of normal: before it is cut at 0).
  [[nodiscard]] std::int64_t expected() const;
  [[nodiscard]] bool is_zero() const { return shape == Shape::fixed && mean == 0; }
};

inline Distribution fixed(std::int64_t value) { return {.mean = value}; }
inline Distribution fixed(Duration value) { return fixed(value.count()); }
inline Distribution fixed(Bytes value) { return fixed(value.count()); }

/// In files: `3ms`, `{mean: 3ms, deviation: 1ms}` (normal), `{mean: 3ms, shape: exponential}`,
/// `{mean: 3ms, deviation: 1ms, shape: uniform}` or `{quantiles: [1ms, 2ms, 9ms]}`.
config::Type<Distribution> duration_distribution();
/// The same of bytes.
config::Type<Distribution> bytes_distribution();

}  // namespace lockstep
