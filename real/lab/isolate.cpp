#include "real/lab/isolate.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include "core/base/error.hpp"
#include "core/base/number.hpp"
#include "real/lab/descriptor.hpp"

namespace lockstep::real {
namespace {

constexpr std::chrono::seconds grace{5};

std::array<Descriptor, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw RunFailure(fmt::format("cannot create a pipe: {}", std::strerror(errno)));
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

bool write_file(const std::string& path, const std::string& text) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// A socket, so that a signal for an init that has just ended is an error and not a SIGPIPE.
std::array<Descriptor, 2> make_channel() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw RunFailure(fmt::format("cannot create a socket: {}", std::strerror(errno)));
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

void write_all(int fd, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t n = ::write(fd, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    done += static_cast<std::size_t>(n);
  }
}

bool may_administer() {
  // CapEff of /proc/self/status; bit 21 is CAP_SYS_ADMIN (linux/capability.h).
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("CapEff:\t"))
      return ((whole_number_in<std::uint64_t>(std::string_view(line).substr(8), 16).value_or(0) >> 21) & 1U) != 0;
  return ::geteuid() == 0;
}

bool in_container() { return ::access("/.dockerenv", F_OK) == 0 || ::access("/run/.containerenv", F_OK) == 0; }

// Enters the namespaces; returns 0 or the error number.
int unshare_namespaces(bool user_namespace) {
  const auto uid = ::geteuid();
  const auto gid = ::getegid();
  const int flags = CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | (user_namespace ? CLONE_NEWUSER : 0);
  if (::unshare(flags) != 0) return errno;
  if (user_namespace) {
    // An ordinary user may map only itself, and only after giving up setgroups (user_namespaces(7)).
    write_file("/proc/self/setgroups", "deny");
    if (!write_file("/proc/self/uid_map", fmt::format("0 {} 1\n", uid)) ||
        !write_file("/proc/self/gid_map", fmt::format("0 {} 1\n", gid))) {
      return errno != 0 ? errno : EPERM;
    }
  }
  return 0;
}

// Result messages: a letter for the kind, then the text.
std::string encode_exception() {
  try {
    throw;
  } catch (const InputError& error) {
    return std::string("I") + error.what();
  } catch (const RunFailure& error) {
    return std::string("F") + error.what();
  } catch (const BrokenInvariant& error) {
    return std::string("B") + error.what();
  } catch (const std::bad_alloc&) {
    return "Fout of memory";
  } catch (const std::exception& error) {
    return std::string("F") + error.what();
  } catch (...) {
    return "Fan unknown exception";
  }
}

std::string decode(const std::string& message) {
  LOCKSTEP_CHECK(!message.empty(), "an empty message from the isolated process");
  std::string text = message.substr(1);
  switch (message.front()) {
    case 'R':
      return text;
    case 'I':
      throw InputError(text);
    case 'F':
      throw RunFailure(text);
    case 'B':
      throw BrokenInvariant(text);
    default:
      LOCKSTEP_CHECK(false, "unknown kind of message '{}' from the isolated process", message.front());
  }
  return {};
}

void prepare_mounts(Isolation& isolation) {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    throw RunFailure(fmt::format("cannot make mounts private: {}", std::strerror(errno)));
  if (::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) {
    isolation.fresh_proc = false;
    isolation.lost.push_back(
        fmt::format("/proc could not be mounted afresh ({}): network settings may stay at the machine's defaults, and "
                    "programs that read "
                    "/proc/self fail inside; in a container, start it with --security-opt systempaths=unconfined",
                    std::strerror(errno)));
  }
  if (::mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") != 0) {
    throw RunFailure(fmt::format("cannot mount a private /run: {}", std::strerror(errno)));
  }
}

// Process 1: runs the body in a child, reaps whatever becomes an orphan, passes signals on, ends when the body or the
// caller ends.
[[noreturn]] void run_init(Isolation isolation, int result_fd, int control_fd, const sigset_t& caller_mask,
                           const std::function<std::string(const Isolation&)>& body) {
  try {
    prepare_mounts(isolation);
  } catch (...) {
    write_all(result_fd, encode_exception());
    ::_exit(1);
  }
  sigset_t watched;
  ::sigemptyset(&watched);
  ::sigaddset(&watched, SIGCHLD);
  ::sigprocmask(SIG_SETMASK, &watched, nullptr);
  const Descriptor children(::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));

