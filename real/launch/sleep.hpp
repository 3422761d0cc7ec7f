#pragma once

#include <chrono>
#include <functional>

#include "real/transport/transport.hpp"

namespace lockstep::real {

/// Sleeps (never spins) until the instant and wakes up as close after it as the kernel can: the thread's timer slack is
/// set to 1 ns first (its default of 50 us would be added to every sleep). Returns at once when the instant has passed.
void sleep_until(WallClock::time_point instant);

/// How a rank waits for an instant: asleep, but for the last `early`, in which it keeps its core busy, for a core that
/// has slept takes tens of microseconds to come back, more on some days than on others. As it wakes it calls `then`.
struct Waking {
  std::chrono::nanoseconds early{0};  ///< 0: it sleeps until the instant
  std::function<void()> then{};
};
void wait_until(WallClock::time_point instant, const Waking& waking);

}  // namespace lockstep::real
