#include "core/units/digits.hpp"

#include <fmt/format.h>

namespace lockstep::detail {

std::string three_digits(std::int64_t value, std::int64_t unit, std::int64_t limit, bool& carried) {
  const std::int64_t whole = value / unit;
  int decimals = whole >= 100 ? 0 : whole >= 10 ? 1 : 2;
  std::int64_t power = decimals == 0 ? 1 : decimals == 1 ? 10 : 100;
  const auto wide = static_cast<__int128>(value) * power;
  auto rounded = static_cast<std::int64_t>((wide + unit / 2) / unit);
  carried = rounded >= limit * power;
  std::string text = fmt::format("{}", rounded / power);
  std::int64_t rest = rounded % power;
  if (rest != 0) {
    while (rest % 10 == 0) {
      rest /= 10;
      --decimals;
    }
    text += fmt::format(".{:0{}}", rest, decimals);
  }
  return text;
}

}  // namespace lockstep::detail
