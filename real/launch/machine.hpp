// Which machine this is, so that ranks can tell which of them share one. In a header, for the transports' modules too.
#pragma once

#include <sys/utsname.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "real/launch/control.hpp"

namespace lockstep::real {

/// The same in every process of one machine since its start, and in no other machine: its name, and the number that
/// its kernel drew as it started. The hosts of a lab are one machine, and say so.
inline std::string this_machine() {
  utsname kernel{};
  ::uname(&kernel);
  std::string boot;
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), boot);
  return std::string(kernel.nodename) + " " + boot;
}

/// How many ranks of the job are on this machine. All ranks ask together.
inline int ranks_here(Control& control) {
  const std::string own = this_machine();
  const auto all = control.all_gather(own);
  return static_cast<int>(std::count(all.begin(), all.end(), own));
}

}  // namespace lockstep::real
