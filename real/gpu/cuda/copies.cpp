// Copies between host and device, pinned and pageable, one way and both ways at once, and within the device.
#include <cstring>
#include <vector>

#include "real/gpu/cuda/measure.hpp"
#include "real/gpu/cuda/rows.hpp"
#include "real/gpu/cuda/runtime.hpp"
#include "real/gpu/cuda/timing.hpp"

namespace lockstep::real::gpu {
namespace {

int repetitions_for(std::size_t bytes) { return bytes >= (std::size_t{64} << 20) ? 5 : 15; }

// Host copies one by one, by the host's clock, each waited for: what a program sees that needs the data.
template <class Work>
Times waited(std::size_t bytes, Work&& work) {
  std::vector<double> seconds;
  work();
  for (int i = 0; i < repetitions_for(bytes); ++i) seconds.push_back(host_seconds(work));
  return times_of(seconds);
}

// Enqueued one behind the other, by the device's clock: what a loader sees that keeps the queue filled.
template <class Work>
Times streamed(cudaStream_t stream, std::size_t bytes, Work&& work) {
  const Event before = make_event();
  const Event after = make_event();
  const int batch = bytes >= (std::size_t{64} << 20) ? 2 : 20;
  std::vector<double> seconds;
  for (int i = 0; i < repetitions_for(bytes); ++i)
    seconds.push_back(device_seconds(stream, before, after,
                                     [&](cudaStream_t s) {
                                       for (int k = 0; k < batch; ++k) work(s);
                                     }) /
                      batch);
  return times_of(seconds);
}

}  // namespace

SectionResult measure_copies(const MeasureSettings& settings) {
  const std::size_t largest = std::size_t{1} << (settings.quick ? 24 : 30);
  const Stream stream = make_stream();
  const Stream back = make_stream();
  const DeviceMemory device = device_memory(largest);
  const DeviceMemory second = device_memory(largest);
  const PinnedMemory pinned = pinned_memory(largest);
  const PinnedMemory pinned_back = pinned_memory(largest);
  std::vector<std::byte> pageable(largest);
  std::memset(pageable.data(), 1, largest);  // its pages exist
  std::memset(pinned.data(), 2, largest);
  const auto copy = [](void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t s) {
    check(cudaMemcpyAsync(to, from, bytes, kind, s), "cudaMemcpyAsync");
  };

  SectionResult result;
  auto& rows = result.values = nlohmann::ordered_json::array();
  const auto add = [&](const char* what, const char* memory, const char* clock, std::size_t bytes, std::size_t moved,
                       const Times& times) {
    nlohmann::ordered_json row{{"what", what}, {"host_memory", memory}, {"clock", clock}, {"size_bytes", bytes}};
    put(row, times);
    put_rate(row, static_cast<double>(moved), times);
    rows.push_back(row);
  };
  for (std::size_t bytes = settings.quick ? 1 << 16 : 1 << 10; bytes <= largest; bytes *= 4) {
    const auto up = [&](cudaStream_t s) { copy(device.data(), pinned.data(), bytes, cudaMemcpyHostToDevice, s); };
    const auto down = [&](cudaStream_t s) {
      copy(pinned_back.data(), second.data(), bytes, cudaMemcpyDeviceToHost, s);
    };
    add("host_to_device", "pinned", "device, queued", bytes, bytes, streamed(stream, bytes, up));
    add("device_to_host", "pinned", "device, queued", bytes, bytes, streamed(stream, bytes, down));
    add("host_to_device", "pinned", "host, waited", bytes, bytes, waited(bytes, [&] {
          up(stream);
          finish(stream);
        }));
    add("device_to_host", "pinned", "host, waited", bytes, bytes, waited(bytes, [&] {
          down(stream);
          finish(stream);
        }));
    add("host_to_device", "pageable", "host, waited", bytes, bytes, waited(bytes, [&] {
          copy(device.data(), pageable.data(), bytes, cudaMemcpyHostToDevice, stream);
          finish(stream);
        }));
    add("device_to_host", "pageable", "host, waited", bytes, bytes, waited(bytes, [&] {
          copy(pageable.data(), device.data(), bytes, cudaMemcpyDeviceToHost, stream);
          finish(stream);
        }));
    if (bytes >= (std::size_t{1} << 20))
      add("both_ways", "pinned", "host, waited", bytes, 2 * bytes, waited(bytes, [&] {
            up(stream);
            down(back);
            finish(stream);
            finish(back);
          }));
    // Read and written: twice the bytes pass through the device's memory.
    add("device_to_device", "none", "device, graph", bytes, 2 * bytes, time_per_call(stream, [&](cudaStream_t s, int) {
          copy(second.data(), device.data(), bytes, cudaMemcpyDeviceToDevice, s);
        }));
  }
  // What was copied is what arrives.
  std::memset(pinned.data(), 0x5A, largest);
  std::memset(pinned_back.data(), 0, largest);
  copy(device.data(), pinned.data(), largest, cudaMemcpyHostToDevice, stream);
  copy(second.data(), device.data(), largest, cudaMemcpyDeviceToDevice, stream);
  copy(pinned_back.data(), second.data(), largest, cudaMemcpyDeviceToHost, stream);
  finish(stream);
  result.findings.push_back({"copies", std::memcmp(pinned.data(), pinned_back.data(), largest) == 0,
                             fmt::format("{} MiB to the device, within it and back", largest >> 20)});
  return result;
}

SectionResult measure_allocations(const MeasureSettings& settings) {
  SectionResult result;
  auto& rows = result.values = nlohmann::ordered_json::array();
  const auto add = [&](const char* what, std::size_t bytes, std::vector<double>& seconds) {
    nlohmann::ordered_json row{{"what", what}, {"size_bytes", bytes}};
    put(row, times_of(seconds));
    rows.push_back(row);
  };
  const Stream stream = make_stream();
  cudaMemPool_t pool = nullptr;
  check(cudaDeviceGetDefaultMemPool(&pool, 0), "cudaDeviceGetDefaultMemPool");
  std::uint64_t keep = UINT64_MAX;
  check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep), "cudaMemPoolSetAttribute");
  const int repetitions = settings.quick ? 3 : 7;
  for (const std::size_t bytes :
       {std::size_t{4} << 10, std::size_t{1} << 20, std::size_t{64} << 20, std::size_t{1} << 30}) {
    std::vector<double> allocate, release, pin, unpin, enlist, from_pool, to_pool;
    std::vector<std::byte> pages(bytes, std::byte{1});
    for (int i = 0; i < repetitions; ++i) {
      void* at = nullptr;
      allocate.push_back(host_seconds([&] { check(cudaMalloc(&at, bytes), "cudaMalloc"); }));
      release.push_back(host_seconds([&] { check(cudaFree(at), "cudaFree"); }));
      pin.push_back(host_seconds([&] { check(cudaMallocHost(&at, bytes), "cudaMallocHost"); }));
      unpin.push_back(host_seconds([&] { check(cudaFreeHost(at), "cudaFreeHost"); }));
      enlist.push_back(host_seconds(
          [&] { check(cudaHostRegister(pages.data(), bytes, cudaHostRegisterDefault), "cudaHostRegister"); }));
      check(cudaHostUnregister(pages.data()), "cudaHostUnregister");
      from_pool.push_back(host_seconds([&] { check(cudaMallocAsync(&at, bytes, stream), "cudaMallocAsync"); }));
      to_pool.push_back(host_seconds([&] { check(cudaFreeAsync(at, stream), "cudaFreeAsync"); }));
      finish(stream);
    }
    add("cudaMalloc", bytes, allocate);
    add("cudaFree", bytes, release);
    add("cudaMallocHost", bytes, pin);
    add("cudaFreeHost", bytes, unpin);
    add("cudaHostRegister", bytes, enlist);
    add("cudaMallocAsync", bytes, from_pool);
    add("cudaFreeAsync", bytes, to_pool);
  }
  return result;
}

}  // namespace lockstep::real::gpu
