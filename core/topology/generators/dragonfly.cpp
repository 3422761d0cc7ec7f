#include <fmt/format.h>

#include "core/topology/generators/direct_network.hpp"

// Dragonfly: g groups of a switches, all switches of a group joined to each other, h links of every switch to other
// groups, p machines on every switch. Kim, Dally, Scott, Abts, "Technology-Driven, Highly-Scalable Dragonfly Topology",
// ISCA 2008 (balanced: a = 2p = 2h; at most g = ah + 1 groups).
//
// A group's ah global ports are numbered switch by switch; port q leads to the group (q mod (g-1)) + 1 further on,
// cyclically. Groups are equally far from each other: every pair gets floor(ah / (g-1)) cables, and ports beyond that
// stay free.
namespace lockstep {
namespace {

struct Dragonfly : DirectNetwork {
  std::int64_t groups = 0;
  std::int64_t switches = 0;
  std::int64_t global_links = 0;
  std::optional<LinkSpec> global_link;
};

void build(const Dragonfly& network, TopologyBuilder& builder) {
  const std::int64_t g = network.groups;
  const std::int64_t a = network.switches;
  const std::int64_t h = network.global_links;
  if (a * h < g - 1) {
    return builder.error(network.position,
                         fmt::format("{} groups of {} switches with {} global links each are too many: {} is the most "
                                     "(switches x global_links + 1)",
                                     g, a, h, a * h + 1));
  }
  const std::int64_t rounds = a * h / (g - 1);
  // The limits of the keys keep the products within 60 bits.
  if (!builder.reserve(g * a * network.hosts_per_switch, g * a, g * (a * (a - 1) / 2) + g * (g - 1) / 2 * rounds,
                       network.position))
    return;
  std::vector<DeviceId> switches;
  for (std::int64_t group = 0; group < g; ++group)
    for (std::int64_t i = 0; i < a; ++i)
      switches.push_back(builder.add_switch(fmt::format("g{}-s{}", group, i), network.switch_latency));
  network.add_hosts(builder, switches);
  const auto at = [&](std::int64_t group, std::int64_t i) { return switches[static_cast<std::size_t>(group * a + i)]; };
  for (std::int64_t group = 0; group < g; ++group)
    for (std::int64_t i = 0; i < a; ++i)
      for (std::int64_t j = i + 1; j < a; ++j) builder.connect(at(group, i), at(group, j), network.between_switches());
  const LinkSpec& global = network.global_link ? *network.global_link : network.between_switches();
  for (std::int64_t group = 0; group < g; ++group) {
    for (std::int64_t other = group + 1; other < g; ++other) {
      for (std::int64_t round = 0; round < rounds; ++round) {
        const std::int64_t there = round * (g - 1) + other - group - 1;
        const std::int64_t back = round * (g - 1) + g - (other - group) - 1;
        builder.connect(at(group, there / h), at(other, back / h), global);
      }
    }
  }
}

}  // namespace

config::Type<Generate> dragonfly_type() {
  auto declaration = config::record<Dragonfly>(
      "dragonfly", "Groups of switches: all of a group joined to each other, and every group to every other.");
  const auto some = config::integer(1, 100'000);
  with_direct_keys(declaration)
      .required("groups", &Dragonfly::groups, config::integer(2, 100'000), "at most switches x global_links + 1")
      .required("switches", &Dragonfly::switches, some, "in each group: g0-s0, g0-s1, ...")
      .required("global_links", &Dragonfly::global_links, some, "of each switch to other groups")
      .optional("global_link", &Dragonfly::global_link, link_spec(), "between groups (default: as switch_link)");
  return generator_type(declaration, build);
}

}  // namespace lockstep
