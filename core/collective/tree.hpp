#pragma once

#include "core/collective/schedule.hpp"

namespace lockstep {

Algorithm tree_algorithm();

}  // namespace lockstep
