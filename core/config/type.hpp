// Declarations of what a file may hold. One declaration gives the reader, the error messages and the JSON Schema, so
// the three cannot disagree.
//
//   config::Record<Link> link_type() {
//     return config::record<Link>("link", "A duplex link between two nodes.")
//         .required("bandwidth", &Link::bandwidth, config::bandwidth().positive(), "whole frames on the wire, per
//         direction") .optional("latency",   &Link::latency,   config::duration(),            "one way, of this link
//         alone")   // keeps the member's default
//   }
//
// Contract:
//  - read() reports every error it finds to Diagnostics and returns nullopt if there was any; it never throws on bad
//  input;
//  - unknown keys, missing required keys, wrong kinds and out-of-range values are errors at the position of the key or
//  value,
//    with the nearest valid name;
//  - schema() is JSON Schema draft 2020-12 and accepts exactly the shapes that read() accepts (ranges and cross-field
//  rules
//    that a schema cannot say may be stricter in read()).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/config/document.hpp"
#include "core/units/duration.hpp"
#include "core/units/quantity.hpp"

namespace lockstep::config {

using Json = nlohmann::ordered_json;

/// A value type that can be read from a node and described as a schema. Cheap to copy: copies share what they are made
/// of.
template <class T>
class Type {
 public:
  using value_type = T;
  using Reader = std::function<std::optional<T>(const Node&, Diagnostics&)>;
  using Check = std::function<std::optional<std::string>(const T&)>;  // the complaint, or nullopt

  Type(Reader reader, Json schema)
      : body_(std::make_shared<const Body>(Body{std::move(reader), std::move(schema), {}})) {}

  [[nodiscard]] std::optional<T> read(const Node& node, Diagnostics& diagnostics) const {
    auto value = body_->reader(node, diagnostics);
    if (!value) return std::nullopt;
    for (const auto& check : body_->checks) {
      if (auto complaint = check(*value)) {
        diagnostics.error(node.position, *complaint);
        return std::nullopt;
      }
    }
    return value;
  }
  [[nodiscard]] const Json& schema() const { return body_->schema; }

  /// A further condition; `complaint` is what the message says ("must be positive").
  [[nodiscard]] Type where(Check check) const {
    Body changed = *body_;
    changed.checks.push_back(std::move(check));
    return Type(std::move(changed));
  }
  /// Adds keywords to the schema (a range, an example).
  [[nodiscard]] Type with_schema(const Json& keywords) const {
    Body changed = *body_;
    changed.schema.update(keywords);
    return Type(std::move(changed));
  }
  /// Quantities and numbers: > 0 ("must be positive, is 0bps").
  [[nodiscard]] Type positive() const;

 private:
  struct Body {
    Reader reader;
    Json schema;
    std::vector<Check> checks;
  };
  explicit Type(Body body) : body_(std::make_shared<const Body>(std::move(body))) {}

