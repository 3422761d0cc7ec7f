#include "real/lab/command.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "core/base/error.hpp"
#include "core/base/number.hpp"
#include "core/base/text.hpp"
#include "real/lab/descriptor.hpp"

namespace lockstep::real {
namespace {

std::array<Descriptor, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw RunFailure(fmt::format("cannot create a pipe: {}", std::strerror(errno)));
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

void read_some(Descriptor& from, std::string& into) {
  std::array<char, 16384> buffer{};
  const ssize_t n = ::read(from.get(), buffer.data(), buffer.size());
  if (n > 0)
    into.append(buffer.data(), static_cast<std::size_t>(n));
  else if (n == 0 || errno != EINTR)
    from.reset();
}

}  // namespace

std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return ::access(name.c_str(), X_OK) == 0 ? name : std::string();
  const char* path = std::getenv("PATH");
  std::istringstream folders(std::string(path != nullptr ? path : "") + ":/usr/sbin:/sbin:/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (folder.empty()) continue;
    const std::string candidate = folder + "/" + name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

CommandOutput run_command(const std::vector<std::string>& arguments, const std::string& input,
                          const std::function<void()>& before_exec) {
  LOCKSTEP_CHECK(!arguments.empty(), "no program to run");
  CommandOutput result;
  const std::string program = find_program(arguments.front());
  if (program.empty()) {
    result.status = 127;
    result.errors = arguments.front() + ": not found";
    return result;
  }
  auto in = make_pipe();
  auto out = make_pipe();
  auto err = make_pipe();
  std::vector<char*> argv;
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);

  const pid_t child = ::fork();
  if (child < 0) throw RunFailure(fmt::format("cannot start {}: {}", arguments.front(), std::strerror(errno)));
  if (child == 0) {
    ::dup2(in[0].get(), 0);
    ::dup2(out[1].get(), 1);
    ::dup2(err[1].get(), 2);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    try {
      if (before_exec) before_exec();
      ::execv(program.c_str(), argv.data());
      const std::string why = arguments.front() + ": " + std::strerror(errno) + "\n";
      [[maybe_unused]] const auto written = ::write(2, why.data(), why.size());
    } catch (const std::exception& error) {
      const std::string why = std::string(error.what()) + "\n";
      [[maybe_unused]] const auto written = ::write(2, why.data(), why.size());
    }
    ::_exit(127);
  }
  in[0].reset();
  out[1].reset();
  err[1].reset();
  if (input.empty())
    in[1].reset();
  else
    ::fcntl(in[1].get(), F_SETFL, O_NONBLOCK);

  // A tool that stops reading early (an error in its first line) must not kill us.
  struct sigaction ignore {
  }, before{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, &before);
  std::size_t sent = 0;
  while (out[0] || err[0]) {
    std::array<pollfd, 3> waits{{{out[0].get(), POLLIN, 0}, {err[0].get(), POLLIN, 0}, {in[1].get(), POLLOUT, 0}}};
    if (::poll(waits.data(), waits.size(), -1) < 0) {
      if (errno == EINTR) continue;
      break;
    }
    if (waits[0].revents != 0) read_some(out[0], result.output);
    if (waits[1].revents != 0) read_some(err[0], result.errors);
    if (waits[2].revents != 0) {
      const ssize_t n = ::write(in[1].get(), input.data() + sent, input.size() - sent);
      if (n > 0) sent += static_cast<std::size_t>(n);
      if ((n < 0 && errno != EAGAIN && errno != EINTR) || sent == input.size()) in[1].reset();
    }
  }
  ::sigaction(SIGPIPE, &before, nullptr);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

void run_batch(const std::string& tool, const std::vector<std::string>& lines,
               const std::function<void()>& before_exec) {
  if (lines.empty()) return;
  if (find_program(tool).empty())
    throw InputError(fmt::format("the lab needs the program '{}'; install the package iproute2", tool));
  std::string input = join(lines, "\n");
  input += '\n';
  const auto result = run_command({tool, "-batch", "-"}, input, before_exec);
  if (result.status == 0) return;
  // The tools say "Command failed -:LINE" (1-based) after their complaint.
  std::string line;
  if (const auto mark = result.errors.find("failed -:"); mark != std::string::npos) {
    const auto digits = result.errors.substr(mark + 9);
    const auto number = whole_number_in<std::size_t>(digits.substr(0, digits.find_first_not_of("0123456789")));
    if (number && *number >= 1 && *number <= lines.size()) line = lines[*number - 1];
  }
  std::string said = result.errors.empty() ? result.output : result.errors;
  while (!said.empty() && said.back() == '\n') said.pop_back();
  throw RunFailure(fmt::format("the lab could not be built: '{} {}' failed: {}", tool, line.empty() ? "-batch" : line,
                               said.empty() ? fmt::format("exit status {}", result.status) : said));
}

}  // namespace lockstep::real
