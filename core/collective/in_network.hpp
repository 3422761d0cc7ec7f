#pragma once

#include "core/collective/schedule.hpp"

namespace lockstep {

Algorithm in_network_algorithm();

}  // namespace lockstep
