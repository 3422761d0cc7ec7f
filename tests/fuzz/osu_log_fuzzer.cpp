// Whatever the text: rows, or an InputError.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/error.hpp"
#include "study/logs/logs.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    (void)lockstep::logs::read_osu(text, "fuzz.log", {});
    (void)lockstep::logs::read_osu(text, "fuzz.log", {.kind = lockstep::CollectiveKind::all_gather, .ranks = 4});
  } catch (const lockstep::InputError&) {
    // The expected answer to a broken log.
  }
  return 0;
}
