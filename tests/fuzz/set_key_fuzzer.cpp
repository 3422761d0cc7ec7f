// --set: the first line is the key, the second the value, the rest the document.
#include "core/config/document.hpp"
#include "tests/fuzz/fuzzer.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return lockstep::fuzz::answer(data, size, [](std::string_view text) {
    const auto key_end = text.find('\n');
    if (key_end == std::string_view::npos) return;
    const auto value_end = text.find('\n', key_end + 1);
    if (value_end == std::string_view::npos) return;
    auto root = lockstep::config::parse_text(text.substr(value_end + 1), "document.yaml");
    lockstep::config::set_key(root, text.substr(0, key_end), text.substr(key_end + 1, value_end - key_end - 1));
    lockstep::config::canonical_text(root);
  });
}
