#include "real/launch/local.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include "real/launch/interrupt.hpp"
#include "real/launch/outcome.hpp"

namespace lockstep::real {
namespace {

using namespace std::chrono_literals;

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() { reset(); }
  void reset() {
    if (number_ >= 0) ::close(number_);
    number_ = -1;
  }
  [[nodiscard]] int get() const { return number_; }

 private:
  int number_;
};

[[noreturn]] void refuse(const char* what) {
  throw RunFailure(fmt::format("cannot {}: {}", what, std::generic_category().message(errno)));
}

Descriptor watch_process(pid_t process) { return Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, process, 0))); }

bool readable(int descriptor) {
  pollfd one{descriptor, POLLIN, 0};
  return ::poll(&one, 1, 0) > 0;
}

/// The kernel kills this process when its parent ends; and if that has happened already, it ends here.
void die_with(const Descriptor& parent_process, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // A descriptor of the parent tells its end even from inside another PID namespace, where getppid() is 0.
  const bool gone = parent_process.get() >= 0 ? readable(parent_process.get()) : ::getppid() != parent;
  if (gone) ::_exit(1);
}

void write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) return;  // the parent is gone
    if (written > 0) bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

struct Child {
  int rank = 0;
  pid_t process = -1;
  Descriptor pipe, end;
  std::string said;
  bool ended = false, by_us = false;
};

class Launcher {
 public:
  explicit Launcher(const LocalRanks& ranks)
      : ranks_(ranks), parent_(::getpid()), parent_process_(watch_process(parent_)) {
    LOCKSTEP_CHECK(ranks.count >= 1, "{} ranks", ranks.count);
    if (ranks.count > max_local_ranks)
      throw InputError(
          fmt::format("{} ranks are too many for one machine, {} at most: a launcher (mpirun, srun, torchrun) starts "
                      "them on several, and `lockstep simulate` predicts any number",
                      ranks.count, max_local_ranks));
    if (!ranks.environment) port_.emplace();
    children_.reserve(static_cast<std::size_t>(ranks.count));
  }

  // Whatever happens in here, no child is left running and none as a zombie.
  ~Launcher() {
    for (auto& child : children_)
      if (!child.ended) ::kill(child.process, SIGKILL);
    for (auto& child : children_)
      if (!child.ended) reap(child);
  }

  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;

  std::string run() {
    // What is still in a buffer would otherwise be written by every child once more.
    std::fflush(nullptr);
    for (int rank = 0; rank < ranks_.count && !InterruptWatch::interrupted(); ++rank) start(rank);
    while (running() > 0) {
      watch();
      if (InterruptWatch::interrupted() && !interrupted_) {
        interrupted_ = true;
        end_all(SIGTERM);
      }
      if (deadline_ && std::chrono::steady_clock::now() >= *deadline_) end_all(SIGKILL);
    }
    if (InterruptWatch::interrupted()) throw RunFailure("interrupted");
    if (failed_) throw_cause(outcomes_);
    const auto first =
        std::find_if(outcomes_.begin(), outcomes_.end(), [](const Outcome& one) { return one.rank == 0; });
    return first->text;
  }

