// Writes a machine as a topology file: what `lockstep topology discover` prints. Reading it again gives the same
// machine.
#pragma once

#include <string>
#include <vector>

#include "core/topology/node_graph.hpp"

namespace lockstep {

/// A file with one node of this graph, named after the machine; `comments` stand at the top, a line each.
std::string topology_file_of(const std::string& machine, const NodeGraph& graph,
                             const std::vector<std::string>& comments);

}  // namespace lockstep
