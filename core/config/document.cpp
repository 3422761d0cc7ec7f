#include "core/config/document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/base/error.hpp"
#include "core/base/text.hpp"

namespace lockstep::config {
namespace {

bool digit(char c) { return c >= '0' && c <= '9'; }

/// The number grammar of JSON (RFC 8259, section 6).
bool is_json_number(std::string_view text) {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t begin = at;
    while (at < text.size() && digit(text[at])) ++at;
    return at - begin;
  };
  if (at < text.size() && text[at] == '-') ++at;
  const std::size_t whole = at;
  if (digits() == 0 || (text[whole] == '0' && at - whole > 1)) return false;
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (digits() == 0) return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
    if (digits() == 0) return false;
  }
  return at == text.size();
}

/// What some YAML reader would take for a number, though JSON would not: 010, +1, 0x1F, 0o17, 1_000, .5, 5., .inf,
/// .nan.
bool is_number_elsewhere(std::string_view text) {
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  if (text.empty()) return false;
  for (const std::string_view special : {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"})
    if (text == special) return true;
  if (text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X' || text[1] == 'o' || text[1] == 'b')) {
    return std::all_of(text.begin() + 2, text.end(),
                       [](char c) { return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == '_'; });
  }
  std::size_t at = 0, seen = 0;
  const auto digits = [&] {
    while (at < text.size() && (digit(text[at]) || (text[at] == '_' && seen > 0))) {
      if (digit(text[at])) ++seen;
      ++at;
    }
  };
  digits();
  if (at < text.size() && text[at] == '.') {
    ++at;
    digits();
  }
  if (seen == 0) return false;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
    seen = 0;
    digits();
    if (seen == 0) return false;
  }
  return at == text.size();
}

void write(const Node& node, std::string& text) {
  const auto quote = [&text](const std::string& word) {
    text += nlohmann::json(word).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  };
  switch (node.kind) {
    case Node::Kind::null:
      text += "null";
      break;
    case Node::Kind::scalar:
      quote(node.scalar);
      break;
    case Node::Kind::sequence: {
      text += '[';
      for (std::size_t i = 0; i < node.items.size(); ++i) {
        if (i > 0) text += ',';
        write(node.items[i], text);
      }
      text += ']';
      break;
    }
    case Node::Kind::map: {
      text += '{';
      for (std::size_t i = 0; i < node.entries.size(); ++i) {
        if (i > 0) text += ',';
        quote(node.entries[i].key);
        text += ':';
        write(node.entries[i].value, text);
      }
      text += '}';
      break;
    }
  }
}

}  // namespace

std::string Position::text() const { return line == 0 ? file : fmt::format("{}:{}:{}", file, line, column); }

const Position& Node::position_of(std::string_view key) const {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.key == key; });
  return found == entries.end() ? position : found->key_position;
}

const Node* Node::find(std::string_view key) const {
  for (const auto& entry : entries)
    if (entry.key == key) return &entry.value;
  return nullptr;
}

ScalarKind scalar_kind(const Node& scalar) {
  if (scalar.quoted) return ScalarKind::text;
  if (scalar.scalar == "true" || scalar.scalar == "false") return ScalarKind::boolean;
  if (is_json_number(scalar.scalar)) return ScalarKind::number;
  return is_number_elsewhere(scalar.scalar) ? ScalarKind::malformed_number : ScalarKind::text;
}

void Diagnostics::error(const Position& position, const std::string& message) {
  const std::pair<int, int> key{position.line, position.column};
  const auto at = std::upper_bound(order_.begin(), order_.end(), key);
  errors_.insert(errors_.begin() + (at - order_.begin()), fmt::format("{}: {}", position.text(), message));
  order_.insert(at, key);
}

void Diagnostics::warning(const Position& position, const std::string& message) {
  warnings_.push_back(fmt::format("{}: {}", position.text(), message));
}

void Diagnostics::throw_if_errors() const {
  if (errors_.empty()) return;
  constexpr std::size_t shown = 100;
  const std::size_t count = std::min(errors_.size(), shown);
  std::string text = join(std::span(errors_).first(count), "\n");
  if (errors_.size() > count) text += fmt::format("\n... and {} more errors", errors_.size() - count);
  throw InputError(text);
}

void set_key(Node& root, std::string_view dotted_key, std::string_view value, std::string_view prefix) {
  std::string shown(value.substr(0, 60));
  for (char& c : shown)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  const std::string name = fmt::format("--set {}{}={}{}", prefix, dotted_key, shown, value.size() > 60 ? "..." : "");
  const auto refuse = [&](const std::string& message) { throw InputError(fmt::format("{}: {}", name, message)); };

  Node parsed;
  parsed.position = {name, 0, 0};
  if (value.find_first_not_of(" \t") != std::string_view::npos) {
    parsed = parse_text(value, name);
    const auto place = [&name](auto& self, Node& node) -> void {
      node.position = {name, 0, 0};
      for (auto& item : node.items) self(self, item);
      for (auto& entry : node.entries) {
        entry.key_position = {name, 0, 0};
        self(self, entry.value);
      }
    };
    place(place, parsed);
  }

  Node* node = &root;
  std::string walked;
  std::size_t levels = 0;
  std::string_view rest = dotted_key;
  while (true) {
    const std::size_t dot = rest.find('.');
    const std::string key(rest.substr(0, dot));
    if (key.empty()) refuse("an empty key; keys are joined by single dots ('a.b.c')");
    if (++levels > max_depth) refuse(fmt::format("nested more than {} levels deep", max_depth));
    const std::string here = walked.empty() ? "the document" : fmt::format("'{}'", walked);
    if (node->kind == Node::Kind::null) {
      node->kind = Node::Kind::map;
      node->position = {name, 0, 0};
    }
    if (node->kind == Node::Kind::scalar)
      refuse(fmt::format("{} is the value '{}' and has no keys", here, node->scalar));
    if (node->kind == Node::Kind::sequence) {
      std::size_t index = 0;
      const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
      if (error != std::errc{} || end != key.data() + key.size() || index >= node->items.size()) {
        refuse(node->items.empty() ? fmt::format("{} is an empty list", here)
                                   : fmt::format("{} is a list with the elements 0 to {}; there is no element '{}'",
                                                 here, node->items.size() - 1, key));
      }
      node = &node->items[index];
    } else {
      const auto entry =
          std::find_if(node->entries.begin(), node->entries.end(), [&](const auto& e) { return e.key == key; });
      if (entry == node->entries.end()) {
        Node::Entry fresh;
        fresh.key = key;
        fresh.key_position = {name, 0, 0};
        fresh.value.position = {name, 0, 0};
        node->entries.push_back(std::move(fresh));
        node = &node->entries.back().value;
      } else {
        node = &entry->value;
      }
    }
    walked += walked.empty() ? key : "." + key;
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  *node = std::move(parsed);
}

std::string canonical_text(const Node& root) {
  std::string text;
  write(root, text);
  return text;
}

}  // namespace lockstep::config
