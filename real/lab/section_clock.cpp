#include "real/lab/section_clock.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <climits>

namespace lockstep::real {
namespace {

std::int64_t nanoseconds_of(WallClock::time_point instant) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(instant.time_since_epoch()).count();
}

// The kernel's futexes wait on the word itself.
static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));

}  // namespace

void SectionClock::begin(WallClock::time_point start) {
  // All say the same; the first is heard. Nobody comes here late: the section does not end without him.
  std::int64_t expected = standing;
  if (page_->start_ns.compare_exchange_strong(expected, nanoseconds_of(start))) changed();
}

void SectionClock::arrive() {
  if (page_->arrived.fetch_add(1) + 1 < ranks_) return;
  page_->arrived = 0;
  const std::int64_t lasted = nanoseconds_of(WallClock::now()) - page_->start_ns;
  // In this order: a reader may see the clock stand still a moment too early, but no section counted twice.
  page_->start_ns = standing;
  page_->before_ns += lasted;
  changed();
}

void SectionClock::changed() {
  ++page_->version;
  ::syscall(SYS_futex, &page_->version, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

SectionClock::Reading SectionClock::read() const {
  for (;;) {
    Reading reading;
    reading.version = page_->version;
    reading.before = std::chrono::nanoseconds(page_->before_ns);
    if (const std::int64_t start = page_->start_ns; start != standing)
      reading.start = WallClock::time_point(std::chrono::nanoseconds(start));
    if (page_->version == reading.version) return reading;
  }
}

void SectionClock::wait(const Reading& seen, std::optional<WallClock::time_point> until) const {
  timespec instant{};
  if (until) {
    constexpr std::int64_t second = 1'000'000'000;
    const std::int64_t ns = std::max<std::int64_t>(0, nanoseconds_of(*until));
    instant = {static_cast<time_t>(ns / second), static_cast<long>(ns % second)};
  }
  // FUTEX_WAIT_BITSET takes an absolute time of CLOCK_MONOTONIC, which WallClock is.
  ::syscall(SYS_futex, &page_->version, FUTEX_WAIT_BITSET, seen.version, until ? &instant : nullptr, nullptr,
            FUTEX_BITSET_MATCH_ANY);
}

}  // namespace lockstep::real
