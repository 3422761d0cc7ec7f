// What every file that speaks CUDA needs: errors as exceptions, and handles that clean up after themselves.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <utility>

#include "core/base/error.hpp"

namespace lockstep::real::gpu {

/// Throws RunFailure that names the call: "cudaMalloc: out of memory". The error is handled with that: the next launch
/// does not find it again.
inline void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());
  throw RunFailure(fmt::format("{}: {}", what, cudaGetErrorString(status)));
}

/// An address that one function gives and another takes back.
template <auto Free>
class Block {
 public:
  Block() = default;
  Block(void* at, std::size_t bytes) : at_(at), bytes_(bytes) {}
  Block(Block&& other) noexcept : at_(std::exchange(other.at_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Block& operator=(Block&& other) noexcept {
    std::swap(at_, other.at_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Block() {
    if (at_ != nullptr) static_cast<void>(Free(at_));
  }

  template <class T = std::byte>
  [[nodiscard]] T* data() const {
    return static_cast<T*>(at_);
  }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  void* at_ = nullptr;
  std::size_t bytes_ = 0;
};

using DeviceMemory = Block<&cudaFree>;
using PinnedMemory = Block<&cudaFreeHost>;

inline DeviceMemory device_memory(std::size_t bytes) {
  void* at = nullptr;
  check(cudaMalloc(&at, bytes), "cudaMalloc");
  return {at, bytes};
}

inline PinnedMemory pinned_memory(std::size_t bytes) {
  void* at = nullptr;
  check(cudaMallocHost(&at, bytes), "cudaMallocHost");
  return {at, bytes};
}

/// A handle that is made by one call and destroyed by another.
template <class Handle, auto Destroy>
class Owner {
 public:
  explicit Owner(Handle handle) : handle_(handle) {}
  Owner(Owner&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Owner& operator=(Owner&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Owner() {
    if (handle_ != nullptr) static_cast<void>(Destroy(handle_));
  }
  operator Handle() const { return handle_; }  // NOLINT: it stands for the handle wherever CUDA takes one

 private:
  Handle handle_;
};

using Stream = Owner<cudaStream_t, &cudaStreamDestroy>;
using Event = Owner<cudaEvent_t, &cudaEventDestroy>;
using Graph = Owner<cudaGraph_t, &cudaGraphDestroy>;
using GraphRun = Owner<cudaGraphExec_t, &cudaGraphExecDestroy>;

/// A stream that does not wait for the default one.
inline Stream make_stream() {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  return Stream(stream);
}

inline Event make_event(unsigned flags = cudaEventDefault) {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, flags), "cudaEventCreateWithFlags");
  return Event(event);
}

inline void finish(cudaStream_t stream) { check(cudaStreamSynchronize(stream), "cudaStreamSynchronize"); }

/// What `work(stream)` enqueues, as a graph that one launch replays.
template <class Work>
GraphRun capture(cudaStream_t stream, Work&& work) {
  cudaGraph_t captured = nullptr;
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  try {
    work(stream);
  } catch (...) {  // the stream is to be of use again
    if (cudaStreamEndCapture(stream, &captured) == cudaSuccess && captured != nullptr)
      static_cast<void>(cudaGraphDestroy(captured));
    static_cast<void>(cudaGetLastError());
    throw;
  }
  check(cudaStreamEndCapture(stream, &captured), "cudaStreamEndCapture");
  const Graph graph(captured);
  cudaGraphExec_t run = nullptr;
  check(cudaGraphInstantiate(&run, graph, 0), "cudaGraphInstantiate");
  return GraphRun(run);
}

}  // namespace lockstep::real::gpu
