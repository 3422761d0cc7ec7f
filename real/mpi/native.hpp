// MPI's own collectives (MPI_Allreduce and its relatives), blocking, as programs call them.
#pragma once

#include <mpi.h>

#include <chrono>
#include <memory>
#include <vector>

#include "real/mpi/communicators.hpp"
#include "real/transport/native.hpp"

namespace lockstep::real {

class Watchdog;

class MpiCollectives final : public NativeCollectives {
 public:
  /// A collective that takes longer than `timeout` ends the process with a message and exit code 3: MPI's blocking
  /// calls cannot be left otherwise.
  MpiCollectives(MpiJob& job, int rank, std::chrono::milliseconds timeout);
  ~MpiCollectives() override;
  void prepare(const std::vector<int>& members) override;
  void run(const NativeCollective& collective) override;

 private:
  MpiJob& job_;
  int rank_;
  std::chrono::milliseconds timeout_;
  std::unique_ptr<Watchdog> watchdog_;
  std::vector<std::byte> scratch_;
};

}  // namespace lockstep::real
