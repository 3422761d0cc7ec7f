// Objects that this process and its children see alike: made before they are forked, in memory that they share.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <type_traits>

#include "core/base/error.hpp"

namespace lockstep::real {

/// `Value` holds no pointers, and its members bear that several processes use them (atomics).
template <class Value>
class SharedMemory {
  static_assert(std::is_trivially_destructible_v<Value>);

 public:
  explicit SharedMemory(std::size_t count = 1) : bytes_(std::max<std::size_t>(1, count) * sizeof(Value)) {
    void* memory = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw RunFailure("no memory to share between the processes of a run");
    values_ = static_cast<Value*>(memory);
    std::uninitialized_default_construct_n(values_, count);
  }
  ~SharedMemory() { ::munmap(values_, bytes_); }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  Value* operator->() const { return values_; }
  Value& operator*() const { return *values_; }
  Value& operator[](std::size_t i) const { return values_[i]; }

 private:
  std::size_t bytes_;
  Value* values_ = nullptr;
};

}  // namespace lockstep::real
