#include <fmt/format.h>

#include "core/topology/generators/generator.hpp"
#include "core/topology/generators/oversubscription.hpp"

// Two shapes. Of hosts: `leaves` leaf switches with hosts / leaves machines each, all ports of a machine on its leaf.
// Of GPU nodes: a leaf for every rail, NIC i of every node on leaf i modulo rails (the rail-optimised network of GPU
// clusters); with pods, a leaf for every rail of each pod, nodes filling pods in order. Without spines the rails are
// not joined ("rail-only": Wang et al., "Rail-only: A Low-Cost High-Performance Network for Training LLMs with Trillion
// Parameters", HOTI 2024), and what goes to another rail crosses NVLink. In both, every leaf has one link to every
// spine, of rate ports x rate / (spines x oversubscription), rounded down to a bit per second.
namespace lockstep {
namespace {

struct LeafSpine {
  config::Position position;
  std::optional<std::int64_t> hosts;
  std::optional<std::int64_t> leaves;
  std::optional<std::int64_t> nodes;
  std::optional<std::int64_t> rails;
  std::int64_t pods = 1;
  std::int64_t spines = 0;
  double oversubscription = 1.0;
  LinkSpec link;
  Duration switch_latency{0};
};

void build(const LeafSpine& network, TopologyBuilder& builder) {
  const bool by_rail = network.nodes.has_value();
  const std::int64_t machines = by_rail ? *network.nodes : *network.hosts;
  const std::int64_t leaf_count = by_rail ? *network.rails * network.pods : *network.leaves;
  const auto each = builder.ports_per_node(network.position);
  if (!each) return;
  if (by_rail && *each % *network.rails != 0) {
    return builder.error(network.position,
                         fmt::format("{} rails do not divide the {} NIC{} of a node of template '{}'", *network.rails,
                                     *each, *each == 1 ? "" : "s", builder.node_name()));
  }
  if (by_rail && machines % network.pods != 0) {
    return builder.error(network.position, fmt::format("{} nodes do not divide evenly among {} pods; take a multiple "
                                                       "of {}",
                                                       machines, network.pods, network.pods));
  }
  if (!by_rail && machines % leaf_count != 0) {
    return builder.error(network.position,
                         fmt::format("{} hosts do not divide evenly among {} leaves; take a multiple of {}", machines,
                                     leaf_count, leaf_count));
  }
  if (!builder.reserve(machines, leaf_count + network.spines, leaf_count * network.spines, network.position)) return;
  const std::int64_t ports_per_leaf = machines * *each / leaf_count;
  LinkSpec uplink = network.link;
  if (network.spines > 0)
    uplink.bandwidth = uplink_rate(network.link.bandwidth, ports_per_leaf, network.spines, network.oversubscription);
  if (uplink.bandwidth == Bandwidth{}) {
    return builder.error(network.position, "the uplinks would have no bandwidth; lower 'spines' or 'oversubscription'");
  }

  const auto leaves = builder.add_switches("leaf", leaf_count, network.switch_latency);
  const auto spines = builder.add_switches("spine", network.spines, network.switch_latency);
  const std::int64_t hosts_per_leaf = by_rail ? 0 : machines / leaf_count;
  const std::int64_t nodes_per_pod = machines / network.pods;
  for (std::int64_t i = 0; i < machines; ++i) {
    const auto ports = builder.add_node(i);
    for (std::size_t port = 0; port < ports.size(); ++port) {
      const std::int64_t leaf =
          by_rail ? i / nodes_per_pod * *network.rails + static_cast<std::int64_t>(port) % *network.rails
                  : i / hosts_per_leaf;
      builder.connect(ports[port], leaves[static_cast<std::size_t>(leaf)], network.link);
    }
  }
  for (const DeviceId leaf : leaves)
    for (const DeviceId spine : spines) builder.connect(leaf, spine, uplink);
}

void check_shape(const LeafSpine& network, const config::Node& node, config::Diagnostics& diagnostics) {
  const bool of_hosts = network.hosts && network.leaves && !network.nodes && !network.rails;
  const bool of_rails = !network.hosts && !network.leaves && network.nodes && network.rails;
  if (!of_hosts && !of_rails) {
    diagnostics.error(node.position,
                      "a leaf_spine has either 'hosts' and 'leaves', or (GPU nodes) 'nodes' and 'rails'");
    return;
  }
  const auto at = [&](const char* key) {
    const config::Node* found = node.find(key);
    return found != nullptr ? found->position : node.position;
  };
  if (node.find("pods") != nullptr && !of_rails) diagnostics.error(at("pods"), "'pods' goes with 'nodes' and 'rails'");
  if (network.spines > 0) return;
  if (of_hosts && *network.leaves > 1)
    diagnostics.error(at("spines"), "leaves without spines are not joined; 'spines: 0' is for rails, or for one leaf");
  if (of_rails && network.pods > 1)
    diagnostics.error(at("spines"), "pods without spines are not joined; 'spines: 0' goes with one pod");
  if (node.find("oversubscription") != nullptr)
    diagnostics.error(at("oversubscription"), "'oversubscription' is of the uplinks, and 'spines: 0' has none");
}

}  // namespace

config::Type<Generate> leaf_spine_type() {
  auto declaration = config::record<LeafSpine>(
      "leaf_spine", "Leaves and spines: hosts and leaves, or GPU nodes and rails (one leaf per rail).");
  declaration.keep_position(&LeafSpine::position)
      .optional("hosts", &LeafSpine::hosts, count(), "machines, divided evenly among the leaves, in order")
      .optional("leaves", &LeafSpine::leaves, count(), "leaf switches, with hosts")
      .optional("nodes", &LeafSpine::nodes, count(), "GPU nodes; NIC i of each is on leaf i modulo rails")
      .optional("rails", &LeafSpine::rails, count(), "leaf switches, with nodes; divides the NICs of a node")
      .optional("pods", &LeafSpine::pods, count(), "groups of nodes with leaves of their own, with rails (default 1)")
      .required("spines", &LeafSpine::spines, count(0),
                "spine switches; every leaf has one link to each; 0 with rails: rail-only")
      .optional("oversubscription", &LeafSpine::oversubscription, oversubscription(),
                "bandwidth of a leaf's ports over that of its uplinks; sets the rate of the uplinks (default 1)")
      .required("link", &LeafSpine::link, link_spec(), "of each port; uplinks take all but the bandwidth from it")
      .optional("switch_latency", &LeafSpine::switch_latency, config::duration(), "of each switch (default 0s)")
      .rule(check_shape);
  return generator_type(declaration, build);
}

}  // namespace lockstep
