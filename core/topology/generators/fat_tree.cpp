#include <fmt/format.h>

#include "core/topology/generators/generator.hpp"
#include "core/topology/generators/oversubscription.hpp"

// The k-ary fat tree of Al-Fares, Loukissas and Vahdat, "A Scalable, Commodity Data Center Network Architecture"
// (SIGCOMM 2008): k pods of k/2 edge and k/2 aggregation switches, (k/2)^2 core switches, k^3/4 ports for hosts, all
// switches with k ports. Core switch c is joined to aggregation switch c / (k/2) of every pod. With two tiers: k edge
// switches under k/2 cores, k^2/2 ports.
namespace lockstep {
namespace {

struct FatTree {
  config::Position position;
  std::int64_t k = 0;
  std::int64_t tiers = 3;
  std::optional<std::int64_t> hosts;
  double oversubscription = 1.0;
  LinkSpec link;
  Duration switch_latency{0};
};

void build(const FatTree& tree, TopologyBuilder& builder) {
  const std::int64_t half = tree.k / 2;
  const auto each = builder.ports_per_node(tree.position);
  if (!each) return;
  const std::int64_t ports_per_pod = tree.tiers == 3 ? half * half : half;
  const std::int64_t ports = tree.k * ports_per_pod;
  if (!tree.hosts && ports % *each != 0) {
    return builder.error(
        tree.position, fmt::format("{} ports do not divide evenly among nodes of {} NICs; say 'hosts'", ports, *each));
  }
  const std::int64_t hosts = tree.hosts.value_or(ports / *each);
  const std::int64_t most = ports / *each;
  if (hosts > most) {
    return builder.error(tree.position,
                         fmt::format("{} hosts do not fit: a fat tree of {} tiers and k = {} has room for {}", hosts,
                                     tree.tiers, tree.k, most));
  }
  // Pods that would hold no host are left out; the cores are all there.
  const std::int64_t pods = (hosts * *each + ports_per_pod - 1) / ports_per_pod;
  const std::int64_t edges_per_pod = tree.tiers == 3 ? half : 1;
  const std::int64_t aggregations_per_pod = tree.tiers == 3 ? half : 0;
  const std::int64_t cores = tree.tiers == 3 ? half * half : half;
  const std::int64_t links_up =
      pods * ports_per_pod * (tree.tiers - 1);  // each switch has as many upwards as ports downwards
  if (!builder.reserve(hosts, pods * (edges_per_pod + aggregations_per_pod) + cores, links_up, tree.position)) return;
  LinkSpec uplink = tree.link;
  uplink.bandwidth = uplink_rate(tree.link.bandwidth, 1, 1, tree.oversubscription);
  if (uplink.bandwidth == Bandwidth{})
    return builder.error(tree.position, "the uplinks would have no bandwidth; lower 'oversubscription'");

  const auto at = [](const std::vector<DeviceId>& list, std::int64_t index) {
    return list[static_cast<std::size_t>(index)];
  };
  const auto edges = builder.add_switches("edge", pods * edges_per_pod, tree.switch_latency);
  const auto aggregations = builder.add_switches("agg", pods * aggregations_per_pod, tree.switch_latency);
  const auto core = builder.add_switches("core", cores, tree.switch_latency);
  std::int64_t next_port = 0;
  for (std::int64_t i = 0; i < hosts; ++i)
    for (const DeviceId port : builder.add_node(i)) builder.connect(port, at(edges, next_port++ / half), tree.link);
  if (tree.tiers == 2) {
    for (const DeviceId edge : edges)
      for (const DeviceId top : core) builder.connect(edge, top, uplink);
    return;
  }
  for (std::int64_t pod = 0; pod < pods; ++pod)
    for (std::int64_t edge = 0; edge < half; ++edge)
      for (std::int64_t aggregation = 0; aggregation < half; ++aggregation)
        builder.connect(at(edges, pod * half + edge), at(aggregations, pod * half + aggregation), uplink);
  for (std::int64_t pod = 0; pod < pods; ++pod)
    for (std::int64_t aggregation = 0; aggregation < half; ++aggregation)
      for (std::int64_t i = 0; i < half; ++i)
        builder.connect(at(aggregations, pod * half + aggregation), at(core, aggregation * half + i), uplink);
}

config::Type<std::int64_t> even_ports() {
  return config::integer(2, 100'000)
      .where([](const std::int64_t& k) -> std::optional<std::string> {
        if (k % 2 == 0) return std::nullopt;
        return fmt::format("k must be even (half of a switch's ports go up), is {}", k);
      })
      .with_schema({{"multipleOf", 2}});
}

}  // namespace

config::Type<Generate> fat_tree_type() {
  auto declaration = config::record<FatTree>(
      "fat_tree", "A k-ary fat tree: k^3/4 ports and 5k^2/4 switches in three tiers, k^2/2 and 3k/2 in two.");
  declaration.keep_position(&FatTree::position)
      .required("k", &FatTree::k, even_ports(), "ports of every switch, an even number")
      .optional("tiers", &FatTree::tiers, config::integer(2, 3), "2 or 3 (default 3)")
      .optional("hosts", &FatTree::hosts, count(),
                "machines, fewer than there is room for (default: full); pods without any are left out")
      .optional("oversubscription", &FatTree::oversubscription, oversubscription(),
                "divides the rate of every link above the edge (default 1)")
      .required("link", &FatTree::link, link_spec(),
                "of each port; links above the edge take all but the bandwidth from it")
      .optional("switch_latency", &FatTree::switch_latency, config::duration(), "of each switch (default 0s)");
  return generator_type(declaration, build);
}

}  // namespace lockstep
