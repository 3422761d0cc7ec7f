// What runs plans: the interpreter (no clock), the simulator (virtual time), the real executors (wall time).
#pragma once

#include "core/plan/plan.hpp"
#include "core/timeline/timeline.hpp"

namespace lockstep {

class Executor {
 public:
  virtual ~Executor() = default;
  /// Runs the whole plan and reports to the recorder. Throws RunFailure when the run cannot be completed.
  virtual void execute(const Plan& plan, Recorder& recorder) = 0;
};

}  // namespace lockstep
