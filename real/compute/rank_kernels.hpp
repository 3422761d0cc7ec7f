// The kernels of one rank, as its executor runs them: one at a time is ready.
#pragma once

#include <memory>
#include <string>

#include "real/compute/kernel_body.hpp"

namespace lockstep::real {

class RankKernels {
 public:
  /// Fills its memory, runs it once and checks the result: returns the elements that are wrong. Nothing where it is
  /// ready already. Throws as parse_kernel and make_kernel do.
  std::int64_t prepare(const std::string& kernel);
  /// Runs it; one that is not ready is made ready first, which takes longer than running it.
  void run(const std::string& kernel);

 private:
  AlignedBuffer memory_;
  std::string ready_;
  std::unique_ptr<KernelBody> body_;
};

}  // namespace lockstep::real
