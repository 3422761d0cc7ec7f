// Runs a program to its end: standard input from a string, output and exit status back. The lab drives ip(8), tc(8) and
// bridge(8) this way, always with `-batch -`, so that a lab of 64 hosts is a few hundred processes and not tens of
// thousands.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace lockstep::real {

struct CommandOutput {
  int status = 0;      ///< exit status; 128 + signal if a signal ended it; 127 if it could not be started
  std::string output;  ///< standard output
  std::string errors;  ///< standard error
};

/// `before_exec` runs in the child (joins a namespace). /sbin and /usr/sbin are searched too: an ordinary user's PATH
/// often lacks them. Throws RunFailure only where the operating system refuses a process or a pipe.
CommandOutput run_command(const std::vector<std::string>& arguments, const std::string& input = {},
                          const std::function<void()>& before_exec = {});

/// The full path of a program, searched as run_command does; empty if there is none.
std::string find_program(const std::string& name);

/// Feeds the lines to `tool -batch -` in the namespace that `before_exec` joins. Throws RunFailure with the line that
/// failed and what the tool said, or InputError naming the package if the tool is missing.
void run_batch(const std::string& tool, const std::vector<std::string>& lines,
               const std::function<void()>& before_exec = {});

}  // namespace lockstep::real
