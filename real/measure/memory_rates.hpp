// How fast this machine combines and copies, measured in this process.
#pragma once

#include <vector>

#include "core/profile/intervals.hpp"

namespace lockstep::real {

/// By the bytes of an operand, each interval at the rate of its largest: 64 KiB, and four times as many each, to 16 MiB
/// and more.
struct MemoryRates {
  std::vector<TrafficInterval> reduction;  ///< float32 sums, bytes of one operand per second
  std::vector<TrafficInterval> copies;     ///< memmove
};

/// Medians over repetitions, about a second in all; `threads` do the same at the same time, each with data of its own,
/// as the ranks of a machine do. The data have been written a moment before and lie where such data lie, as those of a
/// collective do. `piece`: what the executor combines at once while a message arrives; what arrives is in a cache then,
/// what it is combined with is not.
MemoryRates measure_memory_rates(Bytes piece, int threads);

}  // namespace lockstep::real
