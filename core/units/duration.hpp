// Simulated time: integer picoseconds, so that sums are exact and the same on every machine (DESIGN section 5).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace lockstep {

/// Covers +-106 days.
using Duration = std::chrono::duration<std::int64_t, std::pico>;

constexpr Duration picoseconds(std::int64_t n) { return Duration{n}; }
constexpr Duration nanoseconds(std::int64_t n) { return std::chrono::nanoseconds{n}; }
constexpr Duration microseconds(std::int64_t n) { return std::chrono::microseconds{n}; }
constexpr Duration milliseconds(std::int64_t n) { return std::chrono::milliseconds{n}; }
constexpr Duration seconds(std::int64_t n) { return std::chrono::seconds{n}; }

/// Seconds as a double, for JSON and people; never used to advance a clock.
constexpr double to_seconds(Duration d) { return static_cast<double>(d.count()) / 1e12; }

/// Nearest picosecond; throws InputError outside the range of Duration.
Duration from_seconds(double s);

/// "12.3us", "1.5ms", "250ps": three significant digits, for people.
std::string format_duration(Duration d);

}  // namespace lockstep
