// Images whose JPEG has a given size: the amplitude of the noise decides, by a table that is measured once per size of
// image.
#include <turbojpeg.h>

#include <algorithm>
#include <memory>

#include "core/base/error.hpp"
#include "core/base/hash.hpp"
#include "real/loader/dataset.hpp"

namespace lockstep::real {
namespace {

struct Destroy {
  void operator()(void* handle) const { tjDestroy(handle); }
};

}  // namespace

JpegMaker::JpegMaker(int width, int height)
    : width_(width),
      height_(height),
      pixels_(std::size_t{3} * static_cast<std::size_t>(width) * static_cast<std::size_t>(height)) {
  for (const double amplitude : {0.0, 2.0, 4.0, 8.0, 16.0, 24.0, 32.0, 48.0, 64.0, 96.0, 127.0})
    sizes_.emplace_back(amplitude, static_cast<double>(encode(amplitude, 1).size()));
}

std::vector<std::byte> JpegMaker::make(std::int64_t bytes, std::uint64_t key) {
  const auto wanted = static_cast<double>(bytes);
  double amplitude = sizes_.back().first;
  for (std::size_t i = 1; i < sizes_.size(); ++i) {
    if (wanted > sizes_[i].second) continue;
    const auto& [low, low_bytes] = sizes_[i - 1];
    const auto& [high, high_bytes] = sizes_[i];
    const double share = std::clamp((wanted - low_bytes) / std::max(high_bytes - low_bytes, 1.0), 0.0, 1.0);
    amplitude = low + share * (high - low);
    break;
  }
  return encode(amplitude, key);
}

std::vector<std::byte> JpegMaker::encode(double amplitude, std::uint64_t key) {
  const int scale = static_cast<int>(amplitude * 256);
  std::uint64_t bits = 0;
  int left = 0;
  std::uint64_t count = 0;
  std::size_t at = 0;
  for (int y = 0; y < height_; ++y)
    for (int x = 0; x < width_; ++x)
      for (int colour = 0; colour < 3; ++colour, --left, bits >>= 8) {
        if (left == 0) {
          bits = mix64(key + mix64(count++));
          left = 8;
        }
        const int noise = (static_cast<int>(bits & 0xFF) - 128) * scale / (128 * 256);
        const int base = 128 + (x * 64 / width_ - 32) + (y * 64 / height_ - 32) * (colour - 1);
        pixels_[at++] = static_cast<unsigned char>(std::clamp(base + noise, 0, 255));
      }
  const std::unique_ptr<void, Destroy> encoder(tjInitCompress());
  if (!encoder) throw RunFailure("libjpeg-turbo gives no encoder");
  unsigned char* data = nullptr;
  unsigned long size = 0;
  const int failed =
      tjCompress2(encoder.get(), pixels_.data(), width_, 0, height_, TJPF_RGB, &data, &size, TJSAMP_420, 90, 0);
  const std::unique_ptr<unsigned char, void (*)(unsigned char*)> owner(data, tjFree);
  if (failed != 0) throw RunFailure(fmt::format("libjpeg-turbo: {}", tjGetErrorStr2(encoder.get())));
  const auto* begin = reinterpret_cast<const std::byte*>(data);
  return {begin, begin + size};
}

}  // namespace lockstep::real
