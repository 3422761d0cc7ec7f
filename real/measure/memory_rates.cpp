#include "real/measure/memory_rates.hpp"

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstring>
#include <thread>

#include "core/base/statistics.hpp"
#include "core/collective/data.hpp"
#include "real/launch/sleep.hpp"

namespace lockstep::real {
namespace {

constexpr std::size_t smallest = std::size_t{64} << 10;
constexpr std::size_t largest = std::size_t{16} << 20;
constexpr std::size_t factor = 4;
constexpr int repetitions = 7;
// Between a collective's filling and its start.
constexpr std::chrono::milliseconds a_moment{2};
constexpr std::chrono::microseconds awake{300};

template <class Work>
double seconds_of(Work work) {
  const auto start = WallClock::now();
  work();
  return std::max(1e-9, std::chrono::duration<double>(WallClock::now() - start).count());
}

// What one thread sees, by size.
struct Samples {
  std::vector<std::vector<double>> combine, copy;
};

Samples measure(std::size_t piece, std::barrier<>& together) {
  Samples samples;
  std::vector<std::byte> source(largest), target(largest), arrived(largest);
  for (std::size_t size = smallest; size <= largest; size *= factor) {
    const std::size_t step = std::min(piece, size);
    auto& combine = samples.combine.emplace_back();
    auto& copy = samples.copy.emplace_back();
    for (int i = 0; i < 2 * repetitions; ++i) {
      // Zeros: no denormals, no overflow, whatever the number of passes.
      std::memset(source.data(), 0, size);
      std::memset(target.data(), 0, size);
      together.arrive_and_wait();
      wait_until(WallClock::now() + a_moment, {awake, {}});
      if (i % 2 == 0) {
        copy.push_back(seconds_of([&] { std::memmove(target.data(), source.data(), size); }));
        continue;
      }
      // What arrives has just been copied, pieces one after the other into the same place.
      std::memmove(arrived.data(), source.data(), step);
      combine.push_back(seconds_of([&] {
        for (std::size_t at = 0; at < size; at += step)
          combine_elements(ElementType::float32, Reduction::sum, arrived.data(), target.data() + at,
                           static_cast<std::int64_t>(std::min(step, size - at) / 4));
      }));
    }
  }
  return samples;
}

std::vector<TrafficInterval> intervals(const std::vector<Samples>& all,
                                       std::vector<std::vector<double>> Samples::*part) {
  std::vector<TrafficInterval> intervals;
  std::size_t number = 0;
  for (std::size_t size = smallest; size <= largest; size *= factor, ++number) {
    std::vector<double> seconds;
    for (const Samples& one : all)
      seconds.insert(seconds.end(), (one.*part)[number].begin(), (one.*part)[number].end());
    TrafficInterval interval;
    if (size < largest) interval.up_to = Bytes{static_cast<std::int64_t>(size)};
    interval.rate = Bandwidth::bytes_per_second(static_cast<std::int64_t>(static_cast<double>(size) / median(seconds)));
    intervals.push_back(interval);
  }
  return intervals;
}

}  // namespace

MemoryRates measure_memory_rates(Bytes piece, int threads) {
  std::barrier<> together(threads);
  std::vector<Samples> all(static_cast<std::size_t>(threads));
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < all.size(); ++i)
    others.emplace_back([&, i] { all[i] = measure(static_cast<std::size_t>(piece.count()), together); });
  all[0] = measure(static_cast<std::size_t>(piece.count()), together);
  for (auto& other : others) other.join();
  return {intervals(all, &Samples::combine), intervals(all, &Samples::copy)};
}

}  // namespace lockstep::real
