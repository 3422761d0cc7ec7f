#include "core/units/parse.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "core/base/number.hpp"
#include "core/base/text.hpp"
#include "core/units/work.hpp"

namespace lockstep {
namespace {

using Wide = unsigned __int128;

struct Unit {
  std::string_view name;
  std::int64_t factor;  ///< in the base unit: picoseconds, bytes, bits per second
};

/// A spelling that people use for a unit of ours, and what they probably mean by it.
struct Slip {
  std::string_view written;
  std::string_view meant;
};

struct Quantity {
  std::string_view name;     ///< "bandwidth"
  std::string_view article;  ///< "a bandwidth"
  std::string_view base;     ///< "bits per second"
  std::string_view allowed;  ///< the list for messages
  std::span<const Unit> units;
  std::span<const Slip> slips;
};

constexpr std::int64_t kilo = 1'000, mega = kilo * kilo, giga = mega * kilo, tera = giga * kilo;

constexpr std::array duration_units = {Unit{"ps", 1},   Unit{"ns", kilo},       Unit{"us", mega},      Unit{"ms", giga},
                                       Unit{"s", tera}, Unit{"min", 60 * tera}, Unit{"h", 3600 * tera}};
constexpr std::array duration_slips = {Slip{"\xC2\xB5s", "'us'"},  Slip{"\xCE\xBCs", "'us'"}, Slip{"usec", "'us'"},
                                       Slip{"nsec", "'ns'"},       Slip{"msec", "'ms'"},      Slip{"sec", "'s'"},
                                       Slip{"secs", "'s'"},        Slip{"second", "'s'"},     Slip{"seconds", "'s'"},
                                       Slip{"m", "'ms' or 'min'"}, Slip{"minutes", "'min'"},  Slip{"minute", "'min'"},
                                       Slip{"hour", "'h'"},        Slip{"hours", "'h'"},      Slip{"hr", "'h'"}};

constexpr std::array byte_units = {Unit{"B", 1},           Unit{"kB", kilo},       Unit{"MB", mega},
                                   Unit{"GB", giga},       Unit{"TB", tera},       Unit{"KiB", 1LL << 10},
                                   Unit{"MiB", 1LL << 20}, Unit{"GiB", 1LL << 30}, Unit{"TiB", 1LL << 40}};
constexpr std::array byte_slips = {Slip{"KB", "'kB' (1000 bytes) or 'KiB' (1024 bytes)"},
                                   Slip{"k", "'KiB' (1024 bytes) or 'kB' (1000 bytes)"},
                                   Slip{"K", "'KiB' (1024 bytes) or 'kB' (1000 bytes)"},
                                   Slip{"M", "'MiB' (2^20 bytes) or 'MB' (10^6 bytes)"},
                                   Slip{"G", "'GiB' (2^30 bytes) or 'GB' (10^9 bytes)"},
                                   Slip{"T", "'TiB' (2^40 bytes) or 'TB' (10^12 bytes)"},
                                   Slip{"b", "'B' (bytes)"},
                                   Slip{"bytes", "'B'"},
                                   Slip{"byte", "'B'"}};

constexpr std::array bandwidth_units = {Unit{"bps", 1},          Unit{"kbps", kilo},       Unit{"Mbps", mega},
                                        Unit{"Gbps", giga},      Unit{"Tbps", tera},       Unit{"B/s", 8},
                                        Unit{"kB/s", 8 * kilo},  Unit{"MB/s", 8 * mega},   Unit{"GB/s", 8 * giga},
                                        Unit{"TB/s", 8 * tera},  Unit{"KiB/s", 8LL << 10}, Unit{"MiB/s", 8LL << 20},
                                        Unit{"GiB/s", 8LL << 30}};
constexpr std::array bandwidth_slips = {Slip{"bit/s", "'bps'"},
                                        Slip{"kbit/s", "'kbps'"},
                                        Slip{"Mbit/s", "'Mbps'"},
                                        Slip{"Gbit/s", "'Gbps'"},
                                        Slip{"Tbit/s", "'Tbps'"},
                                        Slip{"kbit", "'kbps'"},
                                        Slip{"Mbit", "'Mbps'"},
                                        Slip{"Gbit", "'Gbps'"},
                                        Slip{"Tbit", "'Tbps'"},
                                        Slip{"b/s", "'bps' (bits)"},
                                        Slip{"kb/s", "'kbps' (bits)"},
                                        Slip{"Mb/s", "'Mbps' (bits)"},
                                        Slip{"Gb/s", "'Gbps' (bits)"},
                                        Slip{"Tb/s", "'Tbps' (bits)"},
                                        Slip{"b", "'bps' (bits)"},
                                        Slip{"kb", "'kbps' (bits)"},
                                        Slip{"Mb", "'Mbps' (bits)"},
                                        Slip{"Gb", "'Gbps' (bits)"},
                                        Slip{"Tb", "'Tbps' (bits)"},
                                        Slip{"Bps", "'B/s' (bytes)"},
                                        Slip{"kBps", "'kB/s' (bytes)"},
                                        Slip{"MBps", "'MB/s' (bytes)"},
                                        Slip{"GBps", "'GB/s' (bytes)"},
                                        Slip{"TBps", "'TB/s' (bytes)"},
                                        Slip{"KB/s", "'kB/s' (1000 bytes) or 'KiB/s' (1024 bytes)"},
                                        Slip{"B", "'B/s'"},
                                        Slip{"kB", "'kB/s'"},
                                        Slip{"MB", "'MB/s'"},
                                        Slip{"GB", "'GB/s'"},
                                        Slip{"TB", "'TB/s'"},
                                        Slip{"KiB", "'KiB/s'"},
                                        Slip{"MiB", "'MiB/s'"},
                                        Slip{"GiB", "'GiB/s'"},
                                        Slip{"k", "'kbps' (bits) or 'kB/s' (bytes)"},
                                        Slip{"K", "'kbps' (bits) or 'kB/s' (bytes)"},
                                        Slip{"M", "'Mbps' (bits) or 'MB/s' (bytes)"},
                                        Slip{"G", "'Gbps' (bits) or 'GB/s' (bytes)"},
                                        Slip{"T", "'Tbps' (bits) or 'TB/s' (bytes)"},
                                        Slip{"gb/s", "'Gbps' (bits) or 'GB/s' (bytes)"},
                                        Slip{"mb/s", "'Mbps' (bits) or 'MB/s' (bytes)"}};

constexpr std::int64_t peta = tera * kilo;
constexpr std::array flop_units = {Unit{"flop", 1},     Unit{"kflop", kilo}, Unit{"Mflop", mega},
                                   Unit{"Gflop", giga}, Unit{"Tflop", tera}, Unit{"Pflop", peta}};
constexpr std::array flop_slips = {Slip{"flops", "'flop'"},   Slip{"kflops", "'kflop'"}, Slip{"Mflops", "'Mflop'"},
                                   Slip{"Gflops", "'Gflop'"}, Slip{"Tflops", "'Tflop'"}, Slip{"Pflops", "'Pflop'"}};
constexpr std::array flop_rate_units = {Unit{"flop/s", 1},     Unit{"kflop/s", kilo}, Unit{"Mflop/s", mega},
                                        Unit{"Gflop/s", giga}, Unit{"Tflop/s", tera}, Unit{"Pflop/s", peta}};
constexpr std::array flop_rate_slips = {
    Slip{"flops", "'flop/s'"},   Slip{"Mflops", "'Mflop/s'"}, Slip{"Gflops", "'Gflop/s'"}, Slip{"Tflops", "'Tflop/s'"},
    Slip{"Pflops", "'Pflop/s'"}, Slip{"Gflop", "'Gflop/s'"},  Slip{"Tflop", "'Tflop/s'"},  Slip{"Mflop", "'Mflop/s'"}};
constexpr std::array count_units = {Unit{"k", kilo},       Unit{"M", mega},       Unit{"G", giga},
                                    Unit{"T", tera},       Unit{"Ki", 1LL << 10}, Unit{"Mi", 1LL << 20},
                                    Unit{"Gi", 1LL << 30}, Unit{"Ti", 1LL << 40}};
constexpr std::array count_slips = {Slip{"K", "'k' (1000) or 'Ki' (1024)"}};

constexpr Quantity duration_quantity{"duration",     "a duration",  "picoseconds", "ps, ns, us, ms, s, min or h",
                                     duration_units, duration_slips};
constexpr Quantity byte_quantity{
    "size",     "a size",  "bytes", "B, kB, MB, GB or TB (powers of 1000), KiB, MiB, GiB or TiB (powers of 1024)",
    byte_units, byte_slips};
constexpr Quantity bandwidth_quantity{
    "bandwidth",
    "a bandwidth",
    "bits per second",
    "bps, kbps, Mbps, Gbps or Tbps (bits), B/s, kB/s, MB/s, GB/s, TB/s, KiB/s, MiB/s or GiB/s (bytes)",
    bandwidth_units,
    bandwidth_slips};
constexpr Quantity flop_quantity{"work",
                                 "a number of floating-point operations",
                                 "floating-point operations",
                                 "flop, kflop, Mflop, Gflop, Tflop or Pflop",
                                 flop_units,
                                 flop_slips};
constexpr Quantity flop_rate_quantity{"rate",
                                      "a rate of floating-point operations",
                                      "floating-point operations per second",
                                      "flop/s, kflop/s, Mflop/s, Gflop/s, Tflop/s or Pflop/s",
                                      flop_rate_units,
                                      flop_rate_slips};
constexpr Quantity count_quantity{
    "count", "a count", "elements", "k, M, G or T (powers of 1000), Ki, Mi, Gi or Ti", count_units, count_slips};
constexpr std::array<const Quantity*, 5> quantities = {&duration_quantity, &byte_quantity, &bandwidth_quantity,
                                                       &flop_quantity, &flop_rate_quantity};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

const Unit* find_unit(const Quantity& quantity, std::string_view name) {
  for (const auto& unit : quantity.units)
    if (unit.name == name) return &unit;
  return nullptr;
}

/// What the writer of an unknown unit probably meant, in quotes; empty if nothing is near.
std::string suggestion(const Quantity& quantity, std::string_view written) {
  for (const auto& slip : quantity.slips)
    if (slip.written == written) return std::string(slip.meant);
  const std::string small = lower(written);
  std::string same_but_case;
  for (const auto& unit : quantity.units) {
    if (lower(unit.name) != small) continue;
    same_but_case += (same_but_case.empty() ? "" : " or ") + fmt::format("'{}'", unit.name);
  }
  if (!same_but_case.empty()) return same_but_case;
  for (const auto& slip : quantity.slips)
    if (lower(slip.written) == small) return std::string(slip.meant);
  std::vector<std::string> names;
  for (const auto& unit : quantity.units) names.emplace_back(unit.name);
  const std::string nearest = nearest_name(written, names);
  return nearest.empty() ? nearest : fmt::format("'{}'", nearest);
}

[[noreturn]] void refuse_unit(const Quantity& quantity, std::string_view text, std::string_view unit) {
  std::string message;
  for (const Quantity* other : quantities) {
    if (other != &quantity && find_unit(*other, unit) != nullptr) {
      message = fmt::format("'{}' is {}, not {}", shown(text), other->article, quantity.article);
    }
  }
  if (message.empty()) message = fmt::format("'{}' has the unknown unit '{}'", shown(text), shown(unit));
  const std::string meant = suggestion(quantity, unit);
  if (!meant.empty())
    message += fmt::format("; did you mean {}?", meant);
  else
    message += ';';
  throw UnitError(
      message + fmt::format(" {}{} takes {}", meant.empty() ? "a" : "A", quantity.article.substr(1), quantity.allowed));
}

/// The whole number of base units that the text states; exact, or an error.
std::int64_t parse(const Quantity& quantity, std::string_view text) {
  const auto malformed = [&] {
    return UnitError(fmt::format("'{}' is not {}; write a number and its unit: {}", shown(text), quantity.article,
                                 quantity.allowed));
  };
  std::size_t at = 0;
  const bool negative = !text.empty() && text.front() == '-';
  if (negative) ++at;
  const std::size_t whole_begin = at;
  while (at < text.size() && is_digit(text[at])) ++at;
  const std::string_view whole = text.substr(whole_begin, at - whole_begin);
  if (whole.empty()) throw malformed();
  std::string_view decimals;
  if (at < text.size() && text[at] == '.') {
    const std::size_t begin = ++at;
    while (at < text.size() && is_digit(text[at])) ++at;
    decimals = text.substr(begin, at - begin);
    if (decimals.empty()) throw malformed();
  }
  std::string_view unit_name = text.substr(at);
  if (!unit_name.empty() && unit_name.front() == ' ') unit_name.remove_prefix(1);  // "400 Gbps"
  if (whole.size() > 1 && whole.front() == '0')
    throw UnitError(fmt::format("'{}' has a leading zero; write it without", shown(text)));
  if (unit_name.empty())
    throw UnitError(fmt::format("'{}' has no unit; {} takes {}", shown(text), quantity.article, quantity.allowed));
  if (!std::isalpha(static_cast<unsigned char>(unit_name.front())) &&
      static_cast<unsigned char>(unit_name.front()) < 0x80)
    throw malformed();
  if (unit_name.size() > 1 && (unit_name[0] == 'e' || unit_name[0] == 'E') &&
      (is_digit(unit_name[1]) || unit_name[1] == '-' || unit_name[1] == '+')) {
    throw UnitError(fmt::format("'{}' has an exponent; write the number out, or take a larger unit", shown(text)));
  }
  const Unit* unit = find_unit(quantity, unit_name);
  if (unit == nullptr) refuse_unit(quantity, text, unit_name);

  while (!decimals.empty() && decimals.back() == '0') decimals.remove_suffix(1);
  const auto too_large = [&] {
    return UnitError(fmt::format("'{}' is too large; the largest {} is {} {}", shown(text), quantity.name,
                                 std::numeric_limits<std::int64_t>::max(), quantity.base));
  };
  // 19 digits of at most 3.6e15 base units each, and 18 digits behind the point, stay below 2^127.
  if (whole.size() > 19) throw too_large();
  if (decimals.size() > 18) throw UnitError(fmt::format("'{}' has more than 18 digits behind the point", shown(text)));
  Wide value = 0;
  for (const char c : whole) value = value * 10 + static_cast<unsigned>(c - '0');
  const auto factor = static_cast<Wide>(unit->factor);
  value *= factor;
  Wide part = 0, power = 1;
  for (const char c : decimals) {
    part = part * 10 + static_cast<unsigned>(c - '0');
    power *= 10;
  }
  part *= factor;
  if (part % power != 0) throw UnitError(fmt::format("'{}' is not a whole number of {}", shown(text), quantity.base));
  value += part / power;
  if (value > static_cast<Wide>(std::numeric_limits<std::int64_t>::max())) throw too_large();
  if (negative && value != 0)
    throw UnitError(fmt::format("'{}' is negative; {} is 0 or more", shown(text), quantity.article));
  if (negative) throw malformed();
  return static_cast<std::int64_t>(value);
}

struct Written {
  std::string_view name;
  std::int64_t factor;
};

/// The largest of the units (ascending) that divides the value.
template <std::size_t n>
std::string written(std::int64_t value, const std::array<Written, n>& units) {
  const Written* best = &units.front();
  for (const auto& unit : units)
    if (value != 0 && value % unit.factor == 0) best = &unit;
  return fmt::format("{}{}", value / best->factor, best->name);
}

}  // namespace

Duration parse_duration(std::string_view text) { return Duration{parse(duration_quantity, text)}; }
Bytes parse_bytes(std::string_view text) { return Bytes{parse(byte_quantity, text)}; }
Bandwidth parse_bandwidth(std::string_view text) { return Bandwidth::bits_per_second(parse(bandwidth_quantity, text)); }

Flops parse_flops(std::string_view text) { return Flops{parse(flop_quantity, text)}; }
FlopRate parse_flop_rate(std::string_view text) { return FlopRate::per_second(parse(flop_rate_quantity, text)); }

std::int64_t parse_count(std::string_view text) {
  // A count is a number by itself: its suffix is a convenience.
  if (const auto plain = whole_number_in<std::int64_t>(text);
      plain && *plain >= 0 && (text.size() == 1 || text.front() != '0') && is_digit(text.front()))
    return *plain;
  return parse(count_quantity, text);
}

double parse_fraction(std::string_view text) {
  const auto malformed = [&] {
    return UnitError(fmt::format("'{}' is not a fraction; write 0.1% or 0.001", shown(text)));
  };
  std::string_view digits = text;
  const bool percent = !digits.empty() && digits.back() == '%';
  if (percent) digits.remove_suffix(1);
  const std::size_t sign = !digits.empty() && digits.front() == '-' ? 1 : 0;
  if (digits.size() <= sign || !is_digit(digits[sign]) || !is_digit(digits.back()) || digits.size() > 60)
    throw malformed();
  if (digits[sign] == '0' && digits.size() > sign + 1 && is_digit(digits[sign + 1])) {
    throw UnitError(fmt::format("'{}' has a leading zero; write it without", shown(text)));
  }
  std::string number(digits);
  if (percent) {
    // The decimal exponent moves by two before the conversion, so that 0.1% and 0.001 give the same double.
    if (number.find_first_of("eE") != std::string::npos) throw malformed();
    number += "e-2";
  }
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error == std::errc::result_out_of_range) throw UnitError(fmt::format("'{}' is out of range", shown(text)));
  if (error != std::errc{} || end != number.data() + number.size()) throw malformed();
  return value;
}

