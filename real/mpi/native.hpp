// MPI's own collectives (MPI_Allreduce and its relatives), blocking, as programs call them.
#pragma once

#include <mpi.h>

#include <vector>

#include "real/mpi/communicators.hpp"
#include "real/mpi/watchdog.hpp"
#include "real/transport/native.hpp"

namespace lockstep::real {

class MpiCollectives final : public NativeCollectives {
 public:
  MpiCollectives(MpiJob& job, Watchdog& watchdog) : job_(job), watchdog_(watchdog) {}
  void prepare(const std::vector<int>& members) override;
  void run(const NativeCollective& collective) override;

 private:
  int call(const NativeCollective& collective);

  MpiJob& job_;
  Watchdog& watchdog_;
  std::vector<std::byte> scratch_;
};

}  // namespace lockstep::real
