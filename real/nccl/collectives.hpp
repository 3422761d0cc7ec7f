// NCCL's own collectives (ncclAllReduce and its relatives), each on a CUDA stream of its own and told of when it is
// done.
//
// What NCCL has not is made of what it has, in one group of calls: all_to_all(_v), gather and scatter of sends and
// receives; all_gather and reduce_scatter of uneven blocks of broadcasts and reductions, one per block; a barrier is an
// all_reduce of one number. Averages are ncclAvg where the number of ranks is a power of two. For others NCCL
// multiplies by the rounded 1/n before it adds, which is not the quotient: there it sums, and our kernel divides, on
// the same stream.
#pragma once

#include <string>

#include "real/nccl/choice_log.hpp"
#include "real/nccl/communicators.hpp"
#include "real/nccl/in_flight.hpp"
#include "real/transport/native.hpp"

namespace lockstep::real {

class NcclCollectives final : public NativeCollectives {
 public:
  NcclCollectives(const gpu::NcclLibrary& nccl, CudaDevice& device, Communicators& communicators, InFlight& in_flight,
                  ChoiceLog& log, Watchdog& watchdog)
      : nccl_(nccl),
        device_(device),
        communicators_(communicators),
        in_flight_(in_flight),
        log_(log),
        watchdog_(watchdog) {}

  /// Makes the communicators, then runs each collective once, so that NCCL connects and says what it chooses.
  void prepare(const std::vector<NativeCollective>& collectives) override;
  bool run(const NativeCollective& collective, std::uint64_t token) override;
  [[nodiscard]] bool divides() const override { return true; }

  /// What NCCL chose, as far as it said so.
  [[nodiscard]] const std::string& choices() const { return choices_; }

 private:
  struct Call;
  void enqueue(const NativeCollective& collective, cudaStream_t stream);

  const gpu::NcclLibrary& nccl_;
  CudaDevice& device_;
  Communicators& communicators_;
  InFlight& in_flight_;
  ChoiceLog& log_;
  Watchdog& watchdog_;
  std::span<std::byte> token_;  // what a barrier adds up
  std::string choices_;
};

}  // namespace lockstep::real
