// GPUs as NVIDIA's management library tells of them. The library is opened at run time (libnvidia-ml.so.1): without it
// there is nothing to tell. Only the few functions used here are declared, as the NVML reference describes them.
#pragma once

#include <string>
#include <vector>

#include "real/discover/machine.hpp"

namespace lockstep::real {

struct NvmlGpu {
  std::string address;  ///< "0000:81:00.0", as Linux writes it
  std::string name;     ///< "NVIDIA H100 80GB HBM3"
};

struct NvmlReading {
  std::vector<NvmlGpu> gpus;
  std::vector<NvlinkReading> nvlinks;
};

/// Empty where the library is not there or finds no GPU. `library` is for tests.
NvmlReading read_nvml(const char* library = "libnvidia-ml.so.1");

/// The name in gpu_models() of what NVML calls a GPU; empty: none.
std::string gpu_model_of(const std::string& nvml_name);

}  // namespace lockstep::real
