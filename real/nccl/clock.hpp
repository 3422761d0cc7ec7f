// When something happened on the device, on the host's clock.
//
// CUDA tells the time between two events, to about half a microsecond. One of the two is the reference: recorded on an
// idle stream, its instant on the host's clock lies between the call that recorded it and the moment when the host saw
// it done. The tightest of several such brackets is taken; half its width, typically a few microseconds, is the
// uncertainty of every time that is told, and the same for all times of one reference, so that differences between them
// are as exact as the device's clock. Ranks that have one GPU by turns see brackets of a turn's length (milliseconds).
//
// The distance from the reference is a float of milliseconds: exact to a microsecond for 16 s. So the reference is
// renewed whenever the ranks meet, which also keeps the drift between the two clocks out.
#pragma once

#include <algorithm>
#include <chrono>
#include <utility>

#include "real/gpu/cuda/runtime.hpp"
#include "real/transport/transport.hpp"

namespace lockstep::real {

class DeviceClock {
 public:
  /// Takes the reference anew. Nothing may be under way on the stream.
  void renew(cudaStream_t stream) {
    constexpr int tries = 8;
    auto narrowest = std::chrono::nanoseconds::max();
    for (int i = 0; i < tries; ++i) {
      const auto before = WallClock::now();
      gpu::check(cudaEventRecord(candidate_, stream), "cudaEventRecord");
      for (;;) {
        const cudaError_t status = cudaEventQuery(candidate_);
        if (status == cudaSuccess) break;
        if (status != cudaErrorNotReady) gpu::check(status, "cudaEventQuery");
      }
      const std::chrono::nanoseconds width = WallClock::now() - before;
      if (width >= narrowest) continue;
      narrowest = width;
      at_ = before + width / 2;
      std::swap(reference_, candidate_);
    }
    widest_ = std::max(widest_, narrowest / 2);
  }

  /// Of an event that is done, and was recorded after the reference.
  [[nodiscard]] WallClock::time_point of(cudaEvent_t event) const {
    float milliseconds = 0;
    gpu::check(cudaEventElapsedTime(&milliseconds, reference_, event), "cudaEventElapsedTime");
    return at_ +
           std::chrono::duration_cast<WallClock::duration>(std::chrono::duration<double, std::milli>(milliseconds));
  }
  /// The same, but never outside what the host saw.
  [[nodiscard]] WallClock::time_point between(WallClock::time_point begun, cudaEvent_t event) const {
    const auto seen = WallClock::now();
    return std::clamp(of(event), std::min(begun, seen), seen);
  }

  /// Of all references so far.
  [[nodiscard]] std::chrono::nanoseconds worst_uncertainty() const { return widest_; }

 private:
  gpu::Event reference_ = gpu::make_event(), candidate_ = gpu::make_event();
  WallClock::time_point at_{};
  std::chrono::nanoseconds widest_{0};
};

}  // namespace lockstep::real
