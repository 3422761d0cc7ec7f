#include "real/lab/section_clock.hpp"

#include "real/launch/futex.hpp"

namespace lockstep::real {
namespace {

std::int64_t nanoseconds_of(WallClock::time_point instant) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(instant.time_since_epoch()).count();
}

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

void SectionClock::changed() { futex_wake(page_->version); }

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
  futex_wait(page_->version, seen.version, until);
}

}  // namespace lockstep::real
