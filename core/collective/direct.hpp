#pragma once

#include "core/collective/schedule.hpp"

namespace lockstep {

Algorithm direct_algorithm();

}  // namespace lockstep
