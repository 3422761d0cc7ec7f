// What generators and explicit lists build with: adds nodes, switches and links to a topology that is being read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/config/document.hpp"
#include "core/topology/link_spec.hpp"
#include "core/topology/node_template.hpp"
#include "core/topology/topology.hpp"

namespace lockstep {

/// Beyond this a file is more likely a slip than a cluster, and would not fit into memory.
inline constexpr std::int64_t device_limit = 2'000'000;
inline constexpr std::int64_t cable_limit = 8'000'000;

class TopologyBuilder {
 public:
  TopologyBuilder(Topology& topology, NodeMix nodes, config::Diagnostics& diagnostics)
      : topology_(topology), nodes_(std::move(nodes)), diagnostics_(diagnostics) {}

  /// To be asked before anything is added: false, with an error at the position, if so many would make the topology too
  /// large, or if the file's `node:` counts other nodes. `cables` are those between switches (the others are bounded by
  /// the nodes).
  bool reserve(std::int64_t nodes, std::int64_t switches, std::int64_t cables, const config::Position& position);

  /// How many NICs every node of the file's `node:` has; nullopt, with an error at the position, if it has none, or
  /// kinds of nodes differ in that: for generators that deal ports out evenly.
  std::optional<std::int64_t> ports_per_node(const config::Position& position);
  /// The name of the file's `node:`, for messages.
  [[nodiscard]] const std::string& node_name() const { return nodes_.kinds.front().node.name; }
  /// The file's `node:`, where it is one kind for all.
  [[nodiscard]] const NodeTemplate* only_node() const;
  /// Adds the index-th node of the file's `node:` ("h3", "node3"); returns its ports.
  std::vector<DeviceId> add_node(std::int64_t index);
  DeviceId add_switch(const std::string& name, Duration latency) {
    return topology_.add_device({name, DeviceKind::network_switch, no_id, latency});
  }
  /// The switches prefix0, prefix1, ...
  std::vector<DeviceId> add_switches(std::string_view prefix, std::int64_t count, Duration latency);
  void connect(DeviceId a, DeviceId b, const LinkSpec& link) {
    topology_.add_duplex(link.link(a, b), link.half_duplex);
  }
  void connect(const std::vector<DeviceId>& ports, DeviceId b, const LinkSpec& link) {
    for (const DeviceId port : ports) connect(port, b, link);
  }
  void error(const config::Position& position, const std::string& message) { diagnostics_.error(position, message); }

 private:
  Topology& topology_;
  NodeMix nodes_;
  config::Diagnostics& diagnostics_;
};

}  // namespace lockstep
