#include "real/compute/measure_kernels.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>

#include "core/base/statistics.hpp"
#include "core/collective/data.hpp"
#include "real/compute/arrays.hpp"
#include "real/compute/kernel_body.hpp"
#include "real/launch/sleep.hpp"

namespace lockstep::real {
namespace {

constexpr Bytes large = 16_MiB;  // takes long to fill and to check
constexpr std::chrono::milliseconds pause{2};  // ExecutorOptions::quiet

template <class Work>
double seconds_of(Work&& work) {
  sleep_until(WallClock::now() + pause);
  const auto start = WallClock::now();
  work();
  return std::max(1e-9, std::chrono::duration<double>(WallClock::now() - start).count());
}

template <class Work>
void sample(const KernelTiming& timing, std::vector<double>& samples_s, Work&& work) {
  const double first = seconds_of(work);  // on cold caches, which a long one does not notice
  double left = timing.longest_s;
  if (first > timing.longest_s / 5) {
    samples_s.push_back(first);
    left -= first;
  }
  for (int i = 0; i < timing.samples && (left > 0 || i < 1); ++i) {
    samples_s.push_back(seconds_of(work));
    left -= samples_s.back();
  }
}

}  // namespace

std::vector<KernelTimes> measure_kernels(const std::vector<Kernel>& kernels, const KernelTiming& timing,
                                         const std::function<void(const std::string&)>& progress) {
  std::vector<KernelTimes> times;
  for (const Kernel& kernel : kernels) times.push_back({kernel, {}, 0});
  AlignedBuffer memory;
  for (int pass = 0; pass < timing.passes; ++pass)
    for (KernelTimes& one : times) {
      const bool is_large = one.kernel.working_set() >= large;
      const bool is_long = !one.samples_s.empty() && one.samples_s.front() > timing.longest_s / 5;
      if (pass >= 2 && (is_large || is_long)) continue;
      if (pass == 0) progress(to_text(one.kernel));
      const auto body = make_kernel(one.kernel, memory);
      body->fill();
      if (pass == 0 && !is_large) {
        body->run();
        one.wrong = body->wrong();
      }
      sample(timing, one.samples_s, [&] { body->run(); });
    }
  return times;
}

std::vector<ReductionTimes> measure_reductions(const std::vector<Bytes>& sizes, const KernelTiming& timing) {
  std::vector<ReductionTimes> times;
  for (const Bytes size : sizes) times.push_back({size, {}});
  AlignedBuffer memory;
  for (int pass = 0; pass < timing.passes; ++pass)
    for (ReductionTimes& one : times) {
      const std::int64_t count = one.size.count() / 4;
      const Arrays<float> arrays(memory, {count, count});
      // Sums that grow by a small number: neither denormal nor infinite after any number of calls.
      fill_input(arrays[0], 0, count);
      fill_input(arrays[1], 1, count);
      sample(timing, one.samples_s, [&] {
        combine_elements(ElementType::float32, Reduction::sum, bytes_of(arrays[0], count).data(),
                         bytes_of(arrays[1], count).data(), count);
      });
    }
  return times;
}

double timing_noise() {
  AlignedBuffer memory;
  const auto body = make_kernel({"add", ElementType::float32, {std::int64_t{1} << 19}}, memory);
  body->fill();
  std::vector<double> samples;
  for (int i = 0; i < 200; ++i) samples.push_back(seconds_of([&] { body->run(); }));
  const double middle = median(samples);
  return (percentile(samples, 0.95) - middle) / middle;
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(':');
    if (line.starts_with("model name") && colon != std::string::npos && colon + 2 <= line.size())
      return line.substr(colon + 2);
  }
  return {};
}

}  // namespace lockstep::real
