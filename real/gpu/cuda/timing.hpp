// How long the device takes over a piece of work.
#pragma once

#include <chrono>
#include <vector>

#include "core/base/statistics.hpp"
#include "real/gpu/cuda/runtime.hpp"

namespace lockstep::real::gpu {

/// Seconds by one repetition: what stands beside every measured number.
struct Times {
  double median_s = 0, min_s = 0, p95_s = 0;
  int repetitions = 0;
};

inline Times times_of(const std::vector<double>& seconds) {
  return {median(seconds), percentile(seconds, 0), percentile(seconds, 0.95), static_cast<int>(seconds.size())};
}

/// By the device's own clock, between two events around `work(stream)`.
template <class Work>
double device_seconds(cudaStream_t stream, const Event& before, const Event& after, Work&& work) {
  check(cudaEventRecord(before, stream), "cudaEventRecord");
  work(stream);
  check(cudaEventRecord(after, stream), "cudaEventRecord");
  check(cudaEventSynchronize(after), "cudaEventSynchronize");
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, before, after), "cudaEventElapsedTime");
  return static_cast<double>(milliseconds) * 1e-3;
}

/// By the host's clock, from before `work()` to its end.
template <class Work>
double host_seconds(Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Seconds of one of the calls work(stream, i), i = 0, 1, 2, ...: a batch of them long enough that the events around it
/// do not count (2 ms, at most 200 calls) is captured as a graph, so that the host's launches do not count either, and
/// replayed `repetitions` times. What stays is a gap of about a microsecond between kernels.
template <class Work>
Times time_per_call(cudaStream_t stream, Work&& work, int repetitions = 7) {
  const Event before = make_event();
  const Event after = make_event();
  for (int i = 0; i < 2; ++i) work(stream, i);  // loads the code, warms caches
  finish(stream);
  const double once = device_seconds(stream, before, after, [&](cudaStream_t s) { work(s, 0); });
  const int batch = static_cast<int>(std::min(200.0, std::max(1.0, 2e-3 / std::max(once, 1e-7))));
  const GraphRun run = capture(stream, [&](cudaStream_t s) {
    for (int i = 0; i < batch; ++i) work(s, i);
  });
  const auto replay = [&](cudaStream_t s) { check(cudaGraphLaunch(run, s), "cudaGraphLaunch"); };
  device_seconds(stream, before, after, replay);
  std::vector<double> seconds;
  for (int i = 0; i < repetitions; ++i) seconds.push_back(device_seconds(stream, before, after, replay) / batch);
  return times_of(seconds);
}

}  // namespace lockstep::real::gpu
