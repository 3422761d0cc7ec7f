#pragma once

#include "core/collective/schedule.hpp"

namespace lockstep {

Algorithm bruck_algorithm();

}  // namespace lockstep
