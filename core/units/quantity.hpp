// Bytes and bandwidths as strong types: arithmetic across units does not compile, and bits and bytes cannot be mixed
// up.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "core/units/duration.hpp"

namespace lockstep {

class Bytes {
 public:
  constexpr Bytes() = default;
  constexpr explicit Bytes(std::int64_t n) : count_(n) {}
  [[nodiscard]] constexpr std::int64_t count() const { return count_; }
  constexpr auto operator<=>(const Bytes&) const = default;
  constexpr Bytes& operator+=(Bytes o) {
    count_ += o.count_;
    return *this;
  }
  constexpr Bytes& operator-=(Bytes o) {
    count_ -= o.count_;
    return *this;
  }
  friend constexpr Bytes operator+(Bytes a, Bytes b) { return a += b; }
  friend constexpr Bytes operator-(Bytes a, Bytes b) { return a -= b; }
  friend constexpr Bytes operator*(Bytes a, std::int64_t k) { return Bytes{a.count_ * k}; }
  friend constexpr Bytes operator*(std::int64_t k, Bytes a) { return a * k; }
  friend constexpr std::int64_t operator/(Bytes a, Bytes b) { return a.count_ / b.count_; }
  friend constexpr Bytes operator/(Bytes a, std::int64_t k) { return Bytes{a.count_ / k}; }

 private:
  std::int64_t count_ = 0;
};

constexpr Bytes operator""_B(unsigned long long n) { return Bytes{static_cast<std::int64_t>(n)}; }
constexpr Bytes operator""_KiB(unsigned long long n) { return Bytes{static_cast<std::int64_t>(n) << 10}; }
constexpr Bytes operator""_MiB(unsigned long long n) { return Bytes{static_cast<std::int64_t>(n) << 20}; }
constexpr Bytes operator""_GiB(unsigned long long n) { return Bytes{static_cast<std::int64_t>(n) << 30}; }

/// Held in bits per second, an integer: every bandwidth that a file can state is exact.
class Bandwidth {
 public:
  constexpr Bandwidth() = default;
  static constexpr Bandwidth bits_per_second(std::int64_t n) { return Bandwidth{n}; }
  static constexpr Bandwidth bytes_per_second(std::int64_t n) { return Bandwidth{n * 8}; }
  [[nodiscard]] constexpr std::int64_t bits_per_second() const { return bits_; }
  [[nodiscard]] constexpr double bytes_per_second() const { return static_cast<double>(bits_) / 8.0; }
  constexpr auto operator<=>(const Bandwidth&) const = default;
  friend constexpr Bandwidth operator*(Bandwidth b, std::int64_t k) { return Bandwidth{b.bits_ * k}; }
  friend constexpr Bandwidth operator/(Bandwidth b, std::int64_t k) { return Bandwidth{b.bits_ / k}; }

 private:
  constexpr explicit Bandwidth(std::int64_t n) : bits_(n) {}
  std::int64_t bits_ = 0;
};

constexpr Bandwidth operator""_Mbps(unsigned long long n) {
  return Bandwidth::bits_per_second(static_cast<std::int64_t>(n) * 1'000'000);
}
constexpr Bandwidth operator""_Gbps(unsigned long long n) {
  return Bandwidth::bits_per_second(static_cast<std::int64_t>(n) * 1'000'000'000);
}

/// Time to move `bytes` at `bandwidth`, to the nearest picosecond, in 128 bits. Zero bytes take zero, whatever the
/// bandwidth; a bandwidth of zero with bytes to move is a broken invariant.
Duration transfer_time(Bytes bytes, Bandwidth bandwidth);

/// bandwidth x factor, to the nearest bit per second (factor >= 0).
Bandwidth scale(Bandwidth bandwidth, double factor);

/// "16MiB", "1000B": binary units, exact or with up to three digits; for people.
std::string format_bytes(Bytes bytes);
/// "1Gbps", "100Mbps": for people.
std::string format_bandwidth(Bandwidth bandwidth);

}  // namespace lockstep
