#include "core/topology/generators/direct_network.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {

void DirectNetwork::add_hosts(TopologyBuilder& builder, const std::vector<DeviceId>& switches) const {
  std::int64_t next = 0;
  for (const DeviceId owner : switches)
    for (std::int64_t i = 0; i < hosts_per_switch; ++i) builder.connect(builder.add_node(next++), owner, link);
}

std::int64_t Grid::stride(std::size_t d) const {
  std::int64_t product = 1;
  for (std::size_t i = d + 1; i < dimensions_.size(); ++i) product *= dimensions_[i];
  return product;
}

std::int64_t Grid::size() const { return stride(0) * dimensions_[0]; }

std::int64_t Grid::coordinate(std::int64_t point, std::size_t d) const { return point / stride(d) % dimensions_[d]; }

std::int64_t Grid::moved(std::int64_t point, std::size_t d, std::int64_t coordinate_wanted) const {
  return point + (coordinate_wanted - coordinate(point, d)) * stride(d);
}

std::vector<DeviceId> Grid::add_switches(TopologyBuilder& builder, Duration latency) const {
  std::vector<DeviceId> switches;
  for (std::int64_t point = 0; point < size(); ++point) {
    std::string name = "s";
    for (std::size_t d = 0; d < dimensions_.size(); ++d)
      name += fmt::format("{}{}", d > 0 ? "-" : "", coordinate(point, d));
    switches.push_back(builder.add_switch(name, latency));
  }
  return switches;
}

config::Type<std::vector<std::int64_t>> grid_dimensions() {
  // Six dimensions of 1,000 keep every product within 60 bits; the limit of devices says what is too large.
  return config::list(config::integer(2, 1000), 1)
      .where([](const std::vector<std::int64_t>& dimensions) -> std::optional<std::string> {
        if (dimensions.size() <= 6) return std::nullopt;
        return fmt::format("at most 6 dimensions, not {}", dimensions.size());
      })
      .with_schema({{"maxItems", 6}});
}

}  // namespace lockstep
