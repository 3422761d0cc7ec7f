#pragma once

#include "core/collective/schedule.hpp"

namespace lockstep {

Algorithm recursive_doubling_algorithm();

}  // namespace lockstep
