// Decoding with libjpeg-turbo, and work that only takes time.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>

namespace lockstep::real {

/// One per thread; not shared.
class JpegDecoder {
 public:
  JpegDecoder();
  ~JpegDecoder();
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;

  /// Decodes to RGB, 3 * width * height bytes. False if the data are no such image of this size.
  bool decode(std::span<const std::byte> jpeg, int width, int height, std::span<std::byte> pixels);

 private:
  void* handle_;
};

/// Keeps this thread's CPU busy for so much of its time.
void busy_for(std::chrono::nanoseconds time);
/// CPU time of this thread so far.
std::chrono::nanoseconds thread_cpu_time();

}  // namespace lockstep::real
