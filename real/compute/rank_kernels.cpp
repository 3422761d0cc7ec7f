#include "real/compute/rank_kernels.hpp"

namespace lockstep::real {

std::int64_t RankKernels::prepare(const std::string& kernel) {
  if (kernel == ready_) return 0;
  ready_.clear();
  body_ = make_kernel(parse_kernel(kernel), memory_);
  body_->fill();
  body_->run();
  const std::int64_t wrong = body_->wrong();
  ready_ = kernel;
  return wrong;
}

void RankKernels::run(const std::string& kernel) {
  if (kernel != ready_) prepare(kernel);
  body_->run();
}

}  // namespace lockstep::real
