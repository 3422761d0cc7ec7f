#pragma once

#include <memory>

#include "real/compute/kernel_body.hpp"

namespace lockstep::real {

/// matmul, by OpenBLAS. Throws InputError where it is missing.
std::unique_ptr<KernelBody> make_matmul(const Kernel& kernel, AlignedBuffer& memory);

}  // namespace lockstep::real
