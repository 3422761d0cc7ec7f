// Ways to read samples: read, mmap, O_DIRECT, io_uring. One reader belongs to one worker.
//
// Contract:
//  - ask() at most depth() samples at a time; wait() gives them back, in any order; the data live until done();
//  - what is wrong with a file is a Trouble, not an exception: missing, unreadable, empty, truncated. Whether the bytes
//  are
//    the right ones is the caller's to check;
//  - files of one sample are opened for it and closed; shards stay open.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "core/loader/spec.hpp"
#include "real/loader/dataset.hpp"

namespace lockstep::real {

class SampleReader {
 public:
  struct Arrived {
    std::uint32_t ticket = 0;
    std::span<const std::byte> data;  ///< empty with a trouble
    std::optional<Trouble> trouble;
  };

  SampleReader() = default;
  SampleReader(const SampleReader&) = delete;
  SampleReader& operator=(const SampleReader&) = delete;
  virtual ~SampleReader() = default;

  [[nodiscard]] virtual int depth() const { return 1; }
  virtual void ask(std::uint32_t ticket, const StoredSample& sample) = 0;
  virtual Arrived wait() = 0;
  virtual void done(std::uint32_t ticket) = 0;
};

/// A reader of local files as the section says; `io_uring` throws RunFailure where the kernel refuses it.
std::unique_ptr<SampleReader> open_reader(const LoaderSpec& spec, const Dataset& dataset);

}  // namespace lockstep::real
