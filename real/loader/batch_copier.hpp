// Copies of batches to a GPU, one at a time, beside whatever the rank does meanwhile.
//
// Made by the module of NCCL (real/transport/module.hpp), which has the CUDA runtime: the program itself starts
// without.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "core/loader/spec.hpp"

namespace lockstep::real {

class BatchCopier {
 public:
  BatchCopier() = default;
  BatchCopier(const BatchCopier&) = delete;
  BatchCopier& operator=(const BatchCopier&) = delete;
  virtual ~BatchCopier() = default;

  /// Begins the copy of a batch; the one before has to be done. Its bytes have to stay until the copy is done.
  virtual void begin(std::span<const std::byte> batch) = 0;
  /// Is the copy that was begun last done? Throws RunFailure where the GPU says that it failed.
  virtual bool done() = 0;
  /// What the GPU holds of it: reads it back, for a check. Needs done().
  virtual void read_back(std::span<std::byte> batch) = 0;
};

/// For batches of at most `most` bytes, on GPU `rank` modulo their number. Throws InputError with the position of the
/// loader where there is no GPU.
std::unique_ptr<BatchCopier> make_batch_copier(const LoaderSpec& spec, std::size_t most, int rank);

}  // namespace lockstep::real
