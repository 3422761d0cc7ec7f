// real/loader/batch_copier.hpp over the CUDA runtime.
#pragma once

#include <memory>

#include "real/loader/batch_copier.hpp"

namespace lockstep::real {

std::unique_ptr<BatchCopier> make_cuda_copier(bool pinned, std::size_t most, int rank);

}  // namespace lockstep::real
