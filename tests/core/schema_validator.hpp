// A validator for the keywords of JSON Schema (draft 2020-12) that our declarations emit; any other keyword is an
// error, so that a new one cannot go unchecked.
#pragma once

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <stdexcept>
#include <string>

namespace lockstep::test {

using Json = nlohmann::ordered_json;

inline bool has_type(const Json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "null") return value.is_null();
  if (type == "number") return value.is_number();
  if (type == "integer")
    return value.is_number_integer() ||
           (value.is_number_float() && value.get<double>() == std::trunc(value.get<double>()));
  throw std::logic_error("unknown type " + type);
}

/// Compiling an expression costs far more than trying it.
inline const std::regex& compiled(const std::string& pattern) {
  static std::map<std::string, std::regex> known;
  return known.try_emplace(pattern, pattern).first->second;
}

inline bool accepts(const Json& schema, const Json& value) {
  if (schema.is_boolean()) return schema.get<bool>();
  const auto number_of_matches = [&](const Json& alternatives) {
    int count = 0;
    for (const auto& alternative : alternatives) count += accepts(alternative, value) ? 1 : 0;
    return count;
  };
  for (const auto& [keyword, argument] : schema.items()) {
    if (keyword == "$schema" || keyword == "$id" || keyword == "title" || keyword == "description" ||
        keyword == "default" || keyword == "examples")
      continue;
    if (keyword == "type") {
      bool any = false;
      for (const auto& type : argument.is_array() ? argument : Json::array({argument}))
        any = any || has_type(value, type.get<std::string>());
      if (!any) return false;
    } else if (keyword == "properties") {
      if (!value.is_object()) continue;
      for (const auto& [key, inner] : argument.items())
        if (value.contains(key) && !accepts(inner, value[key])) return false;
    } else if (keyword == "additionalProperties") {
      if (!value.is_object()) continue;
      for (const auto& [key, inner] : value.items()) {
        const bool declared = schema.contains("properties") && schema["properties"].contains(key);
        if (!declared && !accepts(argument, inner)) return false;
      }
    } else if (keyword == "required") {
      if (!value.is_object()) continue;
      for (const auto& key : argument)
        if (!value.contains(key.get<std::string>())) return false;
    } else if (keyword == "minProperties") {
      if (value.is_object() && value.size() < argument.get<std::size_t>()) return false;
    } else if (keyword == "maxProperties") {
      if (value.is_object() && value.size() > argument.get<std::size_t>()) return false;
    } else if (keyword == "items") {
      if (!value.is_array()) continue;
      for (const auto& item : value)
        if (!accepts(argument, item)) return false;
    } else if (keyword == "minItems") {
      if (value.is_array() && value.size() < argument.get<std::size_t>()) return false;
    } else if (keyword == "maxItems") {
      if (value.is_array() && value.size() > argument.get<std::size_t>()) return false;
    } else if (keyword == "uniqueItems") {
      if (!value.is_array() || !argument.get<bool>()) continue;
      for (std::size_t i = 0; i < value.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
          if (value[i] == value[j]) return false;
    } else if (keyword == "enum") {
      bool any = false;
      for (const auto& allowed : argument) any = any || allowed == value;
      if (!any) return false;
    } else if (keyword == "const") {
      if (argument != value) return false;
    } else if (keyword == "pattern") {
      if (value.is_string() && !std::regex_search(value.get<std::string>(), compiled(argument.get<std::string>())))
        return false;
    } else if (keyword == "minLength") {
      if (value.is_string() && value.get<std::string>().size() < argument.get<std::size_t>()) return false;
    } else if (keyword == "minimum") {
      if (value.is_number() && value.get<double>() < argument.get<double>()) return false;
    } else if (keyword == "maximum") {
      if (value.is_number() && value.get<double>() > argument.get<double>()) return false;
    } else if (keyword == "exclusiveMinimum") {
      if (value.is_number() && value.get<double>() <= argument.get<double>()) return false;
    } else if (keyword == "exclusiveMaximum") {
      if (value.is_number() && value.get<double>() >= argument.get<double>()) return false;
    } else if (keyword == "multipleOf") {
      if (!value.is_number()) continue;
      const double quotient = value.get<double>() / argument.get<double>();
      if (quotient < 1e15 && quotient > -1e15 && quotient != static_cast<double>(static_cast<std::int64_t>(quotient)))
        return false;
    } else if (keyword == "oneOf") {
      if (number_of_matches(argument) != 1) return false;
    } else if (keyword == "anyOf") {
      if (number_of_matches(argument) == 0) return false;
    } else if (keyword == "allOf") {
      if (number_of_matches(argument) != static_cast<int>(argument.size())) return false;
    } else if (keyword == "not") {
      if (accepts(argument, value)) return false;
    } else {
      throw std::logic_error("the validator does not know the keyword " + keyword);
    }
  }
  return true;
}

}  // namespace lockstep::test
