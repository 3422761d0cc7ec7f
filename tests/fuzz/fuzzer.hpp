// What every fuzzer of a reader does: any text gives a value or an Error with a message; all else is a finding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/error.hpp"

namespace lockstep::fuzz {

/// Calls `read` with the input as text. An Error is an answer, if it says something; any other exception is a finding.
template <class Read>
int answer(const std::uint8_t* data, std::size_t size, Read&& read) {
  try {
    read(data == nullptr ? std::string_view{} : std::string_view(reinterpret_cast<const char*>(data), size));
  } catch (const Error& error) {
    LOCKSTEP_CHECK(!std::string_view(error.what()).empty(), "an error without a message");
  }
  return 0;
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Runs `read`: a refusal is an answer.
template <class Read>
void refuse_or_accept(Read&& read) {
  answer(nullptr, 0, [&](std::string_view) { read(); });
}

}  // namespace lockstep::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
