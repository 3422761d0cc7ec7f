// What direct networks have in common: switches that each have the same number of machines, and cables of their own
// between them.
#pragma once

#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "core/topology/generators/generator.hpp"

namespace lockstep {

struct DirectNetwork {
  config::Position position;
  std::int64_t hosts_per_switch = 1;
  LinkSpec link;
  std::optional<LinkSpec> switch_link;  ///< none: as link
  Duration switch_latency{0};

  [[nodiscard]] const LinkSpec& between_switches() const { return switch_link ? *switch_link : link; }
  /// The machines of each switch, in order, with all their ports.
  void add_hosts(TopologyBuilder& builder, const std::vector<DeviceId>& switches) const;
};

/// Adds its keys to the declaration of R, which derives from DirectNetwork.
template <class R>
config::Record<R>& with_direct_keys(config::Record<R>& record) {
  const auto member = [](auto DirectNetwork::*field) {
    return static_cast<std::remove_reference_t<decltype(std::declval<DirectNetwork&>().*field)> R::*>(field);
  };
  return record.keep_position(member(&DirectNetwork::position))
      .optional("hosts_per_switch", member(&DirectNetwork::hosts_per_switch), count(),
                "machines on each switch, with all their ports (default 1)")
      .required("link", member(&DirectNetwork::link), link_spec(), "from hosts to switches")
      .optional("switch_link", member(&DirectNetwork::switch_link), link_spec(), "between switches (default: as link)")
      .optional("switch_latency", member(&DirectNetwork::switch_latency), config::duration(),
                "of each switch (default 0s)");
}

/// Points of a grid, numbered with the last dimension running fastest.
class Grid {
 public:
  explicit Grid(std::vector<std::int64_t> dimensions) : dimensions_(std::move(dimensions)) {}

  [[nodiscard]] std::int64_t size() const;
  [[nodiscard]] std::size_t dimension_count() const { return dimensions_.size(); }
  [[nodiscard]] std::int64_t dimension(std::size_t d) const { return dimensions_[d]; }
  [[nodiscard]] std::int64_t coordinate(std::int64_t point, std::size_t d) const;
  /// The point with another coordinate in one dimension.
  [[nodiscard]] std::int64_t moved(std::int64_t point, std::size_t d, std::int64_t coordinate) const;
  /// A switch for each point, "s1-0-2" by its coordinates.
  std::vector<DeviceId> add_switches(TopologyBuilder& builder, Duration latency) const;

 private:
  [[nodiscard]] std::int64_t stride(std::size_t d) const;
  std::vector<std::int64_t> dimensions_;
};

/// `dimensions: [4, 4, 2]`, one to six numbers of two or more.
config::Type<std::vector<std::int64_t>> grid_dimensions();

}  // namespace lockstep
