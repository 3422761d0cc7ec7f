// JSON files that we read back: parsing with positions, and values that know their path, so that an error names the
// place
// ("measured.json: collectives[3].time_s: ...").
//
// Contract:
//  - a syntax error carries file:line:column; duplicate keys and nesting deeper than max_json_depth are errors;
//  - an absent key and a null are the same: "does not apply";
//  - unknown keys are allowed (later versions of a schema add keys), but a required key that is missing names the
//  nearest one.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

using Json = nlohmann::ordered_json;

/// Deeper documents are refused: copies of a tree recurse.
inline constexpr int max_json_depth = 64;

/// Throws InputError ("x.json:3:14: not valid JSON: ..."). `file` stands for the source in messages.
Json parse_json(std::string_view text, const std::string& file);

/// The whole file. Throws InputError ("x.json: no such file", "x.json: is a directory", "x.json: cannot be read").
std::string read_text_file(const std::string& path);

/// A value with its path in the document. Refers to the document, which must outlive it.
class JsonValue {
 public:
  JsonValue(const Json& value, std::string file, std::string path = {});

  [[nodiscard]] const Json& json() const { return *value_; }
  [[nodiscard]] bool is_null() const { return value_->is_null(); }

  /// Throws InputError "file: path: message".
  [[noreturn]] void fail(const std::string& message) const;

  // Members of an object; fail() where this is none.
  [[nodiscard]] JsonValue required(const std::string& key) const;
  [[nodiscard]] std::optional<JsonValue> optional(const std::string& key) const;
  [[nodiscard]] std::vector<std::pair<std::string, JsonValue>> members() const;
  // Items of an array.
  [[nodiscard]] std::vector<JsonValue> items() const;

  // Scalars; fail() where the type or the range is wrong. `what` says what was expected: "a number of seconds".
  [[nodiscard]] std::string text() const;
  [[nodiscard]] bool boolean() const;
  [[nodiscard]] double number(double minimum, const std::string& what) const;
  [[nodiscard]] std::int64_t integer(std::int64_t minimum,
                                     std::int64_t maximum = std::numeric_limits<std::int64_t>::max()) const;
  [[nodiscard]] std::uint64_t unsigned_integer() const;

 private:
  void expect_object() const;
  const Json* value_;
  std::string file_;
  std::string path_;
};

}  // namespace lockstep
