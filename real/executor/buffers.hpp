// Memory of one rank's buffers, aligned for vector instructions, and the scratch that combining receives need.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "core/base/error.hpp"
#include "core/plan/plan.hpp"

namespace lockstep::real {

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t bytes) { grow(bytes); }
  /// Contents are lost when it grows.
  void grow(std::size_t bytes) {
    if (bytes <= size_) return;
    memory_.reset(static_cast<std::byte*>(::operator new[](bytes, alignment)));
    size_ = bytes;
  }
  [[nodiscard]] std::span<std::byte> bytes() const { return {memory_.get(), size_}; }

 private:
  static constexpr std::align_val_t alignment{64};
  struct Free {
    void operator()(std::byte* memory) const { ::operator delete[](memory, alignment); }
  };
  std::unique_ptr<std::byte[], Free> memory_;
  std::size_t size_ = 0;
};

class Buffers {
 public:
  explicit Buffers(const Role& role) {
    for (const auto& buffer : role.buffers) buffers_.emplace_back(static_cast<std::size_t>(buffer.bytes.count()));
  }
  [[nodiscard]] std::span<std::byte> span(BufferId buffer, std::int64_t offset, std::int64_t bytes) const {
    const auto all = buffers_[buffer].bytes();
    LOCKSTEP_CHECK(offset >= 0 && offset + bytes <= static_cast<std::int64_t>(all.size()),
                   "bytes {}..{} of a buffer of {}", offset, offset + bytes, all.size());
    return all.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(bytes));
  }

 private:
  std::vector<AlignedBuffer> buffers_;
};

}  // namespace lockstep::real
