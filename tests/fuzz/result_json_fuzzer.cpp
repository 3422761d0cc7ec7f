// Whatever the text: a result that survives its own file, or an InputError.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/error.hpp"
#include "core/base/json.hpp"
#include "core/timeline/result.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const Result result = result_from_json(parse_json(text, "fuzz.json"), "fuzz.json");
    const Json json = to_json(result);
    LOCKSTEP_CHECK(to_json(result_from_json(json, "again.json")) == json,
                   "a result changed on its way through its file");
    (void)result_table(result);
  } catch (const InputError&) {
    // The expected answer to a broken file.
  }
  return 0;
}
