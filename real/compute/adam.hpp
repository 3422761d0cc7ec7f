#pragma once

#include <memory>

#include "real/compute/kernel_body.hpp"

namespace lockstep::real {

/// adam and adam_unfused: the same arithmetic in the same order, so the same numbers to the bit.
std::unique_ptr<KernelBody> make_adam(const Kernel& kernel, AlignedBuffer& memory);

}  // namespace lockstep::real