std::string to_text(Duration d) {
  static constexpr std::array<Written, 5> units = {
      Written{"ps", 1}, {"ns", kilo}, {"us", mega}, {"ms", giga}, {"s", tera}};
  return d.count() == 0 ? "0s" : written(d.count(), units);
}

std::string to_text(Bytes b) { return fmt::format("{}B", b.count()); }

std::string to_text(Bandwidth b) {
  static constexpr std::array<Written, 5> units = {
      Written{"bps", 1}, {"kbps", kilo}, {"Mbps", mega}, {"Gbps", giga}, {"Tbps", tera}};
  return written(b.bits_per_second(), units);
}

std::string to_text(Flops f) {
  static constexpr std::array<Written, 6> units = {Written{"flop", 1}, {"kflop", kilo}, {"Mflop", mega},
                                                   {"Gflop", giga},    {"Tflop", tera}, {"Pflop", peta}};
  return written(f.count(), units);
}

std::string to_text(FlopRate r) {
  static constexpr std::array<Written, 6> units = {Written{"flop/s", 1}, {"kflop/s", kilo}, {"Mflop/s", mega},
                                                   {"Gflop/s", giga},    {"Tflop/s", tera}, {"Pflop/s", peta}};
  return written(r.per_second(), units);
}

}  // namespace lockstep
