#pragma once

#include <memory>

#include "real/compute/kernel_body.hpp"

namespace lockstep::real {

/// softmax and layer_norm.
std::unique_ptr<KernelBody> make_rowwise(const Kernel& kernel, AlignedBuffer& memory);

}  // namespace lockstep::real
