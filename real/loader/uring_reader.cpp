#include "real/loader/uring_reader.hpp"

#include <liburing.h>

#include <system_error>
#include <vector>

#include "core/base/error.hpp"
#include "real/loader/open_file.hpp"

namespace lockstep::real {
namespace {

class UringReader final : public SampleReader {
 public:
  UringReader(const LoaderSpec& spec, const Dataset& dataset)
      : depth_(spec.readers.depth),
        direct_(spec.readers.direct),
        files_(dataset, spec.dataset.format != DatasetSpec::Format::files, direct_ ? O_DIRECT : 0) {
    const int failed = io_uring_queue_init(static_cast<unsigned>(depth_), &ring_, 0);
    if (failed < 0)
      throw RunFailure(fmt::format("io_uring: {} (it may be disabled: sysctl kernel.io_uring_disabled, containers)",
                                   std::generic_category().message(-failed)));
    const std::int64_t bytes = PageBuffer::up(dataset.largest()) + 2 * PageBuffer::unit;
    for (int i = 0; i < depth_; ++i) {
      reads_.push_back(Read{PageBuffer(bytes)});
      free_.push_back(static_cast<std::uint32_t>(i));
    }
  }
  ~UringReader() override {
    // The kernel may still write into buffers: wait for what is under way.
    while (submitted_ > 0) {
      io_uring_cqe* completed = nullptr;
      if (io_uring_wait_cqe(&ring_, &completed) < 0) break;
      io_uring_cqe_seen(&ring_, completed);
      --submitted_;
    }
    io_uring_queue_exit(&ring_);
  }

  [[nodiscard]] int depth() const override { return depth_; }

  void ask(std::uint32_t ticket, const StoredSample& sample) override {
    LOCKSTEP_CHECK(!free_.empty(), "more than {} reads in flight", depth_);
    const std::uint32_t at = free_.back();
    free_.pop_back();
    Read& read = reads_[at];
    read.ticket = ticket;
    read.sample = &sample;
    read.got = 0;
    read.descriptor = files_.open(sample.file);
    if (read.descriptor < 0) {
      failed_.push_back({at, trouble_of_errno(errno)});
      return;
    }
    prepare(at);
    to_submit_ = true;
  }

  Arrived wait() override {
    if (!failed_.empty()) {
      const auto [at, trouble] = failed_.back();
      failed_.pop_back();
      return {reads_[at].ticket, {}, trouble};
    }
    for (;;) {
      // What was asked for since the last wait goes to the kernel in one call.
      if (to_submit_) io_uring_submit(&ring_);
      to_submit_ = false;
      io_uring_cqe* completed = nullptr;
      const int failed = io_uring_wait_cqe(&ring_, &completed);
      if (failed == -EINTR) continue;
      if (failed < 0) throw RunFailure(fmt::format("io_uring: {}", std::generic_category().message(-failed)));
      const auto at = static_cast<std::uint32_t>(io_uring_cqe_get_data64(completed));
      const int result = completed->res;
      io_uring_cqe_seen(&ring_, completed);
      --submitted_;
      Read& read = reads_[at];
      const ReadRange range(*read.sample, direct_);
      if (result == -EINTR || result == -EAGAIN) {
        prepare(at);
        to_submit_ = true;
        continue;
      }
      if (result > 0) read.got += result;
      if (result > 0 && read.got < range.skip + read.sample->bytes) {
        prepare(at);  // a short read: the rest
        to_submit_ = true;
        continue;
      }
      files_.release(std::exchange(read.descriptor, -1));
      if (result < 0) return {read.ticket, {}, trouble_of_errno(-result)};
      if (read.got < range.skip + read.sample->bytes) return {read.ticket, {}, trouble_of_short(read.got)};
      return {
          read.ticket, {read.buffer.data() + range.skip, static_cast<std::size_t>(read.sample->bytes)}, std::nullopt};
    }
  }

  void done(std::uint32_t ticket) override {
    for (std::uint32_t at = 0; at < reads_.size(); ++at)
      if (reads_[at].sample != nullptr && reads_[at].ticket == ticket) {
        reads_[at].sample = nullptr;
        free_.push_back(at);
        return;
      }
  }

 private:
  struct Read {
    PageBuffer buffer;
    std::uint32_t ticket = 0;
    const StoredSample* sample = nullptr;
    int descriptor = -1;
    std::int64_t got = 0;
  };

  void prepare(std::uint32_t at) {
    Read& read = reads_[at];
    const ReadRange range(*read.sample, direct_);
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    LOCKSTEP_CHECK(entry != nullptr, "io_uring: no entry for {} reads", depth_);
    io_uring_prep_read(entry, read.descriptor, read.buffer.data() + read.got,
                       static_cast<unsigned>(range.length - read.got),
                       static_cast<std::uint64_t>(range.offset + read.got));
    io_uring_sqe_set_data64(entry, at);
    ++submitted_;
  }

  int depth_;
  bool direct_;
  OpenFiles files_;
  io_uring ring_{};
  std::vector<Read> reads_;
  std::vector<std::uint32_t> free_;
  std::vector<std::pair<std::uint32_t, Trouble>> failed_;  // could not even be opened
  int submitted_ = 0;
  bool to_submit_ = false;
};

}  // namespace

std::unique_ptr<SampleReader> open_uring_reader(const LoaderSpec& spec, const Dataset& dataset) {
  return std::make_unique<UringReader>(spec, dataset);
}

}  // namespace lockstep::real
