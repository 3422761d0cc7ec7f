#include "core/topology/name_in_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

namespace lockstep {
namespace {

constexpr std::string_view name_pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$";

bool is_name(const std::string& text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  if (text.empty() || text.size() > 64 || !letter(text[0])) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) { return letter(c) || c == '_' || c == '.' || c == '-'; });
}

}  // namespace

// Names go into graphs, JSON and the lab's namespaces: no blanks, no quotes, no slashes.
config::Type<std::string> name_text() {
  return config::text()
      .where([](const std::string& text) -> std::optional<std::string> {
        if (is_name(text)) return std::nullopt;
        return "'" + text + "' is no name: at most 64 letters, digits, '_', '-', '.', the first a letter or digit";
      })
      .with_schema({{"pattern", name_pattern}});
}

config::Type<NameInFile> name_in_file() {
  const auto inner = name_text();
  return config::Type<NameInFile>(
      [inner](const config::Node& node, config::Diagnostics& diagnostics) -> std::optional<NameInFile> {
        auto text = inner.read(node, diagnostics);
        if (!text) return std::nullopt;
        return NameInFile{std::move(*text), node.position};
      },
      inner.schema());
}

config::Type<std::vector<NameInFile>> two_names() {
  return config::list(name_in_file())
      .where([](const std::vector<NameInFile>& names) -> std::optional<std::string> {
        if (names.size() == 2) return std::nullopt;
        return fmt::format("'between' names two devices, [a, b]; this has {}", names.size());
      })
      .with_schema({{"minItems", 2}, {"maxItems", 2}});
}

}  // namespace lockstep
