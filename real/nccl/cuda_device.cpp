#include "real/nccl/cuda_device.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "real/gpu/cuda/kernels.hpp"

namespace lockstep::real {
namespace {

using gpu::check;

constexpr std::size_t staging_bytes = std::size_t{4} << 20;

gpu::Stream stream_on(int device) {
  check(cudaSetDevice(device), "cudaSetDevice");
  return gpu::make_stream();
}

}  // namespace

CudaDevice::CudaDevice(int number, Connect connect)
    : connect_(std::move(connect)), work_(stream_on(number)), staging_(gpu::pinned_memory(staging_bytes)) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, number), "cudaGetDeviceProperties");
  name_ = properties.name;
  multiprocessors_ = properties.multiProcessorCount;
  clock_.renew(work_);
}

std::span<std::byte> CudaDevice::allocate(std::size_t bytes) {
  // An address for every buffer, that of an empty one too.
  memory_.push_back(gpu::device_memory(std::max<std::size_t>(bytes, 1)));
  return {memory_.back().data(), bytes};
}

// Through pinned memory: a copy from pageable memory may wait for the whole device.
void CudaDevice::copy_in(std::span<const std::byte> host, std::span<std::byte> device) {
  for (std::size_t at = 0; at < host.size(); at += staging_bytes) {
    const std::size_t piece = std::min(staging_bytes, host.size() - at);
    std::memcpy(staging_.data(), host.data() + at, piece);
    check(cudaMemcpyAsync(device.data() + at, staging_.data(), piece, cudaMemcpyHostToDevice, work_),
          "cudaMemcpyAsync to the device");
    gpu::finish(work_);
  }
}

void CudaDevice::copy_out(std::span<const std::byte> device, std::span<std::byte> host) {
  for (std::size_t at = 0; at < device.size(); at += staging_bytes) {
    const std::size_t piece = std::min(staging_bytes, device.size() - at);
    check(cudaMemcpyAsync(staging_.data(), device.data() + at, piece, cudaMemcpyDeviceToHost, work_),
          "cudaMemcpyAsync to the host");
    gpu::finish(work_);
    std::memcpy(host.data() + at, staging_.data(), piece);
  }
}

void CudaDevice::begin_work() {
  if (!unfinished_) begun_ = WallClock::now();
  unmarked_ = unfinished_ = true;
}

void CudaDevice::copy(std::span<const std::byte> from, std::byte* to) {
  begin_work();
  check(cudaMemcpyAsync(to, from.data(), from.size(), cudaMemcpyDeviceToDevice, work_), "cudaMemcpyAsync");
}

void CudaDevice::combine(ElementType type, Reduction reduction, const std::byte* source, std::byte* target,
                         std::int64_t count) {
  begin_work();
  gpu::combine(type, reduction, source, target, count, work_);
}

void CudaDevice::finish_average(ElementType type, std::byte* target, std::int64_t count, int ranks) {
  begin_work();
  gpu::finish_average(type, target, count, ranks, work_);
}

void CudaDevice::put_after_work(cudaStream_t stream) {
  if (!unfinished_) return;
  if (std::exchange(unmarked_, false)) check(cudaEventRecord(worked_, work_), "cudaEventRecord");
  check(cudaStreamWaitEvent(stream, worked_, 0), "cudaStreamWaitEvent");
}

std::optional<WallClock::time_point> CudaDevice::finish() {
  if (!unfinished_) return std::nullopt;
  if (std::exchange(unmarked_, false)) check(cudaEventRecord(worked_, work_), "cudaEventRecord");
  check(cudaEventSynchronize(worked_), "cudaEventSynchronize");
  unfinished_ = false;
  return clock_.between(begun_, worked_);
}

}  // namespace lockstep::real