  std::shared_ptr<const Body> body_;
};

template <>
Type<std::int64_t> Type<std::int64_t>::positive() const;
template <>
Type<double> Type<double>::positive() const;
template <>
Type<Bandwidth> Type<Bandwidth>::positive() const;
template <>
Type<Duration> Type<Duration>::positive() const;
template <>
Type<Bytes> Type<Bytes>::positive() const;

/// A non-empty string on one line; what looks like a number or a boolean needs quotes.
Type<std::string> text();
Type<bool> boolean();                                                    ///< true or false, nothing else
Type<std::int64_t> integer(std::int64_t minimum, std::int64_t maximum);  ///< no leading zeros, no fraction
Type<double> number(double minimum, double maximum);                     ///< a plain number
Type<double> fraction(double minimum = 0.0, double maximum = 1.0);       ///< "0.1%" or 0.001
Type<Bandwidth> bandwidth();                                             ///< >= 0, with its unit
Type<Duration> duration();                                               ///< >= 0, with its unit
Type<Bytes> bytes();                                                     ///< >= 0, with its unit
/// One of the names; anything else is "unknown WHAT 'x'; did you mean 'y'?".
Type<std::string> name_of(const std::string& what, std::vector<std::string> names);
/// The node itself, unread, for a later stage; any shape.
Type<Node> any();
/// A map of any shape as JSON: plain `true`, `false` and numbers become what they look like, all else text.
Type<Json> json_map();

/// A schema as a file of its own: with the keyword that names its dialect.
Json root_schema(const Json& schema);

/// An enumeration: names with their values.
template <class E>
Type<E> choice(const std::string& what, const std::vector<std::pair<std::string, E>>& values) {
  std::vector<std::string> names;
  names.reserve(values.size());
  for (const auto& [name, value] : values) names.push_back(name);
  auto inner = name_of(what, names);
  return Type<E>(
      [inner, values](const Node& node, Diagnostics& diagnostics) -> std::optional<E> {
        const auto name = inner.read(node, diagnostics);
        if (!name) return std::nullopt;
        for (const auto& [known, value] : values)
          if (known == *name) return value;
        return std::nullopt;
      },
      inner.schema());
}

namespace detail {
/// "a map", "a list", "nothing", "'word'": what stands there, for messages.
std::string describe(const Node& node);
/// A field takes what its type reads; whole numbers fit, since the range of the type says so.
template <class M, class T>
void assign(M& member, T&& value) {
  using V = std::remove_cvref_t<T>;
  if constexpr (std::is_assignable_v<M&, V> && !std::is_arithmetic_v<V>) {
    member = std::forward<T>(value);
  } else if constexpr (std::is_arithmetic_v<M>) {
    member = static_cast<M>(value);
  } else {
    member = static_cast<typename M::value_type>(value);
  }
}
bool expect_kind(const Node& node, Node::Kind kind, const char* expected, Diagnostics& diagnostics);
void error(const Node& node, const std::string& message, Diagnostics& diagnostics);
/// Reports unknown keys of a map (nearest name) and missing required ones.
void check_keys(const Node& map, const std::string& record, const std::vector<std::string>& known,
                const std::vector<std::string>& required, Diagnostics& diagnostics);
}  // namespace detail

/// A sequence; `minimum` elements at least.
template <class T>
Type<std::vector<T>> list(const Type<T>& element, std::size_t minimum = 0) {
  Json schema = {{"type", "array"}, {"items", element.schema()}};
  if (minimum > 0) schema["minItems"] = minimum;
  return Type<std::vector<T>>(
      [element, minimum](const Node& node, Diagnostics& diagnostics) -> std::optional<std::vector<T>> {
        if (!detail::expect_kind(node, Node::Kind::sequence, "a list", diagnostics)) return std::nullopt;
        std::vector<T> values;
        bool good = true;
        for (const auto& item : node.items) {
          if (auto value = element.read(item, diagnostics))
            values.push_back(std::move(*value));
          else
            good = false;
        }
        if (node.items.size() < minimum) {
          detail::error(node, "needs at least " + std::to_string(minimum) + " element" + (minimum == 1 ? "" : "s"),
                        diagnostics);
          good = false;
        }
        if (!good) return std::nullopt;
        return values;
      },
      schema);
}

/// One element or a list of them (`algorithm: ring` as well as `algorithm: [ring, tree]`).
template <class T>
Type<std::vector<T>> one_or_list(const Type<T>& element) {
  auto many = list(element, 1);
  return Type<std::vector<T>>(
      [element, many](const Node& node, Diagnostics& diagnostics) -> std::optional<std::vector<T>> {
        if (node.kind == Node::Kind::sequence) return many.read(node, diagnostics);
        auto value = element.read(node, diagnostics);
        if (!value) return std::nullopt;
        return std::vector<T>{std::move(*value)};
      },
      Json{{"oneOf", Json::array({element.schema(), many.schema()})}});
}

/// Allows an absent or null value.
template <class T>
Type<std::optional<T>> maybe(Type<T> inner) {
  return Type<std::optional<T>>(
      [inner](const Node& node, Diagnostics& diagnostics) -> std::optional<std::optional<T>> {
        if (node.kind == Node::Kind::null) return std::optional<T>{};
        auto value = inner.read(node, diagnostics);
        if (!value) return std::nullopt;
        return std::optional<T>{std::move(*value)};
      },
      Json{{"anyOf", Json::array({inner.schema(), Json{{"type", "null"}}})}});
}

/// A map with declared keys read into a struct R.
template <class R>
class Record {
 public:
  Record(std::string name, std::string description) : name_(std::move(name)), description_(std::move(description)) {}

