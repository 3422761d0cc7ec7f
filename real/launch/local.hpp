// Starts all ranks of a job on this machine as child processes (`--ranks N`, and the lab).
//
// Contract:
//  - children are forked without exec, die with their parent (also on SIGKILL), and none outlives run_local_ranks;
//  - SIGINT and SIGTERM to the parent end the children first, then the parent's call throws RunFailure("interrupted");
//  - the string that rank 0's body returns comes back; an exception of any rank comes back as one exception of the same
//  kind with the
//    rank named, the cause in front of its consequences (the rank that was killed, not those that lost it);
//  - all ranks end within a second after one has failed: those that the news does not reach are killed;
//  - what a child writes to standard output goes to standard error: results are the parent's to print;
//  - call it before this process has started threads: they are not forked with it;
//  - a child that a signal ended is reported as such ("rank 2 was killed by signal 9 (Killed)").
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "real/launch/control.hpp"

namespace lockstep::real {

/// Every pair has a connection and every rank is a process: beyond this a machine measures its own struggle.
inline constexpr int max_local_ranks = 256;

/// A port of 127.0.0.1 that stays ours while the object lives: bound without SO_REUSEADDR, so that no other launcher
/// gets it, and with SO_REUSEADDR from then on, so that rank 0 can listen on it although it is bound. Throws
/// RunFailure.
class PortReservation {
 public:
  PortReservation();
  ~PortReservation();
  PortReservation(const PortReservation&) = delete;
  PortReservation& operator=(const PortReservation&) = delete;
  [[nodiscard]] std::uint16_t number() const { return number_; }

 private:
  int holder_;
  std::uint16_t number_ = 0;
};

struct LocalRanks {
  int count = 1;
  std::function<void(int rank)> enter;  ///< in the child, first of all (joins a namespace); may be empty
  std::function<JobEnvironment(int rank)> environment;                 ///< empty: 127.0.0.1 and a port that was free
  std::function<std::string(const JobEnvironment& environment)> body;  ///< what a rank does
  std::chrono::milliseconds grace{1000};  ///< for the others to end by themselves after a failure or an interrupt
};

std::string run_local_ranks(const LocalRanks& ranks);

/// The job that a launcher put this process in, from RANK/WORLD_SIZE/MASTER_ADDR/MASTER_PORT (torchrun),
/// OMPI_COMM_WORLD_*, PMI_*/PMIX_*, SLURM_PROCID/SLURM_NTASKS/...; nullopt when started by hand. Where the launcher
/// names no master, MASTER_ADDR/MASTER_PORT must be set unless all ranks are on one host. Throws InputError on
/// contradictions ("RANK=4 but WORLD_SIZE=4").
std::optional<JobEnvironment> job_from_environment();

}  // namespace lockstep::real
