// A hint to the processor that memory will be needed soon.
#pragma once

#include <cstddef>

namespace lockstep {

/// Brings the cache lines of `bytes` bytes from `memory` on closer. Errors: none, wherever it points.
///
/// A function that does nothing but prefetch passes for one without effect with g++ 12, which then leaves out the calls
/// of it unless it is inline; the empty statement of assembler keeps them.
inline void prefetch(const void* memory, std::size_t bytes = 1) {
  constexpr std::size_t line = 64;
  for (std::size_t at = 0; at < bytes; at += line) __builtin_prefetch(static_cast<const char*>(memory) + at);
  asm volatile("");
}

}  // namespace lockstep
