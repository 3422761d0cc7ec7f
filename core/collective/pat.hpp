#pragma once

#include "core/collective/schedule.hpp"

namespace lockstep {

Algorithm pat_algorithm();

}  // namespace lockstep
