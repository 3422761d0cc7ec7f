// Ranks that stay on one core each, when somebody asks for it (`--pin`).
#pragma once

namespace lockstep::real {

/// Moves this process to one of the cores that it may use: the rank's number among the ranks of its machine (as the
/// launcher says: LOCAL_RANK, OMPI_COMM_WORLD_LOCAL_RANK, SLURM_LOCALID, MPI_LOCALRANKID; else `rank`), modulo the
/// cores. Returns that core. Throws RunFailure.
int pin_rank(int rank);

}  // namespace lockstep::real
