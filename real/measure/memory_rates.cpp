#include "real/measure/memory_rates.hpp"

#include <chrono>
#include <cstring>
#include <vector>

#include "core/base/statistics.hpp"
#include "core/collective/data.hpp"
#include "real/transport/transport.hpp"

namespace lockstep::real {
namespace {

constexpr std::size_t buffer_bytes = std::size_t{8} << 20;

Bandwidth rate(std::size_t bytes, std::vector<double>& seconds) {
  return Bandwidth::bytes_per_second(static_cast<std::int64_t>(static_cast<double>(bytes) / median(seconds)));
}

template <class Work>
double seconds_of(Work work) {
  const auto start = WallClock::now();
  work();
  return std::max(1e-9, std::chrono::duration<double>(WallClock::now() - start).count());
}

}  // namespace

MemoryRates measure_memory_rates(Bytes piece) {
  // Sums of zeros: no denormals, no overflow, whatever the number of passes.
  std::vector<std::byte> source(buffer_bytes);
  std::vector<std::byte> target(buffer_bytes);
  const auto step = static_cast<std::size_t>(piece.count());
  std::vector<double> combine;
  std::vector<double> copy;
  for (int pass = 0; pass < 7; ++pass) {
    combine.push_back(seconds_of([&] {
      for (std::size_t at = 0; at + step <= buffer_bytes; at += step)
        combine_elements(ElementType::float32, Reduction::sum, source.data() + at, target.data() + at,
                         static_cast<std::int64_t>(step / 4));
    }));
    copy.push_back(seconds_of([&] { std::memmove(target.data(), source.data(), buffer_bytes); }));
  }
  return {rate(buffer_bytes / step * step, combine), rate(buffer_bytes, copy)};
}

}  // namespace lockstep::real
