// How fast this machine combines and copies, measured in this process.
#pragma once

#include "core/units/quantity.hpp"

namespace lockstep::real {

struct MemoryRates {
  Bandwidth reduction;  ///< float32 sums, bytes of one operand per second, pieces of `piece` out of larger buffers
  Bandwidth copy;       ///< memmove of megabytes
};

/// Medians over repetitions, about 50 ms in all. `piece`: what the executor combines at once while a message arrives.
MemoryRates measure_memory_rates(Bytes piece);

}  // namespace lockstep::real
