// Small helpers for messages: the nearest valid name, joined lists, text tables.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

/// The candidate nearest to `word` (Damerau-Levenshtein distance, at most a third of the word's length, at least 1);
/// empty if none is near.
std::string nearest_name(std::string_view word, std::span<const std::string> candidates);

/// "unknown X 'word'; did you mean 'y'? Known: a, b, c": one wording for the whole program.
std::string unknown_name(std::string_view what, std::string_view word, std::span<const std::string> candidates);

/// What a user wrote, for a message about it: cut after 60 bytes at most, never inside a character, with "..." then.
std::string shown(std::string_view text);

std::string join(std::span<const std::string> parts, std::string_view separator);

/// Rows of cells set in columns, the first row being the header; numbers (cells that start with a digit, sign or dot)
/// align right. Every line ends with '\n', no trailing blanks.
std::string format_table(const std::vector<std::vector<std::string>>& rows);

}  // namespace lockstep
