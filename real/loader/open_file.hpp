// Descriptors of a dataset's files, and what their errors mean.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>
#include <vector>

#include "core/loader/spec.hpp"
#include "real/loader/dataset.hpp"

namespace lockstep::real {

inline Trouble trouble_of_errno(int error) { return error == ENOENT ? Trouble::missing : Trouble::unreadable; }
inline Trouble trouble_of_short(std::int64_t got) { return got == 0 ? Trouble::empty : Trouble::truncated; }

/// Opens files of one sample anew each time, and keeps shards open.
class OpenFiles {
 public:
  OpenFiles(const Dataset& dataset, bool shards, int flags)
      : dataset_(dataset), flags_(flags | O_RDONLY | O_CLOEXEC), kept_(shards ? dataset.files.size() : 0, -1) {}
  OpenFiles(const OpenFiles&) = delete;
  OpenFiles& operator=(const OpenFiles&) = delete;
  ~OpenFiles() {
    for (const int descriptor : kept_)
      if (descriptor >= 0) ::close(descriptor);
  }
  /// -1 with errno where it cannot be opened.
  int open(std::uint32_t file) {
    if (kept_.empty()) return ::open(dataset_.path_of(file).c_str(), flags_);
    int& descriptor = kept_[file];
    if (descriptor < 0) descriptor = ::open(dataset_.path_of(file).c_str(), flags_);
    return descriptor;
  }
  void release(int descriptor) const {
    if (kept_.empty() && descriptor >= 0) ::close(descriptor);
  }

 private:
  const Dataset& dataset_;
  int flags_;
  std::vector<int> kept_;
};

/// A buffer whose address and size suit O_DIRECT.
class PageBuffer {
 public:
  static constexpr std::int64_t unit = 4096;
  static std::int64_t down(std::int64_t offset) { return offset & ~(unit - 1); }
  static std::int64_t up(std::int64_t offset) { return down(offset + unit - 1); }

  explicit PageBuffer(std::int64_t bytes)
      : data_(static_cast<std::byte*>(::operator new(static_cast<std::size_t>(bytes), std::align_val_t(unit)))) {}
  PageBuffer(PageBuffer&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
  PageBuffer& operator=(PageBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    return *this;
  }
  PageBuffer(const PageBuffer&) = delete;
  PageBuffer& operator=(const PageBuffer&) = delete;
  ~PageBuffer() {
    if (data_ != nullptr) ::operator delete(data_, std::align_val_t(unit));
  }
  [[nodiscard]] std::byte* data() const { return data_; }

 private:
  std::byte* data_;
};

/// The range of a file that holds a sample: the sample itself, or the aligned range around it.
struct ReadRange {
  std::int64_t offset = 0, length = 0, skip = 0;
  ReadRange(const StoredSample& sample, bool aligned)
      : offset(aligned ? PageBuffer::down(sample.offset) : sample.offset),
        length(aligned ? PageBuffer::up(sample.offset + sample.bytes) - offset : sample.bytes),
        skip(sample.offset - offset) {}
};

}  // namespace lockstep::real
