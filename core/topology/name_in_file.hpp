// Names of nodes, devices and parts as they stand in a file.
#pragma once

#include <string>
#include <vector>

#include "core/config/type.hpp"

namespace lockstep {

/// The name of a node, device or part, and where it was written.
struct NameInFile {
  std::string text;
  config::Position position;
};

config::Type<std::string> name_text();
config::Type<NameInFile> name_in_file();
/// `between: [a, b]`
config::Type<std::vector<NameInFile>> two_names();

}  // namespace lockstep
