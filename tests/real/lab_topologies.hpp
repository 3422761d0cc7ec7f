// Topologies of plain hosts built in memory, for the tests of the lab.
#pragma once

#include <fmt/format.h>

#include <vector>

#include "core/topology/topology.hpp"

namespace lockstep {

inline std::vector<DeviceId> add_hosts(Topology& topology, int hosts) {
  std::vector<DeviceId> ids;
  for (int i = 0; i < hosts; ++i) {
    Node node;
    node.name = fmt::format("h{}", i);
    Device device;
    device.name = node.name;
    device.node = static_cast<NodeId>(topology.nodes.size());
    ids.push_back(topology.add_device(device));
    node.devices = node.endpoints = {ids.back()};
    topology.nodes.push_back(node);
  }
  return ids;
}

inline DeviceId add_switch(Topology& topology, const std::string& name) {
  Device device;
  device.name = name;
  device.kind = DeviceKind::network_switch;
  return topology.add_device(device);
}

inline void add_cable(Topology& topology, DeviceId from, DeviceId to, Bandwidth bandwidth) {
  Link link;
  link.from = from;
  link.to = to;
  link.bandwidth = bandwidth;
  topology.add_duplex(link);
}

inline Topology star_of(int hosts, Bandwidth bandwidth) {
  Topology topology;
  const auto ids = add_hosts(topology, hosts);
  const DeviceId hub = add_switch(topology, "switch");
  for (const DeviceId host : ids) add_cable(topology, host, hub, bandwidth);
  topology.finish();
  return topology;
}

inline Topology leaf_spine_of(int hosts, int leaves, int spines, Bandwidth bandwidth) {
  Topology topology;
  const auto ids = add_hosts(topology, hosts);
  std::vector<DeviceId> upper;
  for (int i = 0; i < spines; ++i) upper.push_back(add_switch(topology, fmt::format("spine{}", i)));
  for (int i = 0; i < leaves; ++i) {
    const DeviceId leaf = add_switch(topology, fmt::format("leaf{}", i));
    for (int h = i * hosts / leaves; h < (i + 1) * hosts / leaves; ++h)
      add_cable(topology, ids[static_cast<std::size_t>(h)], leaf, bandwidth);
    for (const DeviceId spine : upper) add_cable(topology, leaf, spine, bandwidth);
  }
  topology.finish();
  return topology;
}

}  // namespace lockstep