  const pid_t child = ::fork();
  if (child < 0) {
    write_all(result_fd, fmt::format("Fcannot start a process in the lab: {}", std::strerror(errno)));
    ::_exit(1);
  }
  if (child == 0) {
    ::close(control_fd);
    ::sigprocmask(SIG_SETMASK, &caller_mask, nullptr);
    std::string message;
    try {
      message = "R" + body(isolation);
    } catch (...) {
      message = encode_exception();
    }
    std::fflush(nullptr);
    write_all(result_fd, message);
    ::_exit(0);
  }
  // The terminal's Ctrl-C reaches the body directly; init must live until the body has ended.
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGTERM, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  bool caller_lives = true;
  while (true) {
    std::array<pollfd, 2> waits{{{children.get(), POLLIN, 0}, {caller_lives ? control_fd : -1, POLLIN, 0}}};
    if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) ::_exit(1);
    if (waits[1].revents != 0) {
      unsigned char number = 0;
      if (::read(control_fd, &number, 1) == 1)
        ::kill(child, number);
      else
        ::_exit(1);  // the caller is gone, and with us goes everything inside
    }
    signalfd_siginfo info{};
    while (::read(children.get(), &info, sizeof info) > 0) {
    }
    int status = 0;
    for (pid_t ended = 0; (ended = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      if (ended != child) continue;
      if (WIFSIGNALED(status)) {
        const int number = WTERMSIG(status);
        write_all(result_fd, number == SIGINT || number == SIGTERM
                                 ? std::string("Finterrupted")
                                 : fmt::format("Fthe process that runs the lab was killed by signal {} ({})", number,
                                               ::strsignal(number)));
      }
      ::_exit(0);
    }
  }
}

// The guard: enters the namespaces, starts init, waits for it.
[[noreturn]] void run_guard(bool user_namespace, pid_t caller, std::array<Descriptor, 2>& result,
                            std::array<Descriptor, 2>& control, const sigset_t& caller_mask,
                            const std::function<std::string(const Isolation&)>& body) {
  result[0].reset();
  control[1].reset();
  if (const int error = unshare_namespaces(user_namespace); error != 0) {
    write_all(result[1].get(), "I" + isolation_remedy(error, user_namespace));
    ::_exit(1);
  }
  // After unshare(2), which clears it where it changes credentials. The caller may have died before: look.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != caller) ::_exit(1);
  const pid_t init = ::fork();
  if (init < 0) {
    write_all(result[1].get(), fmt::format("Fcannot start a process in the lab: {}", std::strerror(errno)));
    ::_exit(1);
  }
  if (init == 0) {
    // A guard that died before this line still leaves the control socket: when the caller, which holds its other end,
    // dies, init sees it.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    Isolation isolation;
    isolation.user_namespace = user_namespace;
    run_init(std::move(isolation), result[1].get(), control[0].get(), caller_mask, body);
  }
  result[1].reset();
  control[0].reset();
  int status = 0;
  while (::waitpid(init, &status, 0) < 0 && errno == EINTR) {
  }
  ::_exit(0);
}

}  // namespace

