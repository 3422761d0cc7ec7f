// The reader of result files: what it accepts, it writes and reads back to the same text.
#include <string>

#include "core/timeline/result.hpp"
#include "tests/fuzz/fuzzer.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return lockstep::fuzz::answer(data, size, [](std::string_view text) {
    const auto json = lockstep::Json::parse(text, nullptr, false);
    if (json.is_discarded()) return;
    const auto rewritten = [](const lockstep::Json& value) {
      return lockstep::to_json(lockstep::result_from_json(value, "result.json")).dump();
    };
    const std::string once = rewritten(json);
    const std::string twice = rewritten(lockstep::Json::parse(once));
    LOCKSTEP_CHECK(once == twice, "a result changes when it is written and read back:\n{}\n{}", once, twice);
  });
}
