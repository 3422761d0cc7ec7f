// What a topology file says, before anything is built from it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/config/type.hpp"
#include "core/topology/generators/generator.hpp"
#include "core/topology/link_spec.hpp"
#include "core/topology/name_in_file.hpp"
#include "core/topology/node_template.hpp"

namespace lockstep {

struct NodeInFile {
  NameInFile name;
  std::optional<std::string> kind;  ///< host, switch or a template; none: the file's `node:`
  std::optional<Duration> latency;  ///< of a switch
  config::Position position;
};

struct LinkInFile : LinkSpec {
  std::vector<NameInFile> between;
};

/// A cable (all between two devices, or so many of them), or a device with all its cables.
struct FailureInFile {
  std::vector<NameInFile> between;
  std::optional<NameInFile> device;
  std::optional<std::int64_t> cables;
  config::Position position;
};

/// "50%" of what the link has, or a rate of its own.
struct RateInFile {
  std::optional<double> share;
  Bandwidth rate;
};

struct DegradationInFile {
  std::vector<NameInFile> between;
  std::optional<std::int64_t> cables;
  std::optional<RateInFile> bandwidth;
  std::optional<Duration> latency;
  std::optional<double> loss;
  config::Position position;
};

struct TopologyFile {
  std::optional<std::string> name;
  NodeMix node{{{plain_host(), std::nullopt}}, {}};
  Generate generate;  ///< empty: explicit lists only
  std::vector<NodeInFile> nodes;
  std::vector<LinkInFile> links;
  std::vector<NameInFile> placement;
  RoutingPolicy routing;
  Switching switching;
  HostTcp tcp;
  std::vector<FailureInFile> failed;
  std::vector<DegradationInFile> degraded;
  std::vector<Fault> faults;
};

config::Type<TopologyFile> topology_file_type();

}  // namespace lockstep
