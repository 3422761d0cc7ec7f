// Three significant digits in integer arithmetic, for format_duration, format_bytes and format_bandwidth.
#pragma once

#include <cstdint>
#include <string>

namespace lockstep::detail {

/// value / unit with three significant digits, rounded half up, without trailing zeros ("12.3", "1.5", "250"); four
/// digits stay where the whole part has four. value >= 0, unit > 0. `carried` becomes true when rounding reached
/// `limit`.
std::string three_digits(std::int64_t value, std::int64_t unit, std::int64_t limit, bool& carried);

}  // namespace lockstep::detail
