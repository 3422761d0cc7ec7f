#include "core/base/catalogue.hpp"

#include <array>

#include "core/topology/generators/generator.hpp"

namespace lockstep {

std::span<const Generator> generator_catalogue() {
  static const std::array<Generator, 8> catalogue{{
      {"star", "every host on one switch", star_type},
      {"ring", "switches in a ring, each with its hosts", ring_type},
      {"leaf_spine", "hosts on leaf switches (or one leaf per rail of GPU nodes), every leaf on every spine",
       leaf_spine_type},
      {"fat_tree", "k-ary fat tree of two or three tiers of k-port switches", fat_tree_type},
      {"torus", "switches on a grid of two, three or more dimensions that close upon themselves", torus_type},
      {"full_mesh", "every pair of switches with a cable of its own", full_mesh_type},
      {"hyperx", "switches on a grid, all of a row joined to each other in every dimension", hyperx_type},
      {"dragonfly", "groups of switches, all of a group joined, and every pair of groups", dragonfly_type},
  }};
  return catalogue;
}

config::Type<Generate> generate_type() {
  std::vector<std::pair<std::string, config::Type<Generate>>> types;
  config::Json properties = config::Json::object();
  for (const auto& generator : generator_catalogue()) {
    types.emplace_back(generator.name, generator.type());
    properties[generator.name] = types.back().second.schema();
    properties[generator.name]["description"] = generator.description;
  }
  return config::Type<Generate>(
      [types](const config::Node& node, config::Diagnostics& diagnostics) -> std::optional<Generate> {
        const auto names = names_of(generator_catalogue());
        if (!config::detail::expect_kind(node, config::Node::Kind::map, "a map with the name of a generator",
                                         diagnostics))
          return std::nullopt;
        if (node.entries.size() != 1) {
          config::detail::error(node, "needs exactly one generator: " + join(names, ", "), diagnostics);
          return std::nullopt;
        }
        const auto& entry = node.entries.front();
        for (const auto& [name, type] : types)
          if (name == entry.key) return type.read(entry.value, diagnostics);
        diagnostics.error(entry.key_position, unknown_name("generator", entry.key, names));
        return std::nullopt;
      },
      config::Json{{"type", "object"},
                   {"properties", properties},
                   {"additionalProperties", false},
                   {"minProperties", 1},
                   {"maxProperties", 1}});
}

}  // namespace lockstep
