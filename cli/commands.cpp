#include "cli/commands.hpp"

#include <array>

#include "cli/command.hpp"

namespace lockstep::cli {

std::span<const Command> command_catalogue() {
  static const std::array catalogue{
      Command{"doctor", "Says what this machine offers, what is missing, and what brings it", "lockstep doctor", declare_doctor},
      Command{"lab", "Builds a topology out of network namespaces; shows what was built, or runs a command in a host", "lockstep lab show -t topologies/lab_star4.yaml",
              declare_lab},
      Command{"topology", "Shows what a topology file makes; lists generators and node templates", "lockstep topology show topologies/lab_star4.yaml --route 0 3",
              declare_topology},
  };
  return catalogue;
}

}  // namespace lockstep::cli
