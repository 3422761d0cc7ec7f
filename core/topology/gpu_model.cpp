#include "core/topology/gpu_model.hpp"

#include <array>

namespace lockstep {

std::span<const GpuModel> gpu_models() {
  static const std::array<GpuModel, 12> models{{
      {"v100_sxm", "NVIDIA V100 SXM2 or SXM3, NVLink 2", "nvidia", "volta"},
      {"v100_pcie", "NVIDIA V100 PCIe", "nvidia", "volta"},
      {"a100_sxm", "NVIDIA A100 SXM4, 40 or 80 GB, NVLink 3", "nvidia", "ampere"},
      {"a100_pcie", "NVIDIA A100 PCIe", "nvidia", "ampere"},
      {"a40", "NVIDIA A40 PCIe", "nvidia", "ampere"},
      {"h100_sxm", "NVIDIA H100 SXM5, NVLink 4", "nvidia", "hopper"},
      {"h100_pcie", "NVIDIA H100 PCIe", "nvidia", "hopper"},
      {"h200_sxm", "NVIDIA H200 SXM5, NVLink 4", "nvidia", "hopper"},
      {"gh200", "NVIDIA GH200: a Hopper GPU with a Grace CPU", "nvidia", "hopper"},
      {"b200_sxm", "NVIDIA B200 SXM6, NVLink 5", "nvidia", "blackwell"},
      {"gb200", "NVIDIA GB200: Blackwell GPUs with a Grace CPU", "nvidia", "blackwell"},
      {"mi300x", "AMD MI300X, Infinity Fabric", "amd", "cdna3"},
  }};
  return models;
}

}  // namespace lockstep
