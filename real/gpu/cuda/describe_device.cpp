// Which device this is, and with what software.
#include "real/gpu/cuda/cublas_lt.hpp"
#include "real/gpu/cuda/measure.hpp"
#include "real/gpu/cuda/nccl_library.hpp"
#include "real/gpu/cuda/runtime.hpp"

namespace lockstep::real::gpu {
namespace {

std::string version_text(int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }

int attribute(cudaDeviceAttr which) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, which, 0), "cudaDeviceGetAttribute");
  return value;
}

}  // namespace

int count_devices(std::string& why) {
  int devices = 0;
  const cudaError_t status = cudaGetDeviceCount(&devices);
  if (status != cudaSuccess) {
    why = cudaGetErrorString(status);
    return 0;
  }
  if (devices == 0) why = "no CUDA device is visible";
  return devices;
}

SectionResult describe_device(const MeasureSettings&) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
  int driver = 0;
  int runtime = 0;
  check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
  check(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion");
  std::size_t free = 0;
  std::size_t total = 0;
  check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  SectionResult result;
  result.values = {
      {"name", properties.name},
      {"compute_capability", fmt::format("{}.{}", properties.major, properties.minor)},
      {"multiprocessors", properties.multiProcessorCount},
      {"memory_bytes", total},
      // Of a fresh process: what its context, and any other process, takes.
      {"memory_taken_bytes", total - free},
      {"l2_bytes", properties.l2CacheSize},
      {"clock_MHz", attribute(cudaDevAttrClockRate) / 1000},
      {"memory_clock_MHz", attribute(cudaDevAttrMemoryClockRate) / 1000},
      {"memory_bus_bits", properties.memoryBusWidth},
      {"copy_engines", properties.asyncEngineCount},
      {"pci",
       fmt::format("{:04x}:{:02x}:{:02x}.0", properties.pciDomainID, properties.pciBusID, properties.pciDeviceID)},
      {"driver_supports_cuda", version_text(driver)},
      {"cuda_runtime", version_text(runtime)},
  };
  std::string missing;
  const auto products = open_cublas_lt(missing);
  result.values["cublas_lt"] = products ? nlohmann::ordered_json(products->version()) : nlohmann::ordered_json();
  result.findings.push_back({"cuBLASLt", products.has_value(), products ? products->name() : missing});
  missing.clear();
  const auto nccl = open_nccl(missing);
  result.values["nccl"] = nccl ? nlohmann::ordered_json(nccl->version_text()) : nlohmann::ordered_json();
  result.findings.push_back({"NCCL", nccl.has_value(), nccl ? nccl->library.name() : missing});
  return result;
}

}  // namespace lockstep::real::gpu
