#pragma once

#include "real/transport/transport.hpp"

namespace lockstep::real {

/// Sleeps (never spins) until the instant and wakes up as close after it as the kernel can: the thread's timer slack is
/// set to 1 ns first (its default of 50 us would be added to every sleep). Returns at once when the instant has passed.
void sleep_until(WallClock::time_point instant);

}  // namespace lockstep::real
