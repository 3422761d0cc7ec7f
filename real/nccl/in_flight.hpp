// What NCCL has been given and has not done yet. Each operation has a CUDA stream of its own while it is under way, out
// of a pool: an operation waits on the device until its peers come, and nothing else may have to wait behind it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "real/gpu/cuda/nccl_library.hpp"
#include "real/nccl/cuda_device.hpp"

namespace lockstep::real {

struct Operation {
  enum class Kind : std::uint8_t { send, receive, collective } kind = Kind::send;
  std::uint64_t token = 0;
  int peer = 0;  ///< send, receive
  std::uint64_t tag = 0;
  std::size_t bytes = 0;
  std::size_t channel = 0;  ///< the transport's, of messages
  const char* call = "";    ///< of NCCL: "ncclAllReduce"
  ncclComm_t communicator = nullptr;
};

class InFlight {
 public:
  InFlight(const gpu::NcclLibrary& nccl, CudaDevice& device) : nccl_(nccl), device_(device) {}

  /// So many operations can be under way without anything having to be made for them.
  void reserve(std::size_t operations);

  /// Makes the operation's stream wait for the work on the device, then `enqueue(stream)`.
  template <class Enqueue>
  void begin(const Operation& operation, Enqueue&& enqueue) {
    Lane& lane = take();
    lane.operation = operation;
    lane.begun = WallClock::now();
    device_.put_after_work(lane.stream);
    enqueue(static_cast<cudaStream_t>(lane.stream));
    gpu::check(cudaEventRecord(lane.done, lane.stream), "cudaEventRecord");
  }

  /// `done(operation, when)` for every operation that has ended; true if any has. `done` may begin others.
  template <class Done>
  bool collect(Done&& done) {
    bool any = false;
    for (std::size_t i = 0; i < busy_.size();) {
      const cudaError_t status = cudaEventQuery(busy_[i]->done);
      if (status == cudaErrorNotReady) {
        ++i;
        continue;
      }
      gpu::check(status, busy_[i]->operation.call);
      const Operation operation = busy_[i]->operation;
      const auto when = device_.clock().between(busy_[i]->begun, busy_[i]->done);
      free_.push_back(std::move(busy_[i]));
      busy_.erase(busy_.begin() + static_cast<std::ptrdiff_t>(i));
      any = true;
      done(operation, when);
    }
    return any;
  }

  /// Throws RunFailure with NCCL's words where a communicator of an operation under way has failed.
  void check_communicators() const;
  [[nodiscard]] bool empty() const { return busy_.empty(); }
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const auto& lane : busy_) visit(lane->operation);
  }

 private:
  struct Lane {
    gpu::Stream stream = gpu::make_stream();
    gpu::Event done = gpu::make_event();
    WallClock::time_point begun{};
    Operation operation;
  };
  Lane& take();

  const gpu::NcclLibrary& nccl_;
  CudaDevice& device_;
  std::vector<std::unique_ptr<Lane>> busy_, free_;
};

}  // namespace lockstep::real
