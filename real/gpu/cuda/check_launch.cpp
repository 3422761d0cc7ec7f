#include "real/gpu/cuda/kernels.hpp"
#include "real/gpu/cuda/runtime.hpp"

namespace lockstep::real::gpu {

// Not in kernels.cu: nvcc's front end does not get through the format library that errors are made with.
void check_launch(const char* kernel) { check(cudaGetLastError(), kernel); }

}  // namespace lockstep::real::gpu
