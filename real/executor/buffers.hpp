// Memory of one rank's buffers, aligned for vector instructions, and the scratch that combining receives need: the
// host's, or that of the transport's device.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "core/base/error.hpp"
#include "core/plan/plan.hpp"
#include "real/transport/device.hpp"

namespace lockstep::real {

/// Aligned for vector instructions; a large one is aligned for huge pages and asks for them, because the translations
/// of 4 KiB pages cost the copies to and from sockets a tenth of their speed (bench/tcp_throughput).
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t bytes, Device* device = nullptr) { grow(bytes, device); }
  /// Contents are lost when it grows. `device`: whose memory it is, the same in all calls; null: the host's.
  void grow(std::size_t bytes, Device* device = nullptr) {
    if (bytes <= size_) return;
    if (device != nullptr) {
      const auto memory = device->allocate(bytes);
      memory_ = Memory(memory.data(), Free{std::align_val_t{0}});
      size_ = bytes;
      return;
    }
    const std::align_val_t alignment{bytes >= 2 * huge_page ? huge_page : vector_size};
    memory_ = Memory(static_cast<std::byte*>(::operator new[](bytes, alignment)), Free{alignment});
    size_ = bytes;
    // Only an advice: without huge pages in the kernel all works as before.
    if (bytes >= 2 * huge_page) ::madvise(memory_.get(), bytes / huge_page * huge_page, MADV_HUGEPAGE);
  }
  [[nodiscard]] std::span<std::byte> bytes() const { return {memory_.get(), size_}; }

 private:
  static constexpr std::size_t vector_size = 64, huge_page = 2u << 20;
  struct Free {
    std::align_val_t alignment;  // that of the allocation; 0: a device's, which frees it itself
    void operator()(std::byte* memory) const {
      if (alignment != std::align_val_t{0}) ::operator delete[](memory, alignment);
    }
  };
  using Memory = std::unique_ptr<std::byte[], Free>;
  Memory memory_{nullptr, Free{std::align_val_t{vector_size}}};
  std::size_t size_ = 0;
};

class Buffers {
 public:
  /// Memory of this machine that nobody has written yet is one page of zeros, which costs nothing to read: all of it is
  /// written here.
  Buffers(const Role& role, Device* device) {
    for (const auto& buffer : role.buffers) {
      buffers_.emplace_back(static_cast<std::size_t>(buffer.bytes.count()), device);
      const auto bytes = buffers_.back().bytes();
      if (device == nullptr && !bytes.empty()) std::memset(bytes.data(), 1, bytes.size());
    }
  }
  [[nodiscard]] BufferId count() const { return static_cast<BufferId>(buffers_.size()); }
  [[nodiscard]] std::span<std::byte> whole(BufferId buffer) const { return buffers_[buffer].bytes(); }
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
