#include "core/topology/generators/generator.hpp"

namespace lockstep {
namespace {

struct Ring {
  config::Position position;
  std::optional<std::int64_t> hosts;
  std::optional<std::int64_t> switches;
  std::int64_t hosts_per_switch = 1;
  LinkSpec link;
  Duration switch_latency{0};
};

void build(const Ring& ring, TopologyBuilder& builder) {
  const std::int64_t switches = ring.switches.value_or(ring.hosts.value_or(0));
  // The limits of the keys keep the product within 60 bits.
  if (!builder.reserve(switches * ring.hosts_per_switch, switches, switches, ring.position)) return;
  const auto around = builder.add_switches("s", switches, ring.switch_latency);
  for (std::int64_t i = 0; i < switches * ring.hosts_per_switch; ++i)
    builder.connect(builder.add_node(i), around[static_cast<std::size_t>(i / ring.hosts_per_switch)], ring.link);
  for (std::size_t s = 0; s < around.size(); ++s)
    builder.connect(around[s], around[(s + 1) % around.size()], ring.link);
}

}  // namespace

config::Type<Generate> ring_type() {
  auto declaration = config::record<Ring>(
      "ring",
      "Switches in a ring, each with its hosts: hosts alone (one on each switch), or switches and hosts_per_switch.");
  declaration.keep_position(&Ring::position)
      .optional("hosts", &Ring::hosts, count(3), "machines, each on a switch of its own")
      .optional("switches", &Ring::switches, count(3), "switches around the ring, in place of hosts")
      .optional("hosts_per_switch", &Ring::hosts_per_switch, count(), "with switches (default 1)")
      .required("link", &Ring::link, link_spec(), "between switches and from hosts to switches")
      .optional("switch_latency", &Ring::switch_latency, config::duration(), "of each switch (default 0s)")
      .rule([](const Ring& ring, const config::Node& node, config::Diagnostics& diagnostics) {
        if (ring.hosts.has_value() == ring.switches.has_value()) {
          diagnostics.error(node.position,
                            "a ring has either 'hosts' (one on each switch) or 'switches' with 'hosts_per_switch'");
        } else if (ring.hosts && node.find("hosts_per_switch") != nullptr) {
          diagnostics.error(node.find("hosts_per_switch")->position,
                            "'hosts_per_switch' goes with 'switches', not with 'hosts'");
        }
      });
  return generator_type(declaration, build);
}

}  // namespace lockstep
