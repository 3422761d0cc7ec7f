#pragma once

#include "core/collective/schedule.hpp"

namespace lockstep {

Algorithm hierarchical_algorithm();

}  // namespace lockstep
