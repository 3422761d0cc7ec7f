// A kernel of the catalogue (core/compute/kernel.hpp) with its memory, ready to run on this processor.
//
// Contract:
//  - fill() writes the inputs: numbers of magnitude 0.5 to 1.5, the same everywhere, so no zeros and no denormals;
//  - wrong(), after fill() and one run(), holds results against a straightforward reference in higher precision and
//    counts those that are off: all elements of small kernels, some hundred thousands of large ones;
//  - run() allocates nothing and starts no thread; it may be called any number of times.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/compute/kernel.hpp"
#include "real/executor/buffers.hpp"

namespace lockstep::real {

class KernelBody {
 public:
  KernelBody() = default;
  virtual ~KernelBody() = default;
  KernelBody(const KernelBody&) = delete;
  KernelBody& operator=(const KernelBody&) = delete;
  virtual void fill() = 0;
  virtual void run() = 0;
  [[nodiscard]] virtual std::int64_t wrong() const = 0;
  /// The array that the result stands in.
  [[nodiscard]] virtual std::span<std::byte> result() = 0;
};

/// In `memory`, which grows as far as it has to and belongs to this kernel alone until the next is made in it. Throws
/// InputError where this machine has no library for it, RunFailure where it has not the memory.
std::unique_ptr<KernelBody> make_kernel(const Kernel& kernel, AlignedBuffer& memory);

/// The library that products come from, for the record: "OpenBLAS 0.3.21 ... SkylakeX"; empty where there is none.
std::string product_library();

}  // namespace lockstep::real
