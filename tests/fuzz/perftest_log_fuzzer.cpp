// Whatever the text: rows, or an InputError.
#include "study/logs/logs.hpp"
#include "tests/fuzz/fuzzer.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return lockstep::fuzz::answer(data, size, [](std::string_view text) {
    (void)lockstep::logs::read_perftest(text, "fuzz.log", {.kind = lockstep::CollectiveKind::all_gather, .ranks = 4});
  });
}
