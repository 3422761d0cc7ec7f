// A node template: how one machine looks inside. The catalogue (templates/catalogue.cpp) is what `node:` and `kind:` of
// a topology file may name.
//
// Contract of `build`: adds the devices and links of one node (device names begin with the node's name) and its Node
// with the endpoints of its ranks; returns its ports, the devices that network links may go to, in order.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/config/type.hpp"
#include "core/topology/topology.hpp"

namespace lockstep {

struct NodeTemplate {
  std::string name;
  std::string description;
  std::int64_t devices = 1;
  std::int64_t ranks = 1;
  std::int64_t ports = 1;
  std::string prefix = "h";  ///< of the names that generators give: h0, or node0 with GPUs
  std::function<std::vector<DeviceId>(Topology&, const std::string& name)> build;
};

/// So many nodes of a kind; no count: as many as the generator makes.
struct NodeCount {
  NodeTemplate node;
  std::optional<std::int64_t> count;
};

/// The nodes of a file, `node:`: one kind for all, or kinds with their counts, which generators use in this order.
struct NodeMix {
  std::vector<NodeCount> kinds;
  config::Position position;
};

std::span<const NodeTemplate> node_template_catalogue();

/// A machine without GPUs: one device, one rank, one port (itself).
NodeTemplate plain_host();

/// The name of a template, or a map that describes a node: by a few numbers (templates/gpu_node.hpp), or part by part
/// (node_graph.hpp).
config::Type<NodeTemplate> node_template();

/// One of these, or a list `[{kind: hgx_h100, count: 4}, {kind: dgx_a100, count: 2}]`.
config::Type<NodeMix> node_mix();

}  // namespace lockstep
