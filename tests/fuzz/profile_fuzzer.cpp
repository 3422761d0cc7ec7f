// The reader of profiles.
#include "core/profile/profile.hpp"

#include "tests/fuzz/fuzzer.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return lockstep::fuzz::answer(data, size, [](std::string_view text) {
    lockstep::read_profile(lockstep::config::parse_text(text, "profile.yaml"), "profile.yaml");
  });
}
