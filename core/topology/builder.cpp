#include "core/topology/builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace lockstep {

bool TopologyBuilder::reserve(std::int64_t nodes, std::int64_t switches, std::int64_t cables,
                              const config::Position& position) {
  const auto bounded = [&](__int128 wanted, std::int64_t limit, const char* what) {
    if (wanted <= limit) return true;
    const __int128 most_shown = std::numeric_limits<std::int64_t>::max();
    error(position,
          fmt::format("too large: {}{} {}; a topology holds at most {}", wanted > most_shown ? "more than " : "",
                      static_cast<std::int64_t>(std::min(wanted, most_shown)), what, limit));
    return false;
  };
  __int128 devices = switches + static_cast<__int128>(topology_.devices.size());
  if (nodes > 0 && nodes_.kinds.front().count) {
    __int128 counted = 0;
    for (const NodeCount& kind : nodes_.kinds) {
      counted += *kind.count;
      devices += static_cast<__int128>(*kind.count) * kind.node.devices;
    }
    if (counted != nodes) {
      error(nodes_.position, fmt::format("the kinds of 'node' add up to {} nodes, and the generator makes {}",
                                         static_cast<std::int64_t>(counted), nodes));
      return false;
    }
  } else {
    devices += static_cast<__int128>(nodes) * nodes_.kinds.front().node.devices;
  }
  return bounded(devices, device_limit, "devices") && bounded(cables, cable_limit, "cables between switches");
}

std::optional<std::int64_t> TopologyBuilder::ports_per_node(const config::Position& position) {
  const std::int64_t ports = nodes_.kinds.front().node.ports;
  for (const NodeCount& kind : nodes_.kinds) {
    if (kind.node.ports == 0) {
      error(position, fmt::format("the node template '{}' has no NIC to cable", kind.node.name));
      return std::nullopt;
    }
    if (kind.node.ports != ports) {
      error(nodes_.position,
            fmt::format("nodes of {} NICs ('{}') and of {} ('{}'): this generator deals ports out evenly, so all need "
                        "as many",
                        ports, node_name(), kind.node.ports, kind.node.name));
      return std::nullopt;
    }
  }
  return ports;
}

const NodeTemplate* TopologyBuilder::only_node() const {
  return nodes_.kinds.size() == 1 && !nodes_.kinds.front().count ? &nodes_.kinds.front().node : nullptr;
}

std::vector<DeviceId> TopologyBuilder::add_node(std::int64_t index) {
  const NodeTemplate* node = &nodes_.kinds.front().node;
  std::int64_t before = 0;
  for (const NodeCount& kind : nodes_.kinds) {
    node = &kind.node;
    if (!kind.count || index < before + *kind.count) break;
    before += *kind.count;
  }
  return node->build(topology_, fmt::format("{}{}", node->prefix, index));
}

std::vector<DeviceId> TopologyBuilder::add_switches(std::string_view prefix, std::int64_t count, Duration latency) {
  std::vector<DeviceId> switches;
  for (std::int64_t i = 0; i < count; ++i) switches.push_back(add_switch(fmt::format("{}{}", prefix, i), latency));
  return switches;
}

}  // namespace lockstep
