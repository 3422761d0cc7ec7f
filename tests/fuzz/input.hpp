// What all fuzzers share: bad input may end in InputError or UnitError and in nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/error.hpp"

namespace lockstep::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) { return {reinterpret_cast<const char*>(data), size}; }

/// Runs `read`; bad input is what the fuzzer is made of.
template <class Read>
void refuse_or_accept(Read&& read) {
  try {
    read();
  } catch (const InputError&) {
  }
}

}  // namespace lockstep::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
