#include "real/measure/kept.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <type_traits>

#include "core/base/error.hpp"

namespace lockstep::real {
namespace {

// Both are whole pages, of 64 KiB at most.
constexpr std::size_t head = 65536;
constexpr std::size_t window_records = 8192;
constexpr std::size_t window_bytes = window_records * sizeof(OperationRecord);
static_assert(std::is_trivially_copyable_v<OperationRecord> && window_bytes % head == 0);

[[noreturn]] void refuse(const char* what, int error) {
  throw RunFailure(fmt::format("cannot {} what rank 0 measures: {}", what, std::generic_category().message(error)));
}

// The file grows before it is written to, so that a full disk is an error here and not a signal there.
std::byte* map_grown(int file, std::size_t offset, std::size_t bytes) {
  if (const int error = ::posix_fallocate(file, static_cast<off_t>(offset), static_cast<off_t>(bytes)); error != 0)
    refuse("keep", error);
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, static_cast<off_t>(offset));
  if (memory == MAP_FAILED) refuse("keep", errno);
  return static_cast<std::byte*>(memory);
}

}  // namespace

/// How many records there are; at the head of the file.
struct KeepingRecorder::Count {
  std::atomic<std::uint64_t> records;
};

KeptFile::KeptFile() : descriptor_(::memfd_create("lockstep-kept", MFD_CLOEXEC)) {
  if (descriptor_ < 0) refuse("keep", errno);
}

KeptFile::KeptFile(const std::string& name) : descriptor_(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
  if (descriptor_ < 0) refuse("keep", errno);
}

KeptFile::~KeptFile() { ::close(descriptor_); }

std::vector<OperationRecord> KeptFile::records() const {
  std::uint64_t count = 0;
  if (::pread(descriptor_, &count, sizeof count, 0) != static_cast<ssize_t>(sizeof count)) return {};
  std::vector<OperationRecord> records(count);
  auto* at = reinterpret_cast<char*>(records.data());
  for (std::size_t left = count * sizeof(OperationRecord), offset = head; left > 0;) {
    const ssize_t got = ::pread(descriptor_, at, left, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) refuse("read", got < 0 ? errno : EIO);
    at += got;
    offset += static_cast<std::size_t>(got);
    left -= static_cast<std::size_t>(got);
  }
  return records;
}

void KeptFile::copy(const KeptFile& other) const {
  off_t from = 0;
  while (::sendfile(descriptor_, other.descriptor_, &from, window_bytes) > 0) {
  }
}

KeepingRecorder::KeepingRecorder(const KeptFile& file, Recorder& next)
    : file_(file.descriptor()), next_(next), count_(reinterpret_cast<Count*>(map_grown(file_, 0, head))) {}

KeepingRecorder::~KeepingRecorder() {
  if (window_ != nullptr) ::munmap(window_, window_bytes);
  ::munmap(count_, head);
}

void KeepingRecorder::next_window() {
  std::byte* fresh = map_grown(file_, head + written_ * sizeof(OperationRecord), window_bytes);
  if (window_ != nullptr) ::munmap(window_, window_bytes);
  window_ = fresh;
}

void KeepingRecorder::operation(const OperationRecord& record) {
  if (written_ % window_records == 0) next_window();
  std::memcpy(window_ + written_ % window_records * sizeof record, &record, sizeof record);
  count_->records.store(++written_, std::memory_order_release);
  next_.operation(record);
}

}  // namespace lockstep::real