 private:
  void start(int rank) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) refuse("make a pipe");
    Descriptor from(ends[0]), to(ends[1]);
    InterruptWatch::hold();
    const pid_t process = ::fork();
    if (process == 0) {
      InterruptWatch::leave_to_parent();
      InterruptWatch::let_go();
      from.reset();
      be_rank(rank, to.get());
    }
    const int error = errno;
    InterruptWatch::let_go();
    errno = error;
    if (process < 0) refuse("start a process");
    Child child;
    child.rank = rank;
    child.process = process;
    child.pipe = std::move(from);
    child.end = watch_process(process);
    ::fcntl(child.pipe.get(), F_SETFL, O_NONBLOCK);
    children_.push_back(std::move(child));
  }

  [[noreturn]] void be_rank(int rank, int to) {
    die_with(parent_process_, parent_);
    std::signal(SIGPIPE, SIG_IGN);
    ::dup2(STDERR_FILENO, STDOUT_FILENO);
    for (auto& sibling : children_) {
      sibling.pipe.reset();
      sibling.end.reset();
    }
    Outcome outcome;
    try {
      if (ranks_.enter) {
        ranks_.enter(rank);
        // Entering a user namespace changes the credentials, and with them the kernel forgets the wish to die.
        die_with(parent_process_, parent_);
      }
      JobEnvironment environment;
      if (ranks_.environment) {
        environment = ranks_.environment(rank);
      } else {
        environment.rank = rank;
        environment.size = ranks_.count;
        environment.master_port = port_->number();
        environment.launcher = "--ranks";
      }
      outcome.text = ranks_.body(environment);
      outcome.kind = Outcome::Kind::result;
    } catch (...) {
      outcome = outcome_of(std::current_exception());
    }
    write_all(to, encode(outcome));
    std::fflush(nullptr);
    // No destructors and no exit handlers: they belong to the parent.
    ::_exit(outcome.kind == Outcome::Kind::result ? 0 : 1);
  }

  [[nodiscard]] std::size_t running() const {
    return static_cast<std::size_t>(
        std::count_if(children_.begin(), children_.end(), [](const Child& child) { return !child.ended; }));
  }

  /// Waits for something to happen and takes note of it.
  void watch() {
    std::vector<pollfd> polled{{interrupts_.descriptor(), static_cast<short>(interrupted_ ? 0 : POLLIN), 0}};
    for (const auto& child : children_) {
      if (child.ended) continue;
      if (child.pipe.get() >= 0) polled.push_back({child.pipe.get(), POLLIN, 0});
      if (child.end.get() >= 0) polled.push_back({child.end.get(), POLLIN, 0});
    }
    int timeout = -1;
    if (deadline_) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(*deadline_ - std::chrono::steady_clock::now()).count();
      timeout = static_cast<int>(std::max<std::int64_t>(0, left));
    }
    ::poll(polled.data(), polled.size(), timeout);
    for (auto& child : children_) {
      if (child.ended) continue;
      read_from(child);
      // Without pidfd_open (kernels before 5.3) the end of the pipe tells the same, unless the rank has started
      // processes of its own.
      const bool over = child.end.get() >= 0 ? readable(child.end.get()) : child.pipe.get() < 0;
      if (over) conclude(child);
    }
  }

  void read_from(Child& child) {
    std::array<char, 65536> bytes;
    while (child.pipe.get() >= 0) {
      const ssize_t count = ::read(child.pipe.get(), bytes.data(), bytes.size());
      if (count > 0)
        child.said.append(bytes.data(), static_cast<std::size_t>(count));
      else if (count == 0)
        child.pipe.reset();
      else if (errno != EINTR)
        return;
    }
  }

  int reap(Child& child) {
    int status = 0;
    while (::waitpid(child.process, &status, 0) < 0 && errno == EINTR) {
    }
    child.ended = true;
    return status;
  }

  void conclude(Child& child) {
    read_from(child);
    const int status = reap(child);
    Outcome outcome;
    if (!child.said.empty() && WIFEXITED(status)) {
      outcome = decode_outcome(child.said);
    } else if (WIFSIGNALED(status)) {
      outcome.kind = Outcome::Kind::killed_by_signal;
      outcome.number = WTERMSIG(status);
    } else {
      outcome.number = WEXITSTATUS(status);
    }
    outcome.rank = child.rank;
    outcome.by_us = child.by_us;
    if (outcome.kind != Outcome::Kind::result && !failed_) {
      failed_ = true;
      if (!deadline_) deadline_ = std::chrono::steady_clock::now() + ranks_.grace;
    }
    outcomes_.push_back(std::move(outcome));
  }

  void end_all(int signal) {
    for (auto& child : children_) {
      if (child.ended) continue;
      child.by_us = true;
      ::kill(child.process, signal);
    }
    if (!deadline_ || signal == SIGTERM)
      deadline_ = std::chrono::steady_clock::now() + ranks_.grace;
    else
      deadline_ = std::chrono::steady_clock::now() + 1h;  // SIGKILL was sent: their end will come
  }

  const LocalRanks& ranks_;
  const pid_t parent_;
  const Descriptor parent_process_;
  InterruptWatch interrupts_;
  std::optional<PortReservation> port_;
  std::vector<Child> children_;
  std::vector<Outcome> outcomes_;  ///< in the order in which the ranks ended
  std::optional<std::chrono::steady_clock::time_point> deadline_;
  bool failed_ = false, interrupted_ = false;
};

}  // namespace

PortReservation::PortReservation() : holder_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (holder_ < 0) refuse("make a socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  const int yes = 1;
  if (::bind(holder_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::getsockname(holder_, reinterpret_cast<sockaddr*>(&address), &length) != 0 ||
      ::setsockopt(holder_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0) {
    ::close(holder_);
    refuse("find a free port on 127.0.0.1");
  }
  number_ = ntohs(address.sin_port);
}

PortReservation::~PortReservation() { ::close(holder_); }

std::string run_local_ranks(const LocalRanks& ranks) { return Launcher(ranks).run(); }

}  // namespace lockstep::real
