// Whole numbers in text that programs wrote (status files, headers, frames): the whole text must be the number. What
// people wrote, with units, is core/units/parse.hpp.
#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string_view>

namespace lockstep {

/// nullopt for an empty text, blanks, a sign that the type has not, anything after the number, or a number that the
/// type cannot hold.
template <std::integral Integer>
std::optional<Integer> whole_number_in(std::string_view text, int base = 10) {
  Integer value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  if (text.empty() || error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

}  // namespace lockstep
