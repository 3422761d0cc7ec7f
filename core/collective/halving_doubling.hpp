#pragma once

#include "core/collective/schedule.hpp"

namespace lockstep {

Algorithm halving_doubling_algorithm();

}  // namespace lockstep
