#pragma once

#include "core/collective/schedule.hpp"

namespace lockstep {

Algorithm pairwise_algorithm();

}  // namespace lockstep