  template <class M, class T>
  Record& required(const std::string& key, M R::*member, const Type<T>& type, const std::string& description) {
    return add(key, member, type, description, true);
  }
  /// Absent: the member keeps the default that R gives it. M may be T or std::optional<T>.
  template <class M, class T>
  Record& optional(const std::string& key, M R::*member, const Type<T>& type, const std::string& description) {
    return add(key, member, type, description, false);
  }
  /// A rule across fields, run when all fields were read; it reports to Diagnostics itself.
  Record& rule(std::function<void(const R&, const Node&, Diagnostics&)> rule) {
    rules_.push_back(std::move(rule));
    return *this;
  }
  /// Where R keeps the position it was read at (config::Position R::*).
  Record& keep_position(Position R::*member) {
    keep_position_ = [member](R& value, const Position& position) { value.*member = position; };
    return *this;
  }

  [[nodiscard]] Type<R> type() const {
    Json properties = Json::object();
    Json required_keys = Json::array();
    std::vector<std::string> known;
    std::vector<std::string> required;
    for (const auto& field : fields_) {
      Json schema = field.schema;
      schema["description"] = field.description;
      properties[field.key] = schema;
      known.push_back(field.key);
      if (field.required) {
        required.push_back(field.key);
        required_keys.push_back(field.key);
      }
    }
    Json schema = {{"type", "object"},
                   {"title", name_},
                   {"description", description_},
                   {"properties", properties},
                   {"additionalProperties", false}};
    if (!required_keys.empty()) schema["required"] = required_keys;
    auto reader = [fields = fields_, rules = rules_, known, required, name = name_, keep = keep_position_](
                      const Node& node, Diagnostics& diagnostics) -> std::optional<R> {
      if (!detail::expect_kind(node, Node::Kind::map, ("a map with the keys of a " + name).c_str(), diagnostics))
        return std::nullopt;
      const auto before = diagnostics.errors().size();
      detail::check_keys(node, name, known, required, diagnostics);
      R value{};
      if (keep) keep(value, node.position);
      for (const auto& field : fields)
        if (const Node* child = node.find(field.key)) field.read(*child, value, diagnostics);
      if (diagnostics.errors().size() == before)
        for (const auto& rule : rules) rule(value, node, diagnostics);
      if (diagnostics.errors().size() != before) return std::nullopt;
      return value;
    };
    return Type<R>(reader, schema);
  }

 private:
  struct Field {
    std::string key;
    std::string description;
    bool required = false;
    Json schema;
    std::function<void(const Node&, R&, Diagnostics&)> read;
  };
  template <class M, class T>
  Record& add(const std::string& key, M R::*member, const Type<T>& type, const std::string& description,
              bool required) {
    Json schema = type.schema();
    fields_.push_back({key, description, required, std::move(schema),
                       [member, type](const Node& node, R& record, Diagnostics& diagnostics) {
                         if (auto value = type.read(node, diagnostics))
                           detail::assign(record.*member, std::move(*value));
                       }});
    return *this;
  }

  std::string name_;
  std::string description_;
  std::vector<Field> fields_;
  std::vector<std::function<void(const R&, const Node&, Diagnostics&)>> rules_;
  std::function<void(R&, const Position&)> keep_position_;
};

template <class R>
Record<R> record(const std::string& name, const std::string& description) {
  return Record<R>(name, description);
}

}  // namespace lockstep::config