std::string isolation_remedy(int error, bool user_namespace) {
  std::string text =
      fmt::format("the lab needs {}network, mount and process namespaces, and this machine refuses them ({})",
                  user_namespace ? "user, " : "", std::strerror(error));
  if (!user_namespace)
    return text + "; root without CAP_SYS_ADMIN: run it as an ordinary user, or give the container --cap-add SYS_ADMIN";
  std::vector<std::string> remedies;
  if (first_line("/proc/sys/user/max_user_namespaces") == "0")
    remedies.emplace_back("sysctl -w user.max_user_namespaces=15000");
  if (first_line("/proc/sys/kernel/unprivileged_userns_clone") == "0")
    remedies.emplace_back("sysctl -w kernel.unprivileged_userns_clone=1");
  if (const auto value = first_line("/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
      !value.empty() && value != "0")
    remedies.emplace_back("sysctl -w kernel.apparmor_restrict_unprivileged_userns=0");
  if (in_container())
    remedies.emplace_back(
        "start the container with --privileged, or with --cap-add SYS_ADMIN --cap-add NET_ADMIN --security-opt "
        "apparmor=unconfined");
  struct stat root {
  }, outer{};
  if (remedies.empty() && ::stat("/", &root) == 0 && ::stat("/proc/1/root/.", &outer) == 0 &&
      (root.st_dev != outer.st_dev || root.st_ino != outer.st_ino))
    remedies.emplace_back(
        "leave the chroot (a chroot may not create user namespaces; pivot_root in a mount namespace may)");
  remedies.emplace_back("run it as root");
  text += "; remedy: ";
  for (std::size_t i = 0; i < remedies.size(); ++i) text += (i == 0 ? "" : ", or ") + remedies[i];
  return text;
}

std::string run_isolated(const IsolateOptions& options, const std::function<std::string(const Isolation&)>& body) {
  const bool user_namespace = options.always_user_namespace || !may_administer();
  auto result = make_pipe();
  auto control = make_channel();
  sigset_t watched, before;
  ::sigemptyset(&watched);
  ::sigaddset(&watched, SIGINT);
  ::sigaddset(&watched, SIGTERM);
  std::fflush(nullptr);  // or the children would write our buffers a second time
  ::sigprocmask(SIG_BLOCK, &watched, &before);
  const pid_t caller = ::getpid();
  const pid_t guard = ::fork();
  if (guard < 0) {
    const int error = errno;
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    throw RunFailure(fmt::format("cannot start a process for the lab: {}", std::strerror(error)));
  }
  if (guard == 0) run_guard(user_namespace, caller, result, control, before, body);
  result[1].reset();
  control[0].reset();

  std::string message;
  bool interrupted = false;
  auto deadline = std::chrono::steady_clock::time_point::max();
  {
    const Descriptor signals(::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
    const auto give_up = [&] {
      ::kill(guard, SIGKILL);  // init dies with it, and with init everything inside
      deadline = std::chrono::steady_clock::time_point::max();
    };
    while (result[0]) {
      int timeout_ms = -1;
      if (deadline != std::chrono::steady_clock::time_point::max()) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        timeout_ms = left.count() > 0 ? static_cast<int>(left.count()) + 1 : 0;
      }
      std::array<pollfd, 2> waits{{{result[0].get(), POLLIN, 0}, {signals.get(), POLLIN, 0}}};
      const int ready = ::poll(waits.data(), waits.size(), timeout_ms);
      if (ready < 0 && errno != EINTR) break;
      if (ready == 0) give_up();
      if (ready <= 0) continue;
      if (waits[0].revents != 0) {
        std::array<char, 65536> buffer{};
        const ssize_t n = ::read(result[0].get(), buffer.data(), buffer.size());
        if (n > 0)
          message.append(buffer.data(), static_cast<std::size_t>(n));
        else if (n == 0 || errno != EINTR)
          result[0].reset();
      }
      signalfd_siginfo info{};
      while (waits[1].revents != 0 && ::read(signals.get(), &info, sizeof info) == sizeof info) {
        // From a terminal the whole process group has it already.
        if (interrupted)
          give_up();
        else if (info.ssi_code != SI_KERNEL) {
          const auto number = static_cast<unsigned char>(info.ssi_signo);
          [[maybe_unused]] const auto written = ::send(control[1].get(), &number, 1, MSG_NOSIGNAL);
        }
        if (!interrupted) deadline = std::chrono::steady_clock::now() + grace;
        interrupted = true;
      }
    }
  }
  int status = 0;
  while (::waitpid(guard, &status, 0) < 0 && errno == EINTR) {
  }
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (message.empty()) throw RunFailure(interrupted ? "interrupted" : "the lab's processes were killed from outside");
  if (interrupted && message.front() == 'R') throw RunFailure("interrupted");
  return decode(message);
}

std::string why_isolation_is_refused(const IsolateOptions& options) {
  try {
    run_isolated(options, [](const Isolation&) { return std::string(); });
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace lockstep::real
