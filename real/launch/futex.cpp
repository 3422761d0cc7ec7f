#include "real/launch/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <climits>

namespace lockstep::real {

// The kernel's futexes wait on the word itself; not the private kind, since the word may be another process's too.
static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t value,
                std::optional<WallClock::time_point> until) {
  timespec instant{};
  if (until) {
    constexpr std::int64_t second = 1'000'000'000;
    const std::int64_t ns = std::max<std::int64_t>(
        0, std::chrono::duration_cast<std::chrono::nanoseconds>(until->time_since_epoch()).count());
    instant = {static_cast<time_t>(ns / second), static_cast<long>(ns % second)};
  }
  // FUTEX_WAIT_BITSET takes an absolute time of CLOCK_MONOTONIC, which WallClock is.
  ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, value, until ? &instant : nullptr, nullptr, FUTEX_BITSET_MATCH_ANY);
}

void futex_wake(std::atomic<std::uint32_t>& word) {
  word.fetch_add(1);
  ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace lockstep::real
