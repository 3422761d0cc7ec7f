// The YAML document, --set on it, and its canonical text. The first line is a --set argument, the rest the document.
#include "core/config/document.hpp"
#include "core/config/type.hpp"
#include "tests/fuzz/fuzzer.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  const std::string_view text = fuzz::text_of(data, size);
  const std::size_t line_end = text.find('\n');
  const std::string_view argument = text.substr(0, line_end);
  const std::string_view document = line_end == std::string_view::npos ? std::string_view{} : text.substr(line_end + 1);
  fuzz::refuse_or_accept([&] {
    config::Node root = config::parse_text(document, "fuzz.yaml");
    const std::string canonical = config::canonical_text(root);
    // Canonical text is JSON, so it is YAML too, and says the same.
    LOCKSTEP_CHECK(nlohmann::json::accept(canonical), "canonical text is not JSON: {}", canonical);
    config::Diagnostics diagnostics;
    static_cast<void>(config::json_map().read(root, diagnostics));
    const std::size_t equals = argument.find('=');
    if (equals == std::string_view::npos) return;
    config::set_key(root, argument.substr(0, equals), argument.substr(equals + 1));
    LOCKSTEP_CHECK(nlohmann::json::accept(config::canonical_text(root)), "canonical text after --set is not JSON");
  });
  return 0;
}
