// The rank's GPU as the executor sees it: memory, and the work on its bytes, all on one CUDA stream (`work`).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "real/gpu/cuda/runtime.hpp"
#include "real/nccl/clock.hpp"
#include "real/transport/device.hpp"

namespace lockstep::real {

class CudaDevice final : public Device {
 public:
  using Connect = std::function<void(const std::vector<MessageChannel>&)>;
  /// Makes CUDA's device `number` that of this thread. `connect`: the transport's answer to Device::connect.
  CudaDevice(int number, Connect connect);

  void connect(const std::vector<MessageChannel>& channels) override { connect_(channels); }
  std::span<std::byte> allocate(std::size_t bytes) override;
  void copy_in(std::span<const std::byte> host, std::span<std::byte> device) override;
  void copy_out(std::span<const std::byte> device, std::span<std::byte> host) override;
  void copy(std::span<const std::byte> from, std::byte* to) override;
  void combine(ElementType type, Reduction reduction, const std::byte* source, std::byte* target,
               std::int64_t count) override;
  void finish_average(ElementType type, std::byte* target, std::int64_t count, int ranks) override;
  std::optional<WallClock::time_point> finish() override;

  /// What is enqueued on the stream from here on begins when the work that was begun by now is done.
  void put_after_work(cudaStream_t stream);
  /// Takes the clock's reference anew; nothing is under way.
  void renew_clock() { clock_.renew(work_); }
  [[nodiscard]] const DeviceClock& clock() const { return clock_; }
  [[nodiscard]] int multiprocessors() const { return multiprocessors_; }
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  void begin_work();

  Connect connect_;
  std::string name_;
  int multiprocessors_ = 1;
  gpu::Stream work_;
  gpu::Event worked_ = gpu::make_event();  // behind the work begun so far, if `marked_`
  bool unmarked_ = false;                  // work was begun after `worked_` was recorded
  bool unfinished_ = false;                // since the last finish()
  WallClock::time_point begun_{};          // the first of the work since then
  DeviceClock clock_;
  gpu::PinnedMemory staging_;
  std::vector<gpu::DeviceMemory> memory_;
};

}  // namespace lockstep::real
