#include "real/nccl/batch_copier.hpp"

#include <algorithm>
#include <array>

#include "core/base/error.hpp"
#include "real/gpu/cuda/runtime.hpp"

namespace lockstep::real {
namespace {

gpu::Stream stream_on_device_of(int rank) {
  int count = 0;
  gpu::check(cudaGetDeviceCount(&count), "cudaGetDeviceCount");
  gpu::check(cudaSetDevice(rank % std::max(count, 1)), "cudaSetDevice");
  return gpu::make_stream();
}

class CudaCopier final : public BatchCopier {
 public:
  CudaCopier(bool pinned, std::size_t most, int rank)
      : stream_(stream_on_device_of(rank)),
        copied_(gpu::make_event(cudaEventDisableTiming)),
        memory_{gpu::device_memory(most), gpu::device_memory(most), gpu::device_memory(most)} {
    if (pinned) staging_ = gpu::pinned_memory(most);
  }
  ~CudaCopier() override { static_cast<void>(cudaStreamSynchronize(stream_)); }

  void begin(std::span<const std::byte> batch) override {
    LOCKSTEP_CHECK(batch.size() <= memory_.front().bytes(), "a batch of {} bytes", batch.size());
    // One batch is used, and one is there, while this one comes.
    into_ = (into_ + 1) % memory_.size();
    const std::byte* from = batch.data();
    if (staging_.bytes() > 0) {
      std::copy(batch.begin(), batch.end(), staging_.data());
      from = staging_.data();
    }
    gpu::check(cudaMemcpyAsync(memory_[into_].data(), from, batch.size(), cudaMemcpyHostToDevice, stream_),
               "cudaMemcpyAsync");
    gpu::check(cudaEventRecord(copied_, stream_), "cudaEventRecord");
  }

  bool done() override {
    const cudaError_t status = cudaEventQuery(copied_);
    if (status == cudaErrorNotReady) return false;
    gpu::check(status, "cudaEventQuery");
    return true;
  }

  void read_back(std::span<std::byte> batch) override {
    gpu::check(cudaMemcpyAsync(batch.data(), memory_[into_].data(), batch.size(), cudaMemcpyDeviceToHost, stream_),
               "cudaMemcpyAsync");
    gpu::finish(stream_);
  }

 private:
  gpu::Stream stream_;
  gpu::Event copied_;
  std::array<gpu::DeviceMemory, 3> memory_;
  gpu::PinnedMemory staging_;
  std::size_t into_ = 0;
};

}  // namespace

std::unique_ptr<BatchCopier> make_cuda_copier(bool pinned, std::size_t most, int rank) {
  return std::make_unique<CudaCopier>(pinned, most, rank);
}

}  // namespace lockstep::real
