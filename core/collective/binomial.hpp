#pragma once

#include "core/collective/schedule.hpp"

namespace lockstep {

Algorithm binomial_algorithm();

}  // namespace lockstep
