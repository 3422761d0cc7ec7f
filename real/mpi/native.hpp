// MPI's own collectives (MPI_Allreduce and its relatives), blocking, as programs call them.
#pragma once

#include <mpi.h>

#include <vector>

#include "real/mpi/communicators.hpp"
#include "real/transport/native.hpp"
#include "real/transport/watchdog.hpp"

namespace lockstep::real {

class MpiCollectives final : public NativeCollectives {
 public:
  MpiCollectives(MpiJob& job, Watchdog& watchdog) : job_(job), watchdog_(watchdog) {}
  void prepare(const std::vector<NativeCollective>& collectives) override;
  bool run(const NativeCollective& collective, std::uint64_t token) override;

 private:
  int call(const NativeCollective& collective);

  MpiJob& job_;
  Watchdog& watchdog_;
  std::vector<std::byte> scratch_;
};

}  // namespace lockstep::real
