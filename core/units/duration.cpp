#include "core/units/duration.hpp"

#include <fmt/format.h>

#include <array>
#include <limits>

#include "core/base/error.hpp"
#include "core/units/digits.hpp"

namespace lockstep {

Duration from_seconds(double s) {
  const double picos = s * 1e12;
  // 2^63 is a double, 2^63 - 1 is not: the range is open above and closed below.
  if (!(picos >= -9223372036854775808.0 && picos < 9223372036854775808.0)) {
    throw InputError(fmt::format("{} s is outside the range of a duration (106 days either way)", s));
  }
  constexpr double whole_from =
      4503599627370496.0;  // 2^52: doubles from here on are whole numbers, adding 0.5 would spoil them
  if (picos >= whole_from || picos <= -whole_from) return Duration{static_cast<std::int64_t>(picos)};
  return Duration{static_cast<std::int64_t>(picos < 0 ? picos - 0.5 : picos + 0.5)};
}

std::string format_duration(Duration d) {
  struct Unit {
    const char* name;
    std::int64_t factor;
  };
  static constexpr std::array<Unit, 5> units = {
      Unit{"ps", 1}, {"ns", 1'000}, {"us", 1'000'000}, {"ms", 1'000'000'000}, {"s", 1'000'000'000'000}};
  const std::int64_t count = d.count();
  if (count == 0) return "0s";
  if (count < 0) {
    const auto magnitude =
        count == std::numeric_limits<std::int64_t>::min() ? std::numeric_limits<std::int64_t>::max() : -count;
    return fmt::format("-{}", format_duration(Duration{magnitude}));
  }
  std::size_t unit = 0;
  while (unit + 1 < units.size() && count >= units[unit + 1].factor) ++unit;
  bool carried = false;
  const std::string text = detail::three_digits(count, units[unit].factor, 1000, carried);
  if (carried && unit + 1 < units.size())
    return fmt::format("1{}", units[unit + 1].name);  // 999.6ns is 1us to three digits
  return fmt::format("{}{}", text, units[unit].name);
}

}  // namespace lockstep
