// Which machine this is, so that ranks can tell which of them share one. In a header, for the transports' modules too.
#pragma once

#include <sys/utsname.h>

#include <fstream>
#include <string>

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

}  // namespace lockstep::real
