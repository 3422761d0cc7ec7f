// Sweeps in workload files, of sizes and of lengths: {from, to, factor}.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/config/type.hpp"

namespace lockstep {

/// from, from * factor, from * factor^2, ... up to and including `to`.
template <class Value>
struct Sweep {
  Value from{};
  Value to{};
  std::int64_t factor = 2;
};

/// `count` says the number in a value.
template <class Value, class Count>
std::vector<Value> expand(const Sweep<Value>& sweep, const Count& count) {
  std::vector<Value> values;
  for (Value value = sweep.from;; value = value * sweep.factor) {
    values.push_back(value);
    if (count(value) > count(sweep.to) / sweep.factor) return values;  // the next one would be larger than `to`
  }
}

/// How files write a Value.
template <class Value>
struct SweepWords {
  std::string record;  ///< "sweep"
  std::string one;     ///< "size"
  config::Type<Value> from;
  config::Type<Value> to;
  std::string (*text)(Value);
  std::int64_t (*count)(Value);
};

template <class Value>
config::Type<Sweep<Value>> sweep_type(const SweepWords<Value>& words) {
  const auto& one = words.one;
  return config::record<Sweep<Value>>(words.record, "From, from * factor, from * factor^2, ... up to and including to.")
      .required("from", &Sweep<Value>::from, words.from, fmt::format("the first {}", one))
      .required("to", &Sweep<Value>::to, words.to, fmt::format("no {} is larger", one))
      .optional("factor", &Sweep<Value>::factor, config::integer(2, 1'000'000'000),
                fmt::format("each {} is the one before times this; default 2", one))
      .rule([text = words.text](const Sweep<Value>& sweep, const config::Node& node, config::Diagnostics& diagnostics) {
        if (sweep.to < sweep.from)
          diagnostics.error(node.position, fmt::format("a sweep from {} to {} is empty; 'to' must not be below 'from'",
                                                       text(sweep.from), text(sweep.to)));
      })
      .type();
}

/// A value, a list of them, or a sweep, which is expanded.
template <class Value>
config::Type<std::vector<Value>> sweep_or_list(const SweepWords<Value>& words, const config::Type<Value>& value) {
  const auto sweep = sweep_type(words);
  const auto list = config::one_or_list(value);
  config::Json forms = list.schema()["oneOf"];
  forms.push_back(sweep.schema());
  return config::Type<std::vector<Value>>(
      [sweep, list, count = words.count](const config::Node& node,
                                         config::Diagnostics& diagnostics) -> std::optional<std::vector<Value>> {
        if (node.kind != config::Node::Kind::map) return list.read(node, diagnostics);
        const auto read = sweep.read(node, diagnostics);
        if (!read) return std::nullopt;
        return expand(*read, count);
      },
      config::Json{{"oneOf", forms}});
}

}  // namespace lockstep
