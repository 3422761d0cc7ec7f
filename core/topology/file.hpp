// What a topology file says, before anything is built from it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/config/type.hpp"
#include "core/topology/generators/generator.hpp"
#include "core/topology/link_spec.hpp"
#include "core/topology/node_template.hpp"

namespace lockstep {

/// The name of a node or device, and where it was written.
struct NameInFile {
  std::string text;
  config::Position position;
};

struct NodeInFile {
  NameInFile name;
  std::optional<std::string> kind;  ///< host, switch or a template; none: the file's `node:`
  std::optional<Duration> latency;  ///< of a switch
  config::Position position;
};

struct LinkInFile : LinkSpec {
  std::vector<NameInFile> between;
};

struct TopologyFile {
  std::optional<std::string> name;
  NodeTemplate node = plain_host();
  Generate generate;  ///< empty: explicit lists only
  std::vector<NodeInFile> nodes;
  std::vector<LinkInFile> links;
  std::vector<NameInFile> placement;
};

config::Type<TopologyFile> topology_file_type();

}  // namespace lockstep
