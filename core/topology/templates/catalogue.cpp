#include "core/base/catalogue.hpp"

#include <iterator>
#include <vector>

#include "core/topology/node_graph.hpp"
#include "core/topology/node_template.hpp"
#include "core/topology/templates/gpu_node.hpp"
#include "core/topology/templates/templates.hpp"

namespace lockstep {

std::span<const NodeTemplate> node_template_catalogue() {
  static const std::vector<NodeTemplate> catalogue = [] {
    std::vector<NodeTemplate> all{plain_host()};
    for (auto* family :
         {templates::dgx, templates::grace, templates::amd, templates::aws, templates::pcie, templates::cpu}) {
      auto some = family();
      std::move(some.begin(), some.end(), std::back_inserter(all));
    }
    return all;
  }();
  return catalogue;
}

config::Type<NodeTemplate> node_template() {
  const auto named = config::name_of("node template", names_of(node_template_catalogue()));
  const auto shape = gpu_node_shape();
  const auto graph = node_graph();
  return config::Type<NodeTemplate>(
      [named, shape, graph](const config::Node& node, config::Diagnostics& diagnostics) -> std::optional<NodeTemplate> {
        if (node.kind == config::Node::Kind::map && node.find("parts") != nullptr) {
          auto parts = graph.read(node, diagnostics);
          if (!parts) return std::nullopt;
          return graph_node("inline", "described in the file", std::move(*parts));
        }
        if (node.kind == config::Node::Kind::map) {
          const auto inlined = shape.read(node, diagnostics);
          if (!inlined) return std::nullopt;
          return gpu_node("inline", "described in the file", *inlined);
        }
        const auto name = named.read(node, diagnostics);
        if (!name) return std::nullopt;
        return *find_in(node_template_catalogue(), *name);
      },
      config::Json{{"oneOf", {named.schema(), shape.schema(), graph.schema()}}});
}

config::Type<NodeMix> node_mix() {
  const auto one = node_template();
  const auto several =
      config::list(config::record<NodeCount>("nodes of a kind", "So many nodes of a kind.")
                       .required("kind", &NodeCount::node, one, "a template's name or a description")
                       .required("count", &NodeCount::count, config::integer(1, 1'000'000'000), "how many")
                       .type(),
                   1);
  return config::Type<NodeMix>(
      [one, several](const config::Node& node, config::Diagnostics& diagnostics) -> std::optional<NodeMix> {
        if (node.kind == config::Node::Kind::sequence) {
          auto kinds = several.read(node, diagnostics);
          if (!kinds) return std::nullopt;
          return NodeMix{std::move(*kinds), node.position};
        }
        auto kind = one.read(node, diagnostics);
        if (!kind) return std::nullopt;
        return NodeMix{{{std::move(*kind), std::nullopt}}, node.position};
      },
      config::Json{{"oneOf", {one.schema(), several.schema()}}});
}

}  // namespace lockstep
