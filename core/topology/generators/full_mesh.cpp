#include "core/topology/generators/direct_network.hpp"

// Every pair of switches has a cable: one hop between switches, n(n-1)/2 cables.
namespace lockstep {
namespace {

struct FullMesh : DirectNetwork {
  std::int64_t switches = 0;
};

void build(const FullMesh& mesh, TopologyBuilder& builder) {
  // The limits of the keys keep the products within 60 bits.
  if (!builder.reserve(mesh.switches * mesh.hosts_per_switch, mesh.switches, mesh.switches * (mesh.switches - 1) / 2,
                       mesh.position))
    return;
  const auto switches = builder.add_switches("s", mesh.switches, mesh.switch_latency);
  mesh.add_hosts(builder, switches);
  for (std::size_t a = 0; a < switches.size(); ++a)
    for (std::size_t b = a + 1; b < switches.size(); ++b)
      builder.connect(switches[a], switches[b], mesh.between_switches());
}

}  // namespace

config::Type<Generate> full_mesh_type() {
  auto declaration = config::record<FullMesh>("full_mesh", "Every pair of switches with a cable of its own.");
  with_direct_keys(declaration).required("switches", &FullMesh::switches, count(2), "switches s0, s1, ...");
  return generator_type(declaration, build);
}

}  // namespace lockstep
