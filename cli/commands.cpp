#include "cli/commands.hpp"

#include <array>

#include "cli/command.hpp"

namespace lockstep::cli {

std::span<const Command> command_catalogue() {
  static const std::array catalogue = {
      Command{"schema", "Print the JSON Schema of topology, workload or profile files, for editors", "lockstep schema topology", declare_schema},
  };
  return catalogue;
}

}  // namespace lockstep::cli
