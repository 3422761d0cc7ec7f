// Readers that wait for every sample: read, mmap, O_DIRECT; and the choice among all.
#include "real/loader/reading.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include "core/base/error.hpp"
#include "real/loader/open_file.hpp"
#include "real/loader/uring_reader.hpp"

namespace lockstep::real {
namespace {

bool in_shards(const LoaderSpec& spec) { return spec.dataset.format != DatasetSpec::Format::files; }

class ReadReader final : public SampleReader {
 public:
  ReadReader(const LoaderSpec& spec, const Dataset& dataset, bool direct)
      : files_(dataset, in_shards(spec), direct ? O_DIRECT : 0),
        direct_(direct),
        buffer_(PageBuffer::up(dataset.largest()) + 2 * PageBuffer::unit) {}

  void ask(std::uint32_t ticket, const StoredSample& sample) override {
    ticket_ = ticket;
    sample_ = &sample;
  }
  Arrived wait() override {
    const int descriptor = files_.open(sample_->file);
    if (descriptor < 0) return {ticket_, {}, trouble_of_errno(errno)};
    const ReadRange range(*sample_, direct_);
    std::int64_t got = 0;
    int error = 0;
    while (got < range.skip + sample_->bytes) {
      const ssize_t more = ::pread(descriptor, buffer_.data() + got, static_cast<std::size_t>(range.length - got),
                                   static_cast<off_t>(range.offset + got));
      if (more < 0 && errno == EINTR) continue;
      if (more < 0) error = errno;
      if (more <= 0) break;
      got += more;
    }
    files_.release(descriptor);
    if (error != 0) return {ticket_, {}, trouble_of_errno(error)};
    if (got < range.skip + sample_->bytes) return {ticket_, {}, trouble_of_short(got)};
    return {ticket_, {buffer_.data() + range.skip, static_cast<std::size_t>(sample_->bytes)}, std::nullopt};
  }
  void done(std::uint32_t) override {}

 private:
  OpenFiles files_;
  bool direct_;
  PageBuffer buffer_;
  std::uint32_t ticket_ = 0;
  const StoredSample* sample_ = nullptr;
};

class MapReader final : public SampleReader {
 public:
  MapReader(const LoaderSpec& spec, const Dataset& dataset)
      : files_(dataset, in_shards(spec), 0), keeps_(in_shards(spec)), maps_(keeps_ ? dataset.files.size() : 1) {}
  ~MapReader() override {
    for (const auto& map : maps_) unmap(map);
  }

  void ask(std::uint32_t ticket, const StoredSample& sample) override {
    ticket_ = ticket;
    sample_ = &sample;
  }
  Arrived wait() override {
    Map& map = maps_[keeps_ ? sample_->file : 0];
    if (map.data == nullptr) {
      const int descriptor = files_.open(sample_->file);
      if (descriptor < 0) return {ticket_, {}, trouble_of_errno(errno)};
      struct stat status {};
      const bool regular = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
      map.bytes = regular ? status.st_size : 0;
      void* data = map.bytes > 0
                       ? ::mmap(nullptr, static_cast<std::size_t>(map.bytes), PROT_READ, MAP_SHARED, descriptor, 0)
                       : nullptr;
      files_.release(descriptor);
      if (!regular || data == MAP_FAILED) return {ticket_, {}, Trouble::unreadable};
      if (data == nullptr) return {ticket_, {}, Trouble::empty};
      map.data = static_cast<const std::byte*>(data);
    }
    // Beyond the end of a file that was cut short there is no page to touch.
    if (sample_->offset + sample_->bytes > map.bytes) {
      done(ticket_);
      return {ticket_, {}, Trouble::truncated};
    }
    const std::span<const std::byte> data(map.data + sample_->offset, static_cast<std::size_t>(sample_->bytes));
    // The faults are part of reading, not of what comes after it.
    [[maybe_unused]] volatile std::byte touched{};
    for (std::size_t at = 0; at < data.size(); at += 4096) touched = data[at];
    touched = data.back();
    return {ticket_, data, std::nullopt};
  }
  void done(std::uint32_t) override {
    if (!keeps_) unmap(std::exchange(maps_[0], Map{}));
  }

 private:
  struct Map {
    const std::byte* data = nullptr;
    std::int64_t bytes = 0;
  };
  static void unmap(const Map& map) {
    if (map.data != nullptr)
      ::munmap(const_cast<std::byte*>(map.data), static_cast<std::size_t>(map.bytes));  // NOLINT: munmap's signature
  }
  OpenFiles files_;
  bool keeps_;
  std::vector<Map> maps_;  // of shards; or of the one file that is read
  std::uint32_t ticket_ = 0;
  const StoredSample* sample_ = nullptr;
};

}  // namespace

std::unique_ptr<SampleReader> open_reader(const LoaderSpec& spec, const Dataset& dataset) {
  switch (spec.readers.access) {
    case Access::read:
      return std::make_unique<ReadReader>(spec, dataset, false);
    case Access::direct:
      return std::make_unique<ReadReader>(spec, dataset, true);
    case Access::mmap:
      return std::make_unique<MapReader>(spec, dataset);
    case Access::io_uring:
      return open_uring_reader(spec, dataset);
  }
  throw RunFailure("an unknown way to read");
}

}  // namespace lockstep::real
