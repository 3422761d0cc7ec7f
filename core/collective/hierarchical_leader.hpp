#pragma once

#include "core/collective/schedule.hpp"

namespace lockstep {

Algorithm hierarchical_leader_algorithm();

}  // namespace lockstep
