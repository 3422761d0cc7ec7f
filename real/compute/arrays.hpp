// What kernel bodies share: arrays in one piece of memory, inputs, and the comparison with a reference.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>
#include <vector>

#include "core/base/hash.hpp"
#include "real/executor/buffers.hpp"

namespace lockstep::real {

/// Arrays one behind the other. Each begins at a multiple of 64 bytes and at another place within its page: arrays that
/// lie a multiple of 4 KiB apart disturb each other in the first cache and in the queues of loads and stores.
template <class T>
class Arrays {
 public:
  Arrays(AlignedBuffer& memory, std::initializer_list<std::int64_t> counts) {
    std::size_t bytes = 0;
    std::vector<std::size_t> begins;
    for (const std::int64_t count : counts) {
      begins.push_back(bytes + begins.size() * stagger);
      bytes += (static_cast<std::size_t>(count) * sizeof(T) + line - 1) / line * line;
    }
    memory.grow(bytes + begins.size() * stagger);
    for (const std::size_t begin : begins) arrays_.push_back(reinterpret_cast<T*>(memory.bytes().data() + begin));
  }
  [[nodiscard]] T* operator[](std::size_t i) const { return arrays_[i]; }

 private:
  static constexpr std::size_t line = 64, stagger = 17 * line;
  std::vector<T*> arrays_;
};

/// Element i of input array `which`: magnitude 0.5 to 1.5, either sign.
template <class T>
T input(std::uint64_t which, std::int64_t i) {
  const std::uint64_t bits = mix64(which << 56 ^ static_cast<std::uint64_t>(i));
  const T magnitude = static_cast<T>(0.5) + static_cast<T>(bits >> 41) * static_cast<T>(0x1p-23);
  return (bits & 1) != 0 ? magnitude : -magnitude;
}

template <class T>
void fill_input(T* array, std::uint64_t which, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) array[i] = input<T>(which, i);
}

/// Calls visit(i) for all i below `count`, or for `limit` of them spread over all, the last included.
template <class Visit>
void for_some(std::int64_t count, std::int64_t limit, Visit visit) {
  const std::int64_t step = std::max<std::int64_t>(1, count / limit);
  for (std::int64_t i = 0; i < count - 1; i += step) visit(i);
  visit(count - 1);
}

/// Is `value` off the reference by more than rounding? `scale`: of the numbers that it was computed from; `units`: so
/// many roundings of it.
template <class T>
bool is_off(T value, long double reference, long double scale = 1, long double units = 64) {
  const long double allowed =
      units * static_cast<long double>(std::numeric_limits<T>::epsilon()) * std::max(scale, std::abs(reference));
  // Not a number is off, too.
  return !(std::abs(static_cast<long double>(value) - reference) <= allowed);
}

/// How many elements the references are computed for.
inline constexpr std::int64_t checked_elements = 1 << 18;

template <class T>
std::span<std::byte> bytes_of(T* array, std::int64_t count) {
  return {reinterpret_cast<std::byte*>(array), static_cast<std::size_t>(count) * sizeof(T)};
}

}  // namespace lockstep::real
