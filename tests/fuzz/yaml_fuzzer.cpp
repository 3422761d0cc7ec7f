// The YAML document: its canonical text is JSON and, read again, the same; maps as JSON. (--set has a fuzzer of its own.)
#include "core/config/document.hpp"
#include "core/config/type.hpp"

#include "tests/fuzz/fuzzer.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return lockstep::fuzz::answer(data, size, [](std::string_view text) {
    using namespace lockstep;
    const config::Node root = config::parse_text(text, "fuzz.yaml");
    const std::string canonical = config::canonical_text(root);
    LOCKSTEP_CHECK(nlohmann::json::accept(canonical), "canonical text is not JSON: {}", canonical);
    config::Diagnostics diagnostics;
    const auto map = config::json_map().read(root, diagnostics);
    LOCKSTEP_CHECK(map.has_value() != diagnostics.has_errors(), "a value and errors, or neither");
  });
}
