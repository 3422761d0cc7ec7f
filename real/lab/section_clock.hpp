// The clock of faults in a real run: time inside sections, from a common start of all ranks to their next meeting.
//
// In the simulator filling, checking and meeting take no time; here they do, so the clock stands still meanwhile, and
// `at: 2s` means the same in both worlds. Warm-up iterations count, in both.
//
// Contract:
//  - made before the ranks are forked; every rank calls begin() with the common instant and arrive() once when it comes
//    to the next meeting; the clock runs from that instant until the last rank has arrived;
//  - read() and wait() are for one more process, which acts by the clock.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

#include "real/lab/shared_memory.hpp"
#include "real/transport/transport.hpp"

namespace lockstep::real {

class SectionClock {
 public:
  explicit SectionClock(int ranks) : ranks_(ranks) {}

  void begin(WallClock::time_point start);
  void arrive();

  struct Reading {
    std::chrono::nanoseconds before{0};          ///< time of the sections that are over
    std::optional<WallClock::time_point> start;  ///< of the section that runs, perhaps in a moment; none: stands still
    std::uint32_t version = 0;
    /// What the clock shows at an instant of this section.
    [[nodiscard]] std::chrono::nanoseconds at(WallClock::time_point now) const {
      return start && now > *start ? before + std::chrono::duration_cast<std::chrono::nanoseconds>(now - *start)
                                   : before;
    }
    /// When it will show `time`, if the section lasts so long.
    [[nodiscard]] WallClock::time_point instant(std::chrono::nanoseconds time) const {
      return *start + (time - before);
    }
  };
  [[nodiscard]] Reading read() const;
  /// Returns when a section has begun or ended since `seen`, or at the instant; perhaps before.
  void wait(const Reading& seen, std::optional<WallClock::time_point> until) const;

 private:
  void changed();

  static constexpr std::int64_t standing = 0;
  struct Page {
    std::atomic<std::uint32_t> version{0};
    std::atomic<std::int32_t> arrived{0};
    std::atomic<std::int64_t> before_ns{0};
    std::atomic<std::int64_t> start_ns{standing};  ///< since the epoch of WallClock
  };
  static_assert(std::atomic<std::int64_t>::is_always_lock_free);
  SharedMemory<Page> page_;
  int ranks_;
};

}  // namespace lockstep::real
