#include "core/config/type.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "core/base/text.hpp"
#include "core/config/work_type.hpp"
#include "core/units/parse.hpp"

namespace lockstep::config {
namespace {

constexpr std::string_view quantity_number = "^(0|[1-9][0-9]*)(\\.[0-9]+)? ?";

/// A scalar that is no boolean and no number by itself: quantities are text, with or without quotes.
template <class T>
Type<T> quantity(const char* expected, const char* units, T (*parse)(std::string_view)) {
  return Type<T>(
      [expected, parse](const Node& node, Diagnostics& diagnostics) -> std::optional<T> {
        if (!detail::expect_kind(node, Node::Kind::scalar, expected, diagnostics)) return std::nullopt;
        try {
          return parse(node.scalar);
        } catch (const UnitError& error) {
          detail::error(node, error.what(), diagnostics);
          return std::nullopt;
        }
      },
      Json{{"type", "string"}, {"pattern", fmt::format("{}({})$", quantity_number, units)}});
}

template <class T>
Type<T> with_positive(const Type<T>& type, const Json& keywords, std::string (*write)(T)) {
  return type.with_schema(keywords).where([write](const T& value) -> std::optional<std::string> {
    if (value > T{}) return std::nullopt;
    return fmt::format("must be positive, is {}", write(value));
  });
}

std::optional<std::string> outside(double value, double minimum, double maximum) {
  if (value >= minimum && value <= maximum) return std::nullopt;
  const bool above = maximum == std::numeric_limits<double>::infinity(),
             below = minimum == -std::numeric_limits<double>::infinity();
  if (above) return fmt::format("must be at least {}, is {}", minimum, value);
  if (below) return fmt::format("must be at most {}, is {}", maximum, value);
  return fmt::format("must be between {} and {}, is {}", minimum, maximum, value);
}

/// JSON Schema has no infinity: an open end is an absent keyword.
void add_range(Json& schema, double minimum, double maximum) {
  if (minimum != -std::numeric_limits<double>::infinity()) schema["minimum"] = minimum;
  if (maximum != std::numeric_limits<double>::infinity()) schema["maximum"] = maximum;
}

bool refuse_malformed(const Node& node, Diagnostics& diagnostics) {
  if (scalar_kind(node) != ScalarKind::malformed_number) return false;
  detail::error(
      node,
      fmt::format("'{}' is not a plain decimal number (no leading zeros, no sign +, no 0x, no _)", shown(node.scalar)),
      diagnostics);
  return true;
}

std::optional<Json> json_of(const Node& node, Diagnostics& diagnostics) {
  switch (node.kind) {
    case Node::Kind::null:
      return Json(nullptr);
    case Node::Kind::scalar: {
      if (refuse_malformed(node, diagnostics)) return std::nullopt;
      const ScalarKind kind = scalar_kind(node);
      if (kind == ScalarKind::boolean) return Json(node.scalar == "true");
      if (kind == ScalarKind::text) return Json(node.scalar);
      Json number = Json::parse(node.scalar, nullptr, false);
      if (number.is_discarded()) {
        detail::error(node, fmt::format("'{}' is too large for a number", shown(node.scalar)), diagnostics);
        return std::nullopt;
      }
      return number;
    }
    case Node::Kind::sequence: {
      Json list = Json::array();
      bool good = true;
      for (const auto& item : node.items) {
        if (auto value = json_of(item, diagnostics))
          list.push_back(std::move(*value));
        else
          good = false;
      }
      return good ? std::optional<Json>(std::move(list)) : std::nullopt;
    }
    case Node::Kind::map: {
      Json map = Json::object();
      bool good = true;
      for (const auto& entry : node.entries) {
        if (auto value = json_of(entry.value, diagnostics))
          map[entry.key] = std::move(*value);
        else
          good = false;
      }
      return good ? std::optional<Json>(std::move(map)) : std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace

namespace detail {

std::string describe(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return "nothing";
    case Node::Kind::scalar:
      return fmt::format("'{}'", shown(node.scalar));
    case Node::Kind::sequence:
      return "a list";
    case Node::Kind::map:
      return "a map";
  }
  return {};
}

void error(const Node& node, const std::string& message, Diagnostics& diagnostics) {
  diagnostics.error(node.position, message);
}

bool expect_kind(const Node& node, Node::Kind kind, const char* expected, Diagnostics& diagnostics) {
  if (node.kind == kind) return true;
  error(node, fmt::format("expected {}, got {}", expected, describe(node)), diagnostics);
  return false;
}

void check_keys(const Node& map, const std::string& record, const std::vector<std::string>& known,
                const std::vector<std::string>& required, Diagnostics& diagnostics) {
  for (const auto& entry : map.entries) {
    if (std::find(known.begin(), known.end(), entry.key) == known.end()) {
      diagnostics.error(entry.key_position, unknown_name(fmt::format("{} key", record), shown(entry.key), known));
    }
  }
  for (const auto& key : required)
    if (map.find(key) == nullptr) error(map, fmt::format("the {} lacks the key '{}'", record, key), diagnostics);
}

}  // namespace detail

template <>
Type<std::int64_t> Type<std::int64_t>::positive() const {
  return with_positive<std::int64_t>(*this, Json{{"exclusiveMinimum", 0}},
                                     [](std::int64_t value) { return fmt::format("{}", value); });
}
template <>
Type<double> Type<double>::positive() const {
  return with_positive<double>(*this, Json{{"exclusiveMinimum", 0}},
                               [](double value) { return fmt::format("{}", value); });
}
template <>
Type<Bandwidth> Type<Bandwidth>::positive() const {
  return with_positive<Bandwidth>(*this, Json::object(), [](Bandwidth value) { return to_text(value); });
}
template <>
Type<Duration> Type<Duration>::positive() const {
  return with_positive<Duration>(*this, Json::object(), [](Duration value) { return to_text(value); });
}
template <>
Type<Bytes> Type<Bytes>::positive() const {
  return with_positive<Bytes>(*this, Json::object(), [](Bytes value) { return to_text(value); });
}

Type<std::string> text() {
  return Type<std::string>(
      [](const Node& node, Diagnostics& diagnostics) -> std::optional<std::string> {
        if (!detail::expect_kind(node, Node::Kind::scalar, "text", diagnostics)) return std::nullopt;
        if (node.scalar.empty()) {
          detail::error(node, "expected text, got an empty one", diagnostics);
          return std::nullopt;
        }
        if (scalar_kind(node) != ScalarKind::text) {
          detail::error(
              node,
              fmt::format("expected text, got the {} '{}'; put it in quotes",
                          scalar_kind(node) == ScalarKind::boolean ? "boolean" : "number", shown(node.scalar)),
              diagnostics);
          return std::nullopt;
        }
        if (std::any_of(node.scalar.begin(), node.scalar.end(),
                        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; })) {
          detail::error(node, "expected text on one line, got a line end or a control character", diagnostics);
          return std::nullopt;
        }
        return node.scalar;
      },
      Json{{"type", "string"}, {"pattern", "^[^\\x00-\\x1f\\x7f]+$"}});
}

Type<bool> boolean() {
  return Type<bool>(
      [](const Node& node, Diagnostics& diagnostics) -> std::optional<bool> {
        if (node.kind == Node::Kind::scalar && scalar_kind(node) == ScalarKind::boolean) return node.scalar == "true";
        detail::error(
            node,
            fmt::format("expected true or false, got {}{}", detail::describe(node), node.quoted ? " in quotes" : ""),
            diagnostics);
        return std::nullopt;
      },
      Json{{"type", "boolean"}});
}

Type<std::int64_t> integer(std::int64_t minimum, std::int64_t maximum) {
  Json schema = {{"type", "integer"}};
  if (minimum != std::numeric_limits<std::int64_t>::min()) schema["minimum"] = minimum;
  if (maximum != std::numeric_limits<std::int64_t>::max()) schema["maximum"] = maximum;
  return Type<std::int64_t>(
      [minimum, maximum](const Node& node, Diagnostics& diagnostics) -> std::optional<std::int64_t> {
        if (!detail::expect_kind(node, Node::Kind::scalar, "a whole number", diagnostics)) return std::nullopt;
        if (refuse_malformed(node, diagnostics)) return std::nullopt;
        const char* begin = node.scalar.data();
        const char* end = begin + node.scalar.size();
        std::int64_t value = 0;
        const auto [stop, error] = std::from_chars(begin, end, value);
        const bool number = scalar_kind(node) == ScalarKind::number;
        if (number && stop == end && error == std::errc::result_out_of_range) {
          detail::error(node, fmt::format("must be between {} and {}, is {}", minimum, maximum, shown(node.scalar)),
                        diagnostics);
        } else if (!number || stop != end || error != std::errc{}) {
          detail::error(
              node,
              fmt::format("expected a whole number, got {}{}", detail::describe(node), node.quoted ? " in quotes" : ""),
              diagnostics);
        } else if (value < minimum || value > maximum) {
          detail::error(node, fmt::format("must be between {} and {}, is {}", minimum, maximum, value), diagnostics);
        } else {
          return value;
        }
        return std::nullopt;
      },
      schema);
}

Type<double> number(double minimum, double maximum) {
  Json schema = {{"type", "number"}};
  add_range(schema, minimum, maximum);
  return Type<double>(
      [minimum, maximum](const Node& node, Diagnostics& diagnostics) -> std::optional<double> {
        if (!detail::expect_kind(node, Node::Kind::scalar, "a number", diagnostics)) return std::nullopt;
        if (refuse_malformed(node, diagnostics)) return std::nullopt;
        double value = 0;
        const char* end = node.scalar.data() + node.scalar.size();
        if (scalar_kind(node) != ScalarKind::number) {
          detail::error(
              node, fmt::format("expected a number, got {}{}", detail::describe(node), node.quoted ? " in quotes" : ""),
              diagnostics);
        } else if (std::from_chars(node.scalar.data(), end, value).ec != std::errc{}) {
          detail::error(node, fmt::format("'{}' is out of the range of numbers", shown(node.scalar)), diagnostics);
        } else if (const auto complaint = outside(value, minimum, maximum)) {
          detail::error(node, *complaint, diagnostics);
        } else {
          return value;
        }
        return std::nullopt;
      },
      schema);
}

Type<double> fraction(double minimum, double maximum) {
  Json schema = {{"type", "number"}};
  add_range(schema, minimum, maximum);
  return Type<double>(
      [minimum, maximum](const Node& node, Diagnostics& diagnostics) -> std::optional<double> {
        if (!detail::expect_kind(node, Node::Kind::scalar, "a fraction (0.1% or 0.001)", diagnostics))
          return std::nullopt;
        if (refuse_malformed(node, diagnostics)) return std::nullopt;
        if (node.quoted && !node.scalar.ends_with('%')) {
          detail::error(node,
                        fmt::format("expected a fraction (0.1% or 0.001), got {} in quotes", detail::describe(node)),
                        diagnostics);
          return std::nullopt;
        }
        try {
          const double value = parse_fraction(node.scalar);
          const auto complaint = outside(value, minimum, maximum);
          if (!complaint) return value;
          detail::error(node, *complaint, diagnostics);
        } catch (const UnitError& error) {
          detail::error(node, error.what(), diagnostics);
        }
        return std::nullopt;
      },
      Json{
          {"oneOf", Json::array({schema, Json{{"type", "string"}, {"pattern", "^-?(0|[1-9][0-9]*)(\\.[0-9]+)?%$"}}})}});
}

Type<Bandwidth> bandwidth() {
  return quantity<Bandwidth>("a bandwidth such as 400Gbps or 50GB/s", "[kMGT]?bps|[kMGT]?B/s|[KMG]iB/s",
                             parse_bandwidth);
}
Type<Duration> duration() {
  return quantity<Duration>("a duration such as 2us", "ps|ns|us|ms|s|min|h", parse_duration);
}
Type<Bytes> bytes() { return quantity<Bytes>("a size such as 1GiB", "[kMGT]?B|[KMGT]iB", parse_bytes); }

Type<Flops> flops() { return quantity<Flops>("work such as 2Gflop", "[kMGTP]?flop", parse_flops); }
Type<FlopRate> flop_rate() {
  return with_positive<FlopRate>(quantity<FlopRate>("a rate such as 50Gflop/s", "[kMGTP]?flop/s", parse_flop_rate),
                                 Json::object(), [](FlopRate value) { return to_text(value); });
}

Type<std::int64_t> count(std::int64_t minimum, std::int64_t maximum) {
  const auto inner = quantity<std::int64_t>("a count such as 4096 or 1Mi", "[kMGT]|[KMGT]i", parse_count);
  return Type<std::int64_t>(
      [inner, minimum, maximum](const Node& node, Diagnostics& diagnostics) -> std::optional<std::int64_t> {
        if (node.quoted &&
            scalar_kind(Node{node.kind, node.position, node.scalar, false, {}, {}}) != ScalarKind::text) {
          detail::error(node, fmt::format("expected a count, got {} in quotes", detail::describe(node)), diagnostics);
          return std::nullopt;
        }
        const auto value = inner.read(node, diagnostics);
        if (!value) return std::nullopt;
        if (*value >= minimum && *value <= maximum) return value;
        detail::error(node, fmt::format("must be between {} and {}, is {}", minimum, maximum, shown(node.scalar)),
                      diagnostics);
        return std::nullopt;
      },
      Json{{"oneOf",
            Json::array({Json{{"type", "integer"}, {"minimum", minimum}, {"maximum", maximum}}, inner.schema()})}});
}

Type<std::string> name_of(const std::string& what, std::vector<std::string> names) {
  Json schema = {{"enum", names}};
  return Type<std::string>(
      [what, names = std::move(names)](const Node& node, Diagnostics& diagnostics) -> std::optional<std::string> {
        if (!detail::expect_kind(node, Node::Kind::scalar, fmt::format("the name of a {}", what).c_str(), diagnostics))
          return std::nullopt;
        if (std::find(names.begin(), names.end(), node.scalar) != names.end()) return node.scalar;
        detail::error(node, unknown_name(what, shown(node.scalar), names), diagnostics);
        return std::nullopt;
      },
      schema);
}

Type<Node> any() {
  return Type<Node>([](const Node& node, Diagnostics&) -> std::optional<Node> { return node; }, Json::object());
}

Type<Json> json_map() {
  return Type<Json>(
      [](const Node& node, Diagnostics& diagnostics) -> std::optional<Json> {
        if (!detail::expect_kind(node, Node::Kind::map, "a map", diagnostics)) return std::nullopt;
        return json_of(node, diagnostics);
      },
      Json{{"type", "object"}});
}

Json root_schema(const Json& schema) {
  Json root = {{"$schema", "https://json-schema.org/draft/2020-12/schema"}};
  root.update(schema);
  return root;
}

}  // namespace lockstep::config
