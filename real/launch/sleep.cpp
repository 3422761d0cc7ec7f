#include "real/launch/sleep.hpp"

#include <sys/prctl.h>
#include <time.h>

#include <cerrno>

namespace lockstep::real {

void sleep_until(WallClock::time_point instant) {
  static_assert(WallClock::is_steady);
  thread_local const bool slack_set = prctl(PR_SET_TIMERSLACK, 1UL) == 0;
  static_cast<void>(slack_set);  // without it the sleep is merely less exact
  const auto since = std::chrono::duration_cast<std::chrono::nanoseconds>(instant.time_since_epoch()).count();
  if (since <= 0) return;
  timespec until{};
  until.tv_sec = static_cast<time_t>(since / 1'000'000'000);
  until.tv_nsec = static_cast<long>(since % 1'000'000'000);
  // std::chrono::steady_clock is CLOCK_MONOTONIC on Linux.
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
  }
}

void wait_until(WallClock::time_point instant, const Waking& waking) {
  sleep_until(instant - waking.early);
  if (waking.then) waking.then();
  while (WallClock::now() < instant) {
  }
}

}  // namespace lockstep::real
