// Which core a rank is on: its own for good, when somebody asks for it (`--pin`), or to begin with.
#pragma once

namespace lockstep::real {

/// Moves this process to one of the cores that it may use: the rank's number among the ranks of its machine (as the
/// launcher says: LOCAL_RANK, OMPI_COMM_WORLD_LOCAL_RANK, SLURM_LOCALID, MPI_LOCALRANKID; else `rank`), modulo the
/// cores. Returns that core. Throws RunFailure.
int pin_rank(int rank);

/// Moves this thread to the same core, and lets it go from there where it could before: two ranks that woke up on one
/// core would be left there for milliseconds while another one idles. Where the system refuses, nothing happens.
void visit_core(int rank);

}  // namespace lockstep::real
