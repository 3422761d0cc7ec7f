#include "cli/commands.hpp"

#include <array>

#include "cli/command.hpp"

namespace lockstep::cli {

std::span<const Command> command_catalogue() {
  static const std::array catalogue{
      Command{"schema", "Print the JSON Schema of topology, workload or profile files, for editors", "lockstep schema topology", declare_schema},
      Command{"topology", "Shows what a topology file makes; lists generators and node templates", "lockstep topology show topologies/lab_star4.yaml --route 0 3",
              declare_topology},
  };
  return catalogue;
}

}  // namespace lockstep::cli
