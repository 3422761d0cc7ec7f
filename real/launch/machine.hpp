// Which machine this is, so that ranks can tell which of them share one. In a header, for the transports' modules too.
#pragma once

#include <sys/utsname.h>

#include <cstddef>
#include <fstream>
#include <string>
#include <vector>

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

/// The ranks of a job that are on this machine.
struct SaidHere {
  std::vector<std::string> texts;  ///< what each of them says, in the order of the ranks
  std::size_t place = 0;           ///< of this rank among them
};

/// All ranks ask together; `text` is what this one has to say.
inline SaidHere gather_here(Control& control, const std::string& text) {
  const std::string begin = this_machine() + "\n";
  SaidHere here;
  int rank = 0;
  for (const std::string& said : control.all_gather(begin + text)) {
    if (rank++ == control.rank()) here.place = here.texts.size();
    if (said.starts_with(begin)) here.texts.push_back(said.substr(begin.size()));
  }
  return here;
}

}  // namespace lockstep::real
