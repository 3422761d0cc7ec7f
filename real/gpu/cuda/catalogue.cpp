#include <array>

#include "real/gpu/cuda/measure.hpp"

namespace lockstep::real::gpu {

std::span<const Section> section_catalogue() {
  static const std::array<Section, 9> catalogue{{
      {"device", "which GPU, with what software", describe_device},
      {"checks", "our kernels against the host's results", check_kernels},
      {"launches", "what it costs to start work", measure_launches},
      {"copies", "between host and device, and within the device", measure_copies},
      {"allocations", "device memory, pinned memory, registration", measure_allocations},
      {"kernels", "our memory-bound kernels, as a share of the device's own copy", measure_kernels},
      {"products", "matrix products by shape and type (cuBLASLt)", measure_products},
      {"overlap", "what products and copies cost each other when they run at once", measure_overlap},
      {"nccl", "collectives among several ranks on this GPU", measure_nccl},
  }};
  return catalogue;
}

}  // namespace lockstep::real::gpu
