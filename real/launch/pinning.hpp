// Which core a rank is on: its own for good, when somebody asks for it (`--pin`), or to begin with.
#pragma once

#include "real/launch/control.hpp"

namespace lockstep::real {

/// The ranks of a job that share this rank's machine.
struct RanksHere {
  int count = 1;
  int place = 0;           ///< of this rank among them, in the order of the ranks
  bool own_cores = false;  ///< there are as many cores that some of them may use, and the control group lets them
};

/// All ranks ask together, before any of them is pinned.
RanksHere find_ranks_here(Control& control);

/// Moves this thread to one of the cores that it may use: its place modulo these. Returns that core. Throws RunFailure.
int pin_rank(int place);

/// Moves this thread to the same core, and lets it go from there where it could before: two ranks that woke up on one
/// core would be left there for milliseconds while another one idles. Where the system refuses, nothing happens.
void visit_core(int place);

}  // namespace lockstep::real
