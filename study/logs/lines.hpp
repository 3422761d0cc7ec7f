// Lines and words of text logs, with positions for messages.
#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.hpp"

namespace lockstep::logs {

/// The lines of a text without their ends ("\n" or "\r\n").
std::vector<std::string_view> lines_of(std::string_view text);

/// Words between blanks.
std::vector<std::string_view> words_of(std::string_view line);

/// Cells between runs of two or more blanks (or tabs): column titles may hold single blanks.
std::vector<std::string_view> cells_of(std::string_view line);

std::string lower_case(std::string_view text);

/// The whole word as a number, or nothing.
template <class Number>
std::optional<Number> number_of(std::string_view word) {
  Number number{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
  return number;
}

/// A finite number of at least 0; throws InputError "file:line: column 'time': expected a number, found 'abc'".
double cell_number(std::string_view word, std::string_view column, const std::string& file, std::size_t line);

}  // namespace lockstep::logs
