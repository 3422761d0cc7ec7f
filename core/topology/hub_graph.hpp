// The devices of a topology that routes can pass, and who is next to whom.
//
// A *stub* is a device with exactly one neighbour: every route to it ends in its neighbour's links. The others are
// *hubs*. Searches go over hubs, so hosts on a switch cost nothing.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/topology/topology.hpp"

namespace lockstep {

/// What may forward, one after the other: switches and NICs; CPUs too; hosts and GPUs too.
constexpr std::uint8_t forwarding_levels = 3;
constexpr std::uint8_t forwarding_level(DeviceKind kind) {
  if (kind == DeviceKind::cpu) return 1;
  return kind == DeviceKind::host || kind == DeviceKind::gpu ? 2 : 0;
}

class HubGraph {
 public:
  /// O(links). The topology must outlive it.
  explicit HubGraph(const Topology& topology);

  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(levels_.size()); }
  [[nodiscard]] std::uint32_t hub_of(DeviceId device) const { return hub_of_[device]; }  ///< no_id for stubs
  [[nodiscard]] bool is_stub(DeviceId device) const { return hub_of_[device] == no_id; }
  /// The level of forwarding (above) that a hub belongs to.
  [[nodiscard]] std::uint8_t level(std::uint32_t hub) const { return levels_[hub]; }
  /// From a hub to other hubs, ascending. Cables are duplex: link ^ 1 is the way back.
  [[nodiscard]] std::span<const LinkId> links_from(std::uint32_t hub) const {
    return std::span<const LinkId>(links_).subspan(begin_[hub], begin_[hub + 1] - begin_[hub]);
  }
  [[nodiscard]] std::uint32_t target_of(LinkId link) const { return hub_of_[topology_.links[link].to]; }

 private:
  [[nodiscard]] bool has_one_neighbour(DeviceId device) const;

  const Topology& topology_;
  std::vector<std::uint32_t> hub_of_;  // by device
  std::vector<std::uint32_t> begin_;   // by hub, into links
  std::vector<LinkId> links_;
  std::vector<std::uint8_t> levels_;
};

}  // namespace lockstep
