// The elements of `kernels:` in a workload.
#pragma once

#include "core/config/type.hpp"
#include "core/workload/workload.hpp"

namespace lockstep {

config::Type<KernelSpec> kernel_spec_type();

}  // namespace lockstep
