// What a schedule cannot do without, counted on the generated steps.
#pragma once

#include <cstdint>
#include <vector>

#include "core/collective/schedule.hpp"

namespace lockstep {

struct ScheduleTotals {
  std::int64_t longest_chain = 0;  ///< messages of which each waits for the one before it
  std::vector<std::int64_t> sent;  ///< payload bytes by rank
  std::vector<std::int64_t> received;
};

/// Walks the schedules of all ranks of `request` (request.rank is ignored). A step begins when all that the one before
/// it receives is there; sends are taken to be free, so that messages that follow each other into a pipeline make no
/// chain. O(messages).
ScheduleTotals schedule_totals(ScheduleRequest request, const Algorithm& algorithm);

}  // namespace lockstep
