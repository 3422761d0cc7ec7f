#include "real/loader/shared.hpp"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <memory>
#include <new>
#include <system_error>

#include "core/base/error.hpp"

namespace lockstep::real {
namespace {

/// The next `count` objects of a mapping, each constructed; lines of the cache are not shared.
template <class T>
T* place(std::byte*& at, std::int64_t count) {
  auto* first = reinterpret_cast<T*>(at);
  for (std::int64_t i = 0; i < count; ++i) std::construct_at(first + i);
  at += (static_cast<std::size_t>(count) * sizeof(T) + 63) / 64 * 64;
  return first;
}

}  // namespace

SharedBatches::SharedBatches(const LoaderSpec& spec, std::int64_t bytes_per_sample, int workers)
    : slots_(std::int64_t{spec.readers.workers} * spec.readers.prefetch + (spec.copies_to_device() ? 2 : 0)),
      batch_(spec.batch.size),
      sample_bytes_((bytes_per_sample + 63) / 64 * 64) {
  const std::int64_t data = slots_ * batch_ * sample_bytes_;
  bytes_ = static_cast<std::size_t>(data + slots_ * batch_ * 8 + slots_ * std::int64_t{sizeof(BatchSlot)} +
                                    workers * std::int64_t{sizeof(WorkerRecord)} + std::int64_t{sizeof(LoaderControl)} +
                                    1024);
  // Filled now, so that no first batch pays for it; a mapping too large for the memory there is fails here.
  map_ = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (map_ == MAP_FAILED)
    throw RunFailure(fmt::format("{} B for {} batches of {} samples: {}", bytes_, slots_, batch_,
                                 std::generic_category().message(errno)));
  auto* at = static_cast<std::byte*>(map_);
  control_ = place<LoaderControl>(at, 1);
  workers_ = place<WorkerRecord>(at, workers);
  slot_ = place<BatchSlot>(at, slots_);
  indices_ = place<std::int64_t>(at, slots_ * batch_);
  data_ = at;
  for (std::int64_t i = 0; i < slots_; ++i) slot_[i].turn = -1;  // not yet filled in
}

SharedBatches::~SharedBatches() { ::munmap(map_, bytes_); }

}  // namespace lockstep::real
