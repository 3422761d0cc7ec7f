// Uplink rates under oversubscription, exact: the ratio of a file is taken in millionths.
#pragma once

#include <cstdint>

#include "core/config/type.hpp"
#include "core/units/quantity.hpp"

namespace lockstep {

/// `oversubscription:`, the bandwidth of a switch towards its hosts over its bandwidth upwards; > 0.
config::Type<double> oversubscription();

/// rate x ports / (uplinks x ratio) in bits per second, rounded down: what each of `uplinks` links carries when `ports`
/// ports of `rate` share them. Zero if nothing is left; at most 2^62 bit/s.
Bandwidth uplink_rate(Bandwidth rate, std::int64_t ports, std::int64_t uplinks, double ratio);

}  // namespace lockstep
