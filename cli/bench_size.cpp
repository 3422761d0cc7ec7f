#include "cli/bench_size.hpp"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include "core/base/error.hpp"

namespace lockstep::cli {

Bytes parse_bench_size(const std::string& text, const char* option) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  int shift = -1;
  if (unit.empty())
    shift = 0;
  else if (unit == "K" || unit == "k")
    shift = 10;
  else if (unit == "M" || unit == "m")
    shift = 20;
  else if (unit == "G" || unit == "g")
    shift = 30;
  if (error != std::errc{} || shift < 0 || value < 0 || value > (std::int64_t{1} << 40) >> shift)
    throw InputError(
        fmt::format("{} {}: not a size; write bytes, or K, M or G (powers of 1024), up to 1024G", option, text));
  return Bytes{value << shift};
}

}  // namespace lockstep::cli
