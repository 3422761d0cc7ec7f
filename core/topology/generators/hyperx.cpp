#include "core/topology/generators/direct_network.hpp"

// HyperX: switches on a grid, all that differ in one coordinate joined to each other. One dimension is a full mesh, two
// are a flattened butterfly. Ahn, Binkert, Davis, McLaren, Schreiber, "HyperX: Topology, Routing, and Packaging of
// Efficient Large-Scale Networks", SC 2009.
namespace lockstep {
namespace {

struct HyperX : DirectNetwork {
  std::vector<std::int64_t> dimensions;
};

void build(const HyperX& network, TopologyBuilder& builder) {
  const Grid grid(network.dimensions);
  const std::int64_t size = grid.size();
  if (size > device_limit / network.hosts_per_switch) {
    builder.reserve(device_limit, size, 0, network.position);  // says how much too large
    return;
  }
  std::int64_t degree = 0;
  for (const std::int64_t dimension : network.dimensions) degree += dimension - 1;
  if (!builder.reserve(size * network.hosts_per_switch, size, size * degree / 2, network.position)) return;
  const auto switches = grid.add_switches(builder, network.switch_latency);
  network.add_hosts(builder, switches);
  for (std::size_t d = 0; d < grid.dimension_count(); ++d)
    for (std::int64_t point = 0; point < size; ++point)
      for (std::int64_t other = grid.coordinate(point, d) + 1; other < grid.dimension(d); ++other)
        builder.connect(switches[static_cast<std::size_t>(point)],
                        switches[static_cast<std::size_t>(grid.moved(point, d, other))], network.between_switches());
}

}  // namespace

config::Type<Generate> hyperx_type() {
  auto declaration =
      config::record<HyperX>("hyperx", "Switches on a grid, all that differ in one coordinate joined to each other.");
  with_direct_keys(declaration)
      .required("dimensions", &HyperX::dimensions, grid_dimensions(), "switches in each dimension: [4, 4]");
  return generator_type(declaration, build);
}

}  // namespace lockstep
