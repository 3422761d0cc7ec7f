#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lockstep {

/// Lower-case hexadecimal SHA-256 of the bytes (64 characters).
std::string sha256(std::string_view bytes);

/// A fixed mixing of 64 bits (SplitMix64's finaliser): the same on every platform and for ever, since routes hang on
/// it.
constexpr std::uint64_t mix64(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

}  // namespace lockstep
