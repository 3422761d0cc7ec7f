#pragma once

#include "core/collective/schedule.hpp"

namespace lockstep {

Algorithm torus_algorithm();

}  // namespace lockstep
