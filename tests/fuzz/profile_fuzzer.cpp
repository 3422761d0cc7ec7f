// Profiles: what is read survives being written.
#include "core/profile/profile.hpp"
#include "tests/fuzz/fuzzer.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  fuzz::refuse_or_accept([&] {
    const Profile profile = read_profile(config::parse_text(fuzz::text_of(data, size), "fuzz.yaml"), "fuzz.yaml");
    const std::string text = to_yaml(profile);
    std::string again;
    try {
      again = to_yaml(read_profile(config::parse_text(text, "written.yaml"), "written.yaml"));
    } catch (const InputError& error) {
      LOCKSTEP_CHECK(false, "the text of a profile is refused: {}\n{}", error.what(), text);
    }
    LOCKSTEP_CHECK(text == again, "a profile changed by being written:\n{}\n{}", text, again);
  });
  return 0;
}
