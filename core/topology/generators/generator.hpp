// A generator turns a few keys into a network. Adding one: a new file in this folder and a line in catalogue.cpp.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "core/config/type.hpp"
#include "core/topology/builder.hpp"

namespace lockstep {

/// Builds what was read; what is wrong with the whole goes to the builder's error().
using Generate = std::function<void(TopologyBuilder&)>;

struct Generator {
  std::string name;
  std::string description;
  config::Type<Generate> (*type)();  ///< reads the generator's own keys
};

std::span<const Generator> generator_catalogue();

/// `generate:`, a map with one key, the generator's name.
config::Type<Generate> generate_type();

/// Makes a generator's type of its record: `build` is called with what was read.
template <class R>
config::Type<Generate> generator_type(const config::Record<R>& declaration, void (*build)(const R&, TopologyBuilder&)) {
  const auto inner = declaration.type();
  return config::Type<Generate>(
      [inner, build](const config::Node& node, config::Diagnostics& diagnostics) -> std::optional<Generate> {
        auto value = inner.read(node, diagnostics);
        if (!value) return std::nullopt;
        return Generate([made = std::move(*value), build](TopologyBuilder& builder) { build(made, builder); });
      },
      inner.schema());
}

/// Counts in files: their upper bound only guards the arithmetic, the limit of devices says what is too large.
inline config::Type<std::int64_t> count(std::int64_t minimum = 1) { return config::integer(minimum, 1'000'000'000); }

config::Type<Generate> star_type();
config::Type<Generate> ring_type();
config::Type<Generate> leaf_spine_type();
config::Type<Generate> fat_tree_type();
config::Type<Generate> torus_type();
config::Type<Generate> hyperx_type();
config::Type<Generate> full_mesh_type();
config::Type<Generate> dragonfly_type();

}  // namespace lockstep
