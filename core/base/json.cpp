#include "core/base/json.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "core/base/error.hpp"
#include "core/base/text.hpp"

namespace lockstep {
namespace {

struct Place {
  std::size_t line = 1;
  std::size_t column = 1;
};

Place place_of(std::string_view text, std::size_t byte) {
  Place place;
  for (std::size_t i = 0; i < byte && i < text.size(); ++i) {
    if (text[i] == '\n') {
      ++place.line;
      place.column = 1;
    } else {
      ++place.column;
    }
  }
  return place;
}

/// The library's sentence without its error number and its own wording of the position.
std::string reason(const std::string& what) {
  std::string text = what;
  if (const auto end = text.find("] "); text.starts_with("[json.exception") && end != std::string::npos)
    text.erase(0, end + 2);
  if (text.starts_with("parse error at ")) {
    if (const auto colon = text.find(": "); colon != std::string::npos) text.erase(0, colon + 2);
  } else if (text.starts_with("parse error: ")) {
    text.erase(0, std::string_view("parse error: ").size());
  }
  return text;
}

std::string describe(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::object:
      return "an object";
    case Json::value_t::array:
      return "an array";
    default:
      break;
  }
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

}  // namespace

Json parse_json(std::string_view text, const std::string& file) {
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start) {
      if (depth >= max_json_depth)
        throw InputError(fmt::format("{}: nested deeper than {} levels", file, max_json_depth));
      keys.emplace_back();
    } else if (event == Json::parse_event_t::object_end || event == Json::parse_event_t::array_end) {
      keys.pop_back();
    } else if (event == Json::parse_event_t::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys.back().insert(key).second)
        throw InputError(fmt::format("{}: the key '{}' stands twice in one object", file, key));
    }
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), watch);
  } catch (const Json::parse_error& error) {
    const Place place = place_of(text, error.byte > 0 ? error.byte - 1 : 0);
    throw InputError(fmt::format("{}:{}:{}: not valid JSON: {}", file, place.line, place.column, reason(error.what())));
  } catch (const Json::exception& error) {
    throw InputError(fmt::format("{}: not valid JSON: {}", file, reason(error.what())));
  }
}

std::string read_text_file(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) throw InputError(path + ": no such file");
  if (std::filesystem::is_directory(path, ignored)) throw InputError(path + ": is a directory");
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw InputError(path + ": cannot be read");
  std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  if (stream.bad()) throw InputError(path + ": cannot be read");
  return text;
}

JsonValue::JsonValue(const Json& value, std::string file, std::string path)
    : value_(&value), file_(std::move(file)), path_(std::move(path)) {}

void JsonValue::fail(const std::string& message) const {
  throw InputError(path_.empty() ? fmt::format("{}: {}", file_, message)
                                 : fmt::format("{}: {}: {}", file_, path_, message));
}

void JsonValue::expect_object() const {
  if (!value_->is_object()) fail("expected an object, found " + describe(*value_));
}

std::optional<JsonValue> JsonValue::optional(const std::string& key) const {
  expect_object();
  const auto found = value_->find(key);
  if (found == value_->end() || found->is_null()) return std::nullopt;
  return JsonValue(*found, file_, path_.empty() ? key : path_ + "." + key);
}

JsonValue JsonValue::required(const std::string& key) const {
  if (auto value = optional(key)) return *value;
  std::string message =
      fmt::format("the key '{}' is {}", key, value_->contains(key) ? "null, but needed here" : "missing");
  std::vector<std::string> others;
  for (const auto& item : value_->items())
    if (item.key() != key) others.push_back(item.key());
  if (const std::string nearest = nearest_name(key, others); !nearest.empty() && !value_->contains(key))
    message += fmt::format("; is '{}' meant to be it?", nearest);
  fail(message);
}

std::vector<std::pair<std::string, JsonValue>> JsonValue::members() const {
  expect_object();
  std::vector<std::pair<std::string, JsonValue>> all;
  for (const auto& item : value_->items())
    all.emplace_back(item.key(), JsonValue(item.value(), file_, path_.empty() ? item.key() : path_ + "." + item.key()));
  return all;
}

std::vector<JsonValue> JsonValue::items() const {
  if (!value_->is_array()) fail("expected an array, found " + describe(*value_));
  std::vector<JsonValue> all;
  all.reserve(value_->size());
  for (std::size_t i = 0; i < value_->size(); ++i)
    all.emplace_back((*value_)[i], file_, fmt::format("{}[{}]", path_, i));
  return all;
}

std::string JsonValue::text() const {
  if (!value_->is_string()) fail("expected a text, found " + describe(*value_));
  return value_->get<std::string>();
}

bool JsonValue::boolean() const {
  if (!value_->is_boolean()) fail("expected true or false, found " + describe(*value_));
  return value_->get<bool>();
}

double JsonValue::number(double minimum, const std::string& what) const {
  const double number = value_->is_number() ? value_->get<double>() : std::numeric_limits<double>::quiet_NaN();
  if (!std::isfinite(number) || number < minimum) fail(fmt::format("expected {}, found {}", what, describe(*value_)));
  return number;
}

std::int64_t JsonValue::integer(std::int64_t minimum, std::int64_t maximum) const {
  const bool fits =
      value_->is_number_integer() &&
      (!value_->is_number_unsigned() ||
       value_->get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
  const std::int64_t number = fits ? value_->get<std::int64_t>() : 0;
  if (!fits || number < minimum || number > maximum) {
    const std::string range = maximum == std::numeric_limits<std::int64_t>::max()
                                  ? fmt::format("of at least {}", minimum)
                                  : fmt::format("in {}..{}", minimum, maximum);
    fail(fmt::format("expected a whole number {}, found {}", range, describe(*value_)));
  }
  return number;
}

std::uint64_t JsonValue::unsigned_integer() const {
  if (value_->is_number_unsigned()) return value_->get<std::uint64_t>();
  // A document built in memory may hold a small value as a signed number.
  if (value_->is_number_integer() && value_->get<std::int64_t>() >= 0)
    return static_cast<std::uint64_t>(value_->get<std::int64_t>());
  fail("expected a whole number of at least 0, found " + describe(*value_));
}

}  // namespace lockstep
