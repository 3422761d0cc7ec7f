#pragma once

#include "core/collective/schedule.hpp"

namespace lockstep {

Algorithm ring_algorithm();

}  // namespace lockstep
