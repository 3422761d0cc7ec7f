#include "core/topology/generators/direct_network.hpp"

// A torus (k-ary n-cube): every switch is joined to the next and the previous one in each dimension; the last and the
// first of a row are joined too, unless `wrap: false` makes it a mesh. In a dimension of two these are the same cable.
// Dally, "Performance Analysis of k-ary n-cube Interconnection Networks", IEEE Transactions on Computers 1990.
namespace lockstep {
namespace {

struct Torus : DirectNetwork {
  std::vector<std::int64_t> dimensions;
  bool wrap = true;
};

void build(const Torus& torus, TopologyBuilder& builder) {
  const Grid grid(torus.dimensions);
  const std::int64_t size = grid.size();
  const auto dimensions = static_cast<std::int64_t>(grid.dimension_count());
  if (size > device_limit / torus.hosts_per_switch) {
    builder.reserve(device_limit, size, 0, torus.position);  // says how much too large
    return;
  }
  if (!builder.reserve(size * torus.hosts_per_switch, size, size * dimensions, torus.position)) return;
  const auto switches = grid.add_switches(builder, torus.switch_latency);
  torus.add_hosts(builder, switches);
  for (std::size_t d = 0; d < grid.dimension_count(); ++d) {
    for (std::int64_t point = 0; point < size; ++point) {
      const std::int64_t next = grid.coordinate(point, d) + 1;
      if (next == grid.dimension(d) && (!torus.wrap || grid.dimension(d) == 2)) continue;
      builder.connect(switches[static_cast<std::size_t>(point)],
                      switches[static_cast<std::size_t>(grid.moved(point, d, next % grid.dimension(d)))],
                      torus.between_switches());
    }
  }
}

}  // namespace

config::Type<Generate> torus_type() {
  auto declaration =
      config::record<Torus>("torus", "Switches on a grid, each joined to its neighbours; the ends of a row too.");
  with_direct_keys(declaration)
      .required("dimensions", &Torus::dimensions, grid_dimensions(), "switches in each dimension: [4, 4] or [4, 4, 4]")
      .optional("wrap", &Torus::wrap, config::boolean(), "join the ends of every row (default true); false: a mesh");
  return generator_type(declaration, build);
}

}  // namespace lockstep
