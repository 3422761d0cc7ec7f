#pragma once

#include "core/collective/schedule.hpp"

namespace lockstep {

Algorithm dissemination_algorithm();

}  // namespace lockstep
