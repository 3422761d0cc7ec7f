#include "core/topology/generators/generator.hpp"

namespace lockstep {
namespace {

struct Star {
  config::Position position;
  std::int64_t hosts = 0;
  LinkSpec link;
  Duration switch_latency{0};
};

void build(const Star& star, TopologyBuilder& builder) {
  if (!builder.reserve(star.hosts, 1, 0, star.position)) return;
  const DeviceId hub = builder.add_switch("s0", star.switch_latency);
  for (std::int64_t i = 0; i < star.hosts; ++i) builder.connect(builder.add_node(i), hub, star.link);
}

}  // namespace

config::Type<Generate> star_type() {
  auto declaration = config::record<Star>("star", "Every host, or every NIC of every GPU node, on one switch s0.");
  declaration.keep_position(&Star::position)
      .required("hosts", &Star::hosts, count(), "machines: h0, h1, ... (node0, node1, ... with GPUs)")
      .required("link", &Star::link, link_spec(), "from each port to the switch")
      .optional("switch_latency", &Star::switch_latency, config::duration(), "of the switch itself (default 0s)");
  return generator_type(declaration, build);
}

}  // namespace lockstep
