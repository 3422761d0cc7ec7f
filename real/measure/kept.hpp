// What rank 0 has seen so far, in a file that outlives its process: of a run that fails, rank 0 killed or not, as much
// of the measurement stays as was made.
#pragma once

#include <string>
#include <vector>

#include "core/timeline/timeline.hpp"

namespace lockstep::real {

/// The file, which lies in memory or has a name. The processes that are forked from the one that made it have it too.
class KeptFile {
 public:
  KeptFile();
  /// Opens or makes the file `name`. Throws RunFailure.
  explicit KeptFile(const std::string& name);
  ~KeptFile();
  KeptFile(const KeptFile&) = delete;
  KeptFile& operator=(const KeptFile&) = delete;
  [[nodiscard]] int descriptor() const { return descriptor_; }
  /// All that was written, in order; whole records only, whenever the writer ended.
  [[nodiscard]] std::vector<OperationRecord> records() const;
  /// Takes over all that `other` holds; this one is empty.
  void copy(const KeptFile& other) const;

 private:
  int descriptor_;
};

/// Keeps what it gets and passes it on.
class KeepingRecorder final : public Recorder {
 public:
  /// `file` is empty and outlives this. Throws RunFailure, as operation() does, where the file cannot grow.
  KeepingRecorder(const KeptFile& file, Recorder& next);
  ~KeepingRecorder() override;
  KeepingRecorder(const KeepingRecorder&) = delete;
  KeepingRecorder& operator=(const KeepingRecorder&) = delete;
  void operation(const OperationRecord& record) override;

 private:
  struct Count;
  void next_window();

  int file_;
  Recorder& next_;
  Count* count_;
  std::byte* window_ = nullptr;
  std::uint64_t written_ = 0;
};

}  // namespace lockstep::real
