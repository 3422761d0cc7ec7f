// A stand-in for the CUDA runtime, of what real/nccl/ calls: a stream is a thread with a queue, device memory is the
// host's, every piece of work takes a while. STAND_IN_GPUS says how many devices there are (default: 1).
#include <cuda_runtime_api.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "core/collective/data.hpp"
#include "real/gpu/cuda/kernels.hpp"
#include "tests/stand_in/streams.hpp"

namespace lockstep::test {
namespace {

struct Recorded {
  std::mutex mutex;
  std::condition_variable changed;
  long times = 0, reached = 0;
  std::chrono::steady_clock::time_point when;

  void wait_for(long time) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return reached >= time; });
  }
};

int& device() {
  static int number = 0;
  return number;
}

int device_count() {
  const char* text = std::getenv("STAND_IN_GPUS");
  return text == nullptr ? 1 : text[0] - '0';
}

cudaError_t host_memory(void** at, std::size_t bytes) {
  constexpr std::size_t alignment = 256;
  *at = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  return *at == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}

}  // namespace

int current_device() { return device(); }

void dawdle(unsigned most_us) {
  static thread_local std::minstd_rand random(static_cast<unsigned>(::getpid()));
  ::usleep(static_cast<useconds_t>(random() % most_us));
}

}  // namespace lockstep::test

struct CUevent_st {
  std::shared_ptr<lockstep::test::Recorded> recorded = std::make_shared<lockstep::test::Recorded>();
};

struct CUstream_st {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> queue;
  long put = 0, done = 0;
  bool ended = false;
  std::thread thread{[this] { work(); }};

  void add(std::function<void()> one) {
    {
      const std::lock_guard lock(mutex);
      queue.push_back(std::move(one));
      ++put;
    }
    changed.notify_all();
  }
  void finish() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&, until = put] { return done >= until; });
  }
  void end() {
    {
      const std::lock_guard lock(mutex);
      ended = true;
    }
    changed.notify_all();
    thread.join();
  }

 private:
  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return ended || !queue.empty(); });
      if (queue.empty()) return;
      const auto one = std::move(queue.front());
      queue.pop_front();
      lock.unlock();
      one();
      lock.lock();
      ++done;
      changed.notify_all();
    }
  }
};

namespace lockstep::test {
void put_on_stream(cudaStream_t stream, std::function<void()> work) { stream->add(std::move(work)); }
}  // namespace lockstep::test

namespace lockstep::real::gpu {

void combine(ElementType type, Reduction reduction, const std::byte* source, std::byte* target, std::int64_t count,
             cudaStream_t stream) {
  stream->add([=] {
    test::dawdle(100);
    combine_elements(type, reduction, source, target, count);
  });
}

void finish_average(ElementType type, std::byte* target, std::int64_t count, int ranks, cudaStream_t stream) {
  stream->add([=] {
    test::dawdle(100);
    lockstep::finish_average(type, target, count, ranks);
  });
}

}  // namespace lockstep::real::gpu

using lockstep::test::device;
using lockstep::test::device_count;

extern "C" {

cudaError_t cudaGetLastError() { return cudaSuccess; }
const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaErrorNoDevice ? "no CUDA-capable device is detected" : "an error of the stand-in";
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int* count) {
  *count = device_count();
  return *count == 0 ? cudaErrorNoDevice : cudaSuccess;
}
cudaError_t cudaSetDevice(int number) {
  device() = number;
  return number < device_count() ? cudaSuccess : cudaErrorInvalidDevice;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int number) {
  *properties = {};
  std::strcpy(properties->name, "stand-in");
  properties->multiProcessorCount = 132;
  properties->uuid.bytes[0] = static_cast<char>(number);
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** at, std::size_t bytes) { return lockstep::test::host_memory(at, bytes); }
cudaError_t cudaMallocHost(void** at, std::size_t bytes) { return lockstep::test::host_memory(at, bytes); }
cudaError_t cudaFree(void* at) {
  std::free(at);
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* at) { return cudaFree(at); }
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  stream->add([=] {
    lockstep::test::dawdle(50);
    std::memcpy(to, from, bytes);
  });
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = new CUstream_st;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  stream->end();
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  stream->finish();
  return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const auto recorded = event->recorded;
  const std::lock_guard lock(recorded->mutex);
  stream->add([recorded, time = recorded->times] { recorded->wait_for(time); });
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new CUevent_st;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const auto recorded = event->recorded;
  const std::lock_guard lock(recorded->mutex);
  stream->add([recorded, time = ++recorded->times] {
    {
      const std::lock_guard reaching(recorded->mutex);
      recorded->reached = time;
      recorded->when = std::chrono::steady_clock::now();
    }
    recorded->changed.notify_all();
  });
  return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  const std::lock_guard lock(event->recorded->mutex);
  return event->recorded->reached >= event->recorded->times ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  long times = 0;
  {
    const std::lock_guard lock(event->recorded->mutex);
    times = event->recorded->times;
  }
  event->recorded->wait_for(times);
  return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
  if (cudaEventQuery(from) != cudaSuccess || cudaEventQuery(to) != cudaSuccess) return cudaErrorNotReady;
  *milliseconds = std::chrono::duration<float, std::milli>(to->recorded->when - from->recorded->when).count();
  return cudaSuccess;
}

}  // extern "C"
