#include "core/units/quantity.hpp"

#include <fmt/format.h>

#include <array>
#include <limits>
#include <optional>

#include "core/base/error.hpp"
#include "core/units/digits.hpp"
#include "core/units/work.hpp"

namespace lockstep {
namespace {

struct Unit {
  const char* name;
  std::int64_t factor;
};

template <std::size_t n>
std::string format(std::int64_t value, const std::array<Unit, n>& units, std::int64_t step) {
  std::size_t unit = 0;
  while (unit + 1 < n && value >= units[unit + 1].factor) ++unit;
  if (value % units[unit].factor == 0) return fmt::format("{}{}", value / units[unit].factor, units[unit].name);
  bool carried = false;
  const std::string text = detail::three_digits(value, units[unit].factor, step, carried);
  if (carried && unit + 1 < n) return fmt::format("1{}", units[unit + 1].name);
  return fmt::format("{}{}", text, units[unit].name);
}

/// amount * scale / rate to the nearest picosecond; nullopt where no duration holds that.
std::optional<Duration> quotient(std::int64_t amount, std::uint64_t scale, std::int64_t rate) {
  const auto divisor = static_cast<unsigned __int128>(rate);
  const auto picos = (static_cast<unsigned __int128>(amount) * scale + divisor / 2) / divisor;
  if (picos > static_cast<unsigned __int128>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
  return Duration{static_cast<std::int64_t>(picos)};
}

}  // namespace

Duration transfer_time(Bytes bytes, Bandwidth bandwidth) {
  LOCKSTEP_CHECK(bytes.count() >= 0 && bandwidth.bits_per_second() >= 0, "{} bytes at {} bit/s", bytes.count(),
                 bandwidth.bits_per_second());
  if (bytes.count() == 0) return Duration{0};
  LOCKSTEP_CHECK(bandwidth.bits_per_second() > 0, "{} bytes to move at bandwidth 0", bytes.count());
  // bytes < 2^63, so the product is below 2^63 * 8e12 < 2^106.
  const auto time = quotient(bytes.count(), 8'000'000'000'000ULL, bandwidth.bits_per_second());
  if (!time)
    throw InputError(fmt::format("moving {} at {} takes more than the 106 days that a duration covers",
                                 format_bytes(bytes), format_bandwidth(bandwidth)));
  return *time;
}

Duration work_time(Flops work, FlopRate rate) {
  LOCKSTEP_CHECK(work.count() >= 0 && rate.per_second() >= 0, "{} flop at {} flop/s", work.count(), rate.per_second());
  if (work.count() == 0) return Duration{0};
  LOCKSTEP_CHECK(rate.per_second() > 0, "{} flop to do at rate 0", work.count());
  const auto time = quotient(work.count(), 1'000'000'000'000ULL, rate.per_second());
  if (!time)
    throw InputError(fmt::format("{} flop at {} flop/s take more than the 106 days that a duration covers",
                                 work.count(), rate.per_second()));
  return *time;
}

Bandwidth scale(Bandwidth bandwidth, double factor) {
  LOCKSTEP_CHECK(factor >= 0, "a bandwidth scaled by {}", factor);
  const double bits = static_cast<double>(bandwidth.bits_per_second()) * factor;
  if (!(bits < 9223372036854775808.0)) {
    throw InputError(
        fmt::format("{} times {} is more than the largest bandwidth", format_bandwidth(bandwidth), factor));
  }
  constexpr double whole_from = 4503599627370496.0;  // 2^52: a whole number already
  return Bandwidth::bits_per_second(static_cast<std::int64_t>(bits >= whole_from ? bits : bits + 0.5));
}

std::string format_bytes(Bytes bytes) {
  static constexpr std::array<Unit, 5> units = {
      Unit{"B", 1}, {"KiB", 1LL << 10}, {"MiB", 1LL << 20}, {"GiB", 1LL << 30}, {"TiB", 1LL << 40}};
  if (bytes.count() < 0) return fmt::format("{}B", bytes.count());
  return format(bytes.count(), units, 1024);
}

std::string format_bandwidth(Bandwidth bandwidth) {
  static constexpr std::array<Unit, 5> units = {
      Unit{"bps", 1}, {"kbps", 1'000}, {"Mbps", 1'000'000}, {"Gbps", 1'000'000'000}, {"Tbps", 1'000'000'000'000}};
  if (bandwidth.bits_per_second() < 0) return fmt::format("{}bps", bandwidth.bits_per_second());
  return format(bandwidth.bits_per_second(), units, 1000);
}

}  // namespace lockstep
