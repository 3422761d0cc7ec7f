// The GPUs that node templates and files name. A performance model finds the generation of a device here:
// `find_in(gpu_models(), topology.devices[device].model)`.
#pragma once

#include <span>
#include <string>

namespace lockstep {

struct GpuModel {
  std::string name;         ///< as files say it: "h100_sxm"
  std::string description;  ///< one line
  std::string vendor;       ///< "nvidia" or "amd"
  std::string generation;   ///< "volta", "ampere", "hopper", "blackwell", "cdna3"
};

std::span<const GpuModel> gpu_models();

}  // namespace lockstep
