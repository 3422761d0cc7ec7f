// The checksum of stored samples: 64 bits, four lanes of multiply and rotate (the round of xxHash64, Collet), fast
// enough to be small beside a read from the page cache. Guards against damage, not against intent.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

#include "core/base/hash.hpp"

namespace lockstep::real {

inline std::uint64_t checksum(std::span<const std::byte> data) {
  constexpr std::uint64_t first = 0x9E3779B185EBCA87ULL, second = 0xC2B2AE3D27D4EB4FULL;
  std::uint64_t lanes[4] = {first + second, second, 0, ~first + 1};
  const std::byte* at = data.data();
  std::size_t left = data.size();
  for (; left >= 32; left -= 32, at += 32)
    for (int i = 0; i < 4; ++i) {
      std::uint64_t word = 0;
      std::memcpy(&word, at + 8 * i, 8);
      lanes[i] = std::rotl(lanes[i] + word * second, 31) * first;
    }
  std::uint64_t sum = mix64(data.size());
  for (; left > 0; --left, ++at) sum = mix64(sum ^ static_cast<std::uint64_t>(*at));
  for (const std::uint64_t lane : lanes) sum = mix64(sum ^ lane);
  return sum;
}

}  // namespace lockstep::real
