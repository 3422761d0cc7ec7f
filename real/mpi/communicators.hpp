// MPI's start, its end, and a communicator per group of ranks.
#pragma once

#include <mpi.h>

#include <map>
#include <string>
#include <vector>

namespace lockstep::real {

/// Throws RunFailure with MPI's own words: "MPI_Isend: ...".
void check_mpi(int code, const char* call);

/// MPI as this process has it: initialised on the first use, finalised at the process's end unless something failed
/// (finalising waits for the other ranks).
class MpiJob {
 public:
  /// Throws InputError where MPI knows another job than the launcher told us of: programs that were started one by one.
  static MpiJob& get(int rank, int size);
  /// No finalising any more.
  void abandon() { abandoned_ = true; }
  [[nodiscard]] MPI_Comm world() const { return world_; }  ///< our own: no other library's messages are in it
  /// Of these ranks, in this order; all of them call it together the first time.
  MPI_Comm of(const std::vector<int>& members);

  MpiJob(const MpiJob&) = delete;
  MpiJob& operator=(const MpiJob&) = delete;

 private:
  MpiJob();
  ~MpiJob();
  MPI_Comm world_ = MPI_COMM_NULL;
  std::map<std::vector<int>, MPI_Comm> groups_;
  bool abandoned_ = false;
};

}  // namespace lockstep::real
