#include <fmt/format.h>

#include "core/topology/generators/generator.hpp"
#include "core/topology/generators/oversubscription.hpp"

// Two shapes. Of hosts: `leaves` leaf switches with hosts / leaves machines each, all ports of a machine on its leaf.
// Of GPU nodes: a leaf for every rail, NIC i of every node on leaf i modulo rails (the rail-optimised network of GPU
// clusters). In both, every leaf has one link to every spine, of rate ports x rate / (spines x oversubscription),
// rounded down to a bit per second.
namespace lockstep {
namespace {

struct LeafSpine {
  config::Position position;
  std::optional<std::int64_t> hosts;
  std::optional<std::int64_t> leaves;
  std::optional<std::int64_t> nodes;
  std::optional<std::int64_t> rails;
  std::int64_t spines = 0;
  double oversubscription = 1.0;
  LinkSpec link;
  Duration switch_latency{0};
};

void build(const LeafSpine& network, TopologyBuilder& builder) {
  const bool by_rail = network.nodes.has_value();
  const std::int64_t machines = by_rail ? *network.nodes : *network.hosts;
  const std::int64_t leaf_count = by_rail ? *network.rails : *network.leaves;
  const NodeTemplate& node = builder.node();
  if (node.ports == 0) {
    return builder.error(network.position, fmt::format("the node template '{}' has no NIC to cable", node.name));
  }
  if (by_rail && node.ports % leaf_count != 0) {
    return builder.error(network.position, fmt::format("{} rails do not divide the {} NIC{} of a node of template '{}'",
                                                       leaf_count, node.ports, node.ports == 1 ? "" : "s", node.name));
  }
  if (!by_rail && machines % leaf_count != 0) {
    return builder.error(network.position,
                         fmt::format("{} hosts do not divide evenly among {} leaves; take a multiple of {}", machines,
                                     leaf_count, leaf_count));
  }
  if (!builder.reserve(machines, leaf_count + network.spines, leaf_count * network.spines, network.position)) return;
  const std::int64_t ports_per_leaf = machines * node.ports / leaf_count;
  LinkSpec uplink = network.link;
  uplink.bandwidth = uplink_rate(network.link.bandwidth, ports_per_leaf, network.spines, network.oversubscription);
  if (uplink.bandwidth == Bandwidth{}) {
    return builder.error(network.position, "the uplinks would have no bandwidth; lower 'spines' or 'oversubscription'");
  }

  const auto leaves = builder.add_switches("leaf", leaf_count, network.switch_latency);
  const auto spines = builder.add_switches("spine", network.spines, network.switch_latency);
  const std::int64_t hosts_per_leaf = machines / leaf_count;
  for (std::int64_t i = 0; i < machines; ++i) {
    const auto ports = builder.add_node(i);
    for (std::size_t port = 0; port < ports.size(); ++port) {
      const std::size_t leaf = by_rail ? port % leaves.size() : static_cast<std::size_t>(i / hosts_per_leaf);
      builder.connect(ports[port], leaves[leaf], network.link);
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
  }
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
      .required("spines", &LeafSpine::spines, count(), "spine switches; every leaf has one link to each")
      .optional("oversubscription", &LeafSpine::oversubscription, oversubscription(),
                "bandwidth of a leaf's ports over that of its uplinks; sets the rate of the uplinks (default 1)")
      .required("link", &LeafSpine::link, link_spec(), "of each port; uplinks take all but the bandwidth from it")
      .optional("switch_latency", &LeafSpine::switch_latency, config::duration(), "of each switch (default 0s)")
      .rule(check_shape);
  return generator_type(declaration, build);
}

}  // namespace lockstep
