// Wall clocks for what a result says about its run. Simulated time never comes from here.
#pragma once

#include <string>

namespace lockstep {

/// Seconds since an arbitrary instant, never stepping back.
double monotonic_s();

/// Now, in UTC, as "2026-01-31T23:59:59Z".
std::string utc_date();

}  // namespace lockstep
