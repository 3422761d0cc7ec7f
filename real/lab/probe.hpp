// What this machine offers to the real side: `lockstep doctor`.
#pragma once

#include <string>
#include <vector>

namespace lockstep::real {

struct Finding {
  std::string name;
  bool ok = false;
  std::string detail;  ///< what was found
  std::string remedy;  ///< the package or setting that brings it; empty if ok
};

/// Tries each thing, in children where that is needed; never throws for something that is missing.
std::vector<Finding> probe_machine();

}  // namespace lockstep::real
