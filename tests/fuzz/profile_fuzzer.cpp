// The reader of profiles, and the writer: what is read survives being written.
#include "core/profile/profile.hpp"

#include "tests/fuzz/fuzzer.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return lockstep::fuzz::answer(data, size, [](std::string_view text) {
    using namespace lockstep;
    const std::string written = to_yaml(read_profile(config::parse_text(text, "profile.yaml"), "profile.yaml"));
    std::string again;
    try {
      again = to_yaml(read_profile(config::parse_text(written, "written.yaml"), "written.yaml"));
    } catch (const InputError& error) {
      LOCKSTEP_CHECK(false, "the text of a profile is refused: {}\n{}", error.what(), written);
    }
    LOCKSTEP_CHECK(written == again, "a profile changed by being written:\n{}\n{}", written, again);
  });
}
