#include "real/launch/interrupt.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "core/base/error.hpp"

namespace lockstep::real {
namespace {

volatile std::sig_atomic_t came = 0;
int event = -1;

void note(int) {
  const int saved = errno;
  came = 1;
  const std::uint64_t one = 1;
  // Nothing can be done in a handler if that fails; the flag stands.
  [[maybe_unused]] const auto written = ::write(event, &one, sizeof one);
  errno = saved;
}

}  // namespace

InterruptWatch::InterruptWatch() {
  LOCKSTEP_CHECK(event < 0, "one watch at a time");
  event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event < 0) throw RunFailure("cannot make an event descriptor: too many open files?");
  came = 0;
  struct sigaction action {};
  action.sa_handler = note;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, &before_interrupt_);
  ::sigaction(SIGTERM, &action, &before_terminate_);
}

InterruptWatch::~InterruptWatch() {
  ::sigaction(SIGINT, &before_interrupt_, nullptr);
  ::sigaction(SIGTERM, &before_terminate_, nullptr);
  ::close(event);
  event = -1;
}

int InterruptWatch::descriptor() const { return event; }
bool InterruptWatch::interrupted() { return came != 0; }

namespace {
void mask(int how) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  ::pthread_sigmask(how, &signals, nullptr);
}
}  // namespace

void InterruptWatch::hold() { mask(SIG_BLOCK); }
void InterruptWatch::let_go() { mask(SIG_UNBLOCK); }

void InterruptWatch::leave_to_parent() {
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGTERM, SIG_DFL);
}

}  // namespace lockstep::real
