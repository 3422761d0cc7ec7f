#include "core/topology/node_template.hpp"

namespace lockstep {

NodeTemplate plain_host() {
  NodeTemplate host;
  host.name = "host";
  host.description = "a machine without GPUs: one rank, which is its own port";
  host.build = [](Topology& topology, const std::string& name) {
    const auto node = static_cast<NodeId>(topology.nodes.size());
    const DeviceId device = topology.add_device({name, DeviceKind::host, node, Duration{0}});
    topology.nodes.push_back({name, {device}, {device}, "host"});
    return std::vector<DeviceId>{device};
  };
  return host;
}

}  // namespace lockstep
