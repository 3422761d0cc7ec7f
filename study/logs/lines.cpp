#include "study/logs/lines.hpp"

#include <cmath>

namespace lockstep::logs {
namespace {

constexpr std::string_view blanks = " \t\r\v\f";

}  // namespace

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    lines.push_back(line);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  std::size_t begin = line.find_first_not_of(blanks);
  while (begin != std::string_view::npos) {
    const std::size_t end = line.find_first_of(blanks, begin);
    words.push_back(line.substr(begin, end == std::string_view::npos ? end : end - begin));
    begin = line.find_first_not_of(blanks, end);
  }
  return words;
}

std::vector<std::string_view> cells_of(std::string_view line) {
  std::vector<std::string_view> cells;
  for (const auto word : words_of(line)) {
    const bool joins =
        !cells.empty() && word.data() - (cells.back().data() + cells.back().size()) == 1 && *(word.data() - 1) == ' ';
    if (joins) {
      cells.back() = std::string_view(cells.back().data(),
                                      static_cast<std::size_t>(word.data() + word.size() - cells.back().data()));
    } else {
      cells.push_back(word);
    }
  }
  return cells;
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

double cell_number(std::string_view word, std::string_view column, const std::string& file, std::size_t line) {
  const auto number = number_of<double>(word);
  if (!number || !std::isfinite(*number) || *number < 0)
    throw InputError(fmt::format("{}:{}: column '{}': expected a number, found '{}'", file, line, column, word));
  return *number;
}

}  // namespace lockstep::logs
