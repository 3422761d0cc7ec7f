// Types of core/config/type.hpp for work, its rate, and counts with suffixes.
#pragma once

#include "core/config/type.hpp"
#include "core/units/work.hpp"

namespace lockstep::config {

Type<Flops> flops();         ///< >= 0, with its unit
Type<FlopRate> flop_rate();  ///< > 0, with its unit
/// A whole number, as it is or with a suffix: 1048576, 1Mi, 100k.
Type<std::int64_t> count(std::int64_t minimum, std::int64_t maximum);

}  // namespace lockstep::config
