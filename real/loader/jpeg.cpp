#include "real/loader/jpeg.hpp"

#include <time.h>
#include <turbojpeg.h>

#include "core/base/error.hpp"

namespace lockstep::real {

JpegDecoder::JpegDecoder() : handle_(tjInitDecompress()) {
  if (handle_ == nullptr) throw RunFailure("libjpeg-turbo gives no decoder");
}

JpegDecoder::~JpegDecoder() { tjDestroy(handle_); }

bool JpegDecoder::decode(std::span<const std::byte> jpeg, int width, int height, std::span<std::byte> pixels) {
  const auto* data = reinterpret_cast<const unsigned char*>(jpeg.data());
  int found_width = 0, found_height = 0, subsampling = 0, colours = 0;
  if (tjDecompressHeader3(handle_, data, jpeg.size(), &found_width, &found_height, &subsampling, &colours) != 0)
    return false;
  if (found_width != width || found_height != height) return false;
  LOCKSTEP_CHECK(pixels.size() >= std::size_t{3} * static_cast<std::size_t>(width) * static_cast<std::size_t>(height),
                 "{} bytes for an image of {}x{}", pixels.size(), width, height);
  return tjDecompress2(handle_, data, jpeg.size(), reinterpret_cast<unsigned char*>(pixels.data()), width, 0, height,
                       TJPF_RGB, 0) == 0;
}

std::chrono::nanoseconds thread_cpu_time() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

void busy_for(std::chrono::nanoseconds time) {
  const auto end = thread_cpu_time() + time;
  while (thread_cpu_time() < end) {
  }
}

}  // namespace lockstep::real
