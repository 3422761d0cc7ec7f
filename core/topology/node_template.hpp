// A node template: how one machine looks inside. The catalogue (templates/catalogue.cpp) is what `node:` and `kind:` of
// a topology file may name.
//
// Contract of `build`: adds the devices and links of one node (device names begin with the node's name) and its Node
// with the endpoints of its ranks; returns its ports, the devices that network links may go to, in order.
#pragma once

#include <cstdint>
#include <functional>
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

std::span<const NodeTemplate> node_template_catalogue();

/// A machine without GPUs: one device, one rank, one port (itself).
NodeTemplate plain_host();

/// The name of a template, or a map that describes a node with GPUs (templates/gpu_node.hpp).
config::Type<NodeTemplate> node_template();

}  // namespace lockstep
