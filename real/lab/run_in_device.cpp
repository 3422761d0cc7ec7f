#include "real/lab/run_in_device.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/error.hpp"

namespace lockstep::real {

int run_in_device(const LabNetwork& lab, DeviceId device, const std::vector<std::string>& command) {
  LOCKSTEP_CHECK(!command.empty(), "no program to run");
  std::vector<char*> arguments;
  for (const auto& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const pid_t child = ::fork();
  if (child < 0) throw RunFailure(fmt::format("cannot start {}: {}", command.front(), std::strerror(errno)));
  if (child == 0) {
    std::string why;
    try {
      lab.enter_device(device);
      ::execvp(arguments.front(), arguments.data());
      why = fmt::format("error: {}: {}\n", command.front(), std::strerror(errno));
    } catch (const std::exception& error) {
      why = fmt::format("error: {}\n", error.what());
    }
    [[maybe_unused]] const auto written = ::write(2, why.data(), why.size());
    ::_exit(127);
  }
  int ended = 0;
  while (::waitpid(child, &ended, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(ended))
    throw RunFailure(
        fmt::format("{} was killed by signal {} ({})", command.front(), WTERMSIG(ended), ::strsignal(WTERMSIG(ended))));
  return WEXITSTATUS(ended);
}

}  // namespace lockstep::real
