// Several ranks of a plan in one process: a schedule for 64 ranks on the four processes at hand.
//
//   process 0: ranks 0..15, a thread each      process 1: ranks 16..31      ...
//
// Contract:
//  - a rank gets a Control and a Transport of its own, for all ranks of the plan, and keeps their contracts;
//  - messages between ranks of one process are copied from buffer to buffer once both are there; the others go over the
//  process's own Transport, with their ranks in the tag;
//  - the process's Control and Transport are used by the calling thread alone; meetings of all ranks begin when those
//  of this process have come;
//  - the first failure of a rank ends the others of the process, and by way of Control those of the other processes.
//
// What such a run shows: that every message of every rank is sent, matched and right, and that the plan comes to its
// end. What it does not: times. Ranks of a process take turns on its cores, and their messages never meet a network.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "real/launch/control.hpp"
#include "real/transport/transport.hpp"

namespace lockstep::real {

/// Which process has which ranks: consecutive ones, as evenly as they go (the first processes have one more).
struct Placement {
  int ranks = 1;
  int processes = 1;
  [[nodiscard]] int first(int process) const;
  [[nodiscard]] int count(int process) const { return first(process + 1) - first(process); }
  [[nodiscard]] int process_of(int rank) const;
};

/// Every rank is a thread.
inline constexpr int max_ranks_per_process = 256;

/// Runs `body` for each rank of this process (control.rank() is the process) and returns what they returned, by rank.
/// Throws what the first of them threw; PeerFailure where another process failed.
std::vector<std::string> run_virtual_ranks(
    Control& control, Transport& transport, const Placement& placement,
    const std::function<std::string(Control& control, Transport& transport)>& body);

}  // namespace lockstep::real
