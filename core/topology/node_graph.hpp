// A node as a graph: its parts and the links between them. Every node template but the plain host is one, and a file
// may give one in full (`node: {parts: [...], links: [...]}`, which is what `lockstep topology discover` writes).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/config/type.hpp"
#include "core/topology/link_spec.hpp"
#include "core/topology/node_template.hpp"

namespace lockstep {

struct NodePart {
  std::string name;  ///< within the node: "gpu3"; its device is "node0.gpu3"
  DeviceKind kind = DeviceKind::cpu;
  std::string model{};  ///< of a GPU
  bool rank = false;    ///< a rank sits here
};

struct NodeLink : LinkSpec {
  std::size_t a = 0;  ///< indices of parts
  std::size_t b = 0;
};

struct NodeGraph {
  std::vector<NodePart> parts;  ///< ranks in this order; NICs are the ports, in this order
  std::vector<NodeLink> links;
  bool gpudirect = true;  ///< as Node::gpudirect

  std::size_t add(std::string name, DeviceKind kind) {
    parts.push_back({std::move(name), kind, {}, kind == DeviceKind::gpu});
    return parts.size() - 1;
  }
  void connect(std::size_t a, std::size_t b, Bandwidth bandwidth, Duration latency, LinkKind kind);
};

/// `name` becomes the Node::kind of the nodes it builds.
NodeTemplate graph_node(std::string name, std::string description, NodeGraph graph);

/// `node: {parts: [{name: cpu0, kind: cpu, rank: true}, ...], links: [{between: [cpu0, nic0], kind: pcie, ...}]}`
config::Type<NodeGraph> node_graph();

}  // namespace lockstep
