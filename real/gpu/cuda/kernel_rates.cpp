// How fast our memory-bound kernels stream, and what share of the device's own copy that is; fused against unfused.
#include <functional>
#include <vector>

#include "real/gpu/cuda/kernels.hpp"
#include "real/gpu/cuda/measure.hpp"
#include "real/gpu/cuda/rows.hpp"
#include "real/gpu/cuda/timing.hpp"

namespace lockstep::real::gpu {
namespace {

struct Kernel {
  const char* name;
  double bytes_per_element;              // through device memory
  std::size_t buffer_bytes_per_element;  // of one set of buffers
  std::function<void(std::byte* set, std::int64_t count, cudaStream_t)> run;
};

// A set's arrays lie one behind the other, each beginning at a multiple of 256 bytes.
std::byte* part(std::byte* set, std::int64_t bytes_before) { return set + (bytes_before + 255) / 256 * 256; }

AdamState adam_state(std::byte* set, std::int64_t count) {
  std::byte* master = set;
  std::byte* first = part(master, count * 4);
  std::byte* second = part(first, count * 4);
  std::byte* gradient = part(second, count * 4);
  std::byte* weight = part(gradient, count * 2);
  return {reinterpret_cast<float*>(master), reinterpret_cast<float*>(first), reinterpret_cast<float*>(second),
          reinterpret_cast<const std::uint16_t*>(gradient), reinterpret_cast<std::uint16_t*>(weight)};
}

std::vector<Kernel> kernels() {
  const auto combining = [](ElementType type, Reduction reduction) {
    const auto width = static_cast<std::int64_t>(element_bytes(type));
    return [=](std::byte* set, std::int64_t count, cudaStream_t stream) {
      combine(type, reduction, part(set, count * width), set, count, stream);
    };
  };
  return {
      {"copy", 2, 2, [](std::byte* set, std::int64_t count, cudaStream_t s) { copy(part(set, count), set, count, s); }},
      {"combine float32 sum", 12, 8, combining(ElementType::float32, Reduction::sum)},
      {"combine float32 max", 12, 8, combining(ElementType::float32, Reduction::max)},
      {"combine float64 sum", 24, 16, combining(ElementType::float64, Reduction::sum)},
      {"combine int32 sum", 12, 8, combining(ElementType::int32, Reduction::sum)},
      {"combine bfloat16 sum", 6, 4, combining(ElementType::bfloat16, Reduction::sum)},
      {"finish_average float32", 8, 4,
       [](std::byte* set, std::int64_t count, cudaStream_t s) {
         finish_average(ElementType::float32, set, count, 8, s);
       }},
      {"narrow float32 to bfloat16", 6, 6,
       [](std::byte* set, std::int64_t count, cudaStream_t s) {
         narrow(reinterpret_cast<float*>(set), reinterpret_cast<std::uint16_t*>(part(set, count * 4)), count, s);
       }},
      {"widen bfloat16 to float32", 6, 6,
       [](std::byte* set, std::int64_t count, cudaStream_t s) {
         widen(reinterpret_cast<std::uint16_t*>(part(set, count * 4)), reinterpret_cast<float*>(set), count, s);
       }},
      {"adam fused", adam_fused_bytes, 16,
       [](std::byte* set, std::int64_t count, cudaStream_t s) { adam_fused(adam_state(set, count), {}, count, s); }},
      {"adam unfused", adam_unfused_bytes, 24,
       [](std::byte* set, std::int64_t count, cudaStream_t s) {
         const AdamState state = adam_state(set, count);
         auto* scratch = reinterpret_cast<float*>(part(reinterpret_cast<std::byte*>(state.weight), count * 2));
         adam_unfused(state, {}, count, scratch, s);
       }},
  };
}

}  // namespace

SectionResult measure_kernels(const MeasureSettings& settings) {
  const Stream stream = make_stream();
  int l2 = 0;
  check(cudaDeviceGetAttribute(&l2, cudaDevAttrL2CacheSize, 0), "cudaDeviceGetAttribute");
  // Buffers are taken by turns, so that what one call leaves in the cache does not serve the next, as far as the calls
  // of a batch go around: small sets come from the cache, and the kernels of unfused Adam find what the one before
  // left.
  const std::size_t memory = std::size_t{4} << 30;
  const DeviceMemory pool = device_memory(memory);
  check(cudaMemsetAsync(pool.data(), 0, memory, stream), "cudaMemsetAsync");
  const std::size_t largest = std::size_t{1} << (settings.quick ? 26 : 30);

  SectionResult result;
  auto& rows = result.values = nlohmann::ordered_json::array();
  for (std::size_t bytes = std::size_t{1} << 16; bytes <= largest; bytes *= 4) {
    // `bytes`: what passes through memory. The device's own copy of as many is the measure.
    const auto turns_for = [&](std::size_t set) {
      return static_cast<std::int64_t>(std::min(memory / set, std::size_t{3} * static_cast<std::size_t>(l2) / set + 1));
    };
    const std::size_t half = bytes / 2;
    const auto copies = turns_for(bytes);
    const Times reference = time_per_call(stream, [&](cudaStream_t s, int i) {
      std::byte* set = pool.data() + static_cast<std::size_t>(i % copies) * bytes;
      check(cudaMemcpyAsync(set, set + half, half, cudaMemcpyDeviceToDevice, s), "cudaMemcpyAsync");
    });
    nlohmann::ordered_json row{{"kernel", "cudaMemcpyAsync"}, {"traffic_bytes", bytes}};
    put(row, reference);
    put_rate(row, static_cast<double>(bytes), reference);
    rows.push_back(row);
    for (const auto& kernel : kernels()) {
      const auto count = static_cast<std::int64_t>(static_cast<double>(bytes) / kernel.bytes_per_element) / 64 * 64;
      if (count == 0) continue;
      const std::size_t set = (static_cast<std::size_t>(count) * kernel.buffer_bytes_per_element / 256 + 8) * 256;
      const auto turns = turns_for(set);
      const Times times = time_per_call(stream, [&](cudaStream_t s, int i) {
        kernel.run(pool.data() + static_cast<std::size_t>(i % turns) * set, count, s);
      });
      const double traffic = static_cast<double>(count) * kernel.bytes_per_element;
      row = {{"kernel", kernel.name}, {"traffic_bytes", static_cast<std::int64_t>(traffic)}, {"elements", count}};
      put(row, times);
      put_rate(row, traffic, times);
      row["share_of_copy"] = (traffic / times.median_s) / (static_cast<double>(bytes) / reference.median_s);
      rows.push_back(row);
    }
  }
  // The driver's copy has sizes at which it is slow (seen: 2.7 TB/s at 1 GiB, 4.1 at 256 MiB), so the best of all
  // copies stands for what the memory can do.
  double best = 0;
  for (const auto& row : rows)
    if (row["kernel"] == "cudaMemcpyAsync" || row["kernel"] == "copy") best = std::max(best, row["GBps"].get<double>());
  for (auto& row : rows) row["share_of_best_copy"] = row["GBps"].get<double>() / best;
  return result;
}

}  // namespace lockstep::real::gpu
