#pragma once

#include <memory>

#include "real/compute/kernel_body.hpp"

namespace lockstep::real {

/// copy, scale, add and gelu.
std::unique_ptr<KernelBody> make_elementwise(const Kernel& kernel, AlignedBuffer& memory);

}  // namespace lockstep::real
