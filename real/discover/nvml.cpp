#include "real/discover/nvml.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "real/library/shared_library.hpp"

namespace lockstep::real {
namespace {

// Shapes and numbers of the NVML reference (NVIDIA, vR535): nvmlReturn_t 0 is success.
using Device = void*;
struct PciInfo {
  char bus_id_legacy[16];
  unsigned domain, bus, device;
  unsigned device_id, subsystem_id;
  char bus_id[32];
};
constexpr unsigned most_nvlinks = 18;
constexpr int remote_switch = 2;  // NVML_NVLINK_DEVICE_TYPE_SWITCH

std::string linux_address(const PciInfo& pci) {
  return fmt::format("{:04x}:{:02x}:{:02x}.0", pci.domain, pci.bus, pci.device);
}

/// One direction of a link, GB/s: NVLink 1 20; 2, 3 and 4 25; 5 50 (NVIDIA's data sheets, per GPU, over its links).
double link_rate(unsigned version) {
  if (version <= 1) return 20;
  return version >= 5 ? 50 : 25;
}

}  // namespace

std::string gpu_model_of(const std::string& nvml_name) {
  const auto has = [&](const char* part) { return nvml_name.find(part) != std::string::npos; };
  if (has("GH200")) return "gh200";
  if (has("GB200")) return "gb200";
  if (has("H200")) return has("NVL") ? "" : "h200_sxm";
  if (has("B200")) return "b200_sxm";
  if (has("H100")) return has("PCIe") ? "h100_pcie" : has("NVL") ? "" : "h100_sxm";
  if (has("A100")) return has("PCIe") || has("PCIE") ? "a100_pcie" : "a100_sxm";
  if (has("V100")) return has("SXM") ? "v100_sxm" : "v100_pcie";
  if (has("A40") && !has("A4000") && !has("A400 ")) return "a40";
  return "";
}

NvmlReading read_nvml(const char* library) {
  NvmlReading reading;
  const SharedLibrary nvml({library});
  const auto init = nvml.find<int()>("nvmlInit_v2");
  const auto shutdown = nvml.find<int()>("nvmlShutdown");
  const auto count = nvml.find<int(unsigned*)>("nvmlDeviceGetCount_v2");
  const auto by_index = nvml.find<int(unsigned, Device*)>("nvmlDeviceGetHandleByIndex_v2");
  const auto get_name = nvml.find<int(Device, char*, unsigned)>("nvmlDeviceGetName");
  const auto get_pci = nvml.find<int(Device, PciInfo*)>("nvmlDeviceGetPciInfo_v3");
  if (init == nullptr || shutdown == nullptr || count == nullptr || by_index == nullptr || get_name == nullptr ||
      get_pci == nullptr || init() != 0)
    return reading;
  const auto link_state = nvml.find<int(Device, unsigned, int*)>("nvmlDeviceGetNvLinkState");
  const auto link_version = nvml.find<int(Device, unsigned, unsigned*)>("nvmlDeviceGetNvLinkVersion");
  const auto link_type = nvml.find<int(Device, unsigned, int*)>("nvmlDeviceGetNvLinkRemoteDeviceType");
  const auto link_pci = nvml.find<int(Device, unsigned, PciInfo*)>("nvmlDeviceGetNvLinkRemotePciInfo_v2");
  unsigned gpus = 0;
  if (count(&gpus) != 0) gpus = 0;
  for (unsigned i = 0; i < gpus; ++i) {
    Device device = nullptr;
    PciInfo pci{};
    std::array<char, 97> name{};
    if (by_index(i, &device) != 0 || get_pci(device, &pci) != 0 || get_name(device, name.data(), 96) != 0) continue;
    reading.gpus.push_back({linux_address(pci), name.data()});
    if (link_state == nullptr || link_version == nullptr || link_pci == nullptr) continue;
    std::map<std::string, NvlinkReading> to;  // by peer
    for (unsigned link = 0; link < most_nvlinks; ++link) {
      int active = 0;
      unsigned version = 0;
      int type = 0;
      PciInfo peer{};
      if (link_state(device, link, &active) != 0 || active == 0 || link_version(device, link, &version) != 0) continue;
      const bool of_switch = link_type != nullptr && link_type(device, link, &type) == 0 && type == remote_switch;
      if (!of_switch && link_pci(device, link, &peer) != 0) continue;
      const std::string other = of_switch ? std::string() : linux_address(peer);
      NvlinkReading& row = to[other];
      row.gpu = reading.gpus.back().address;
      row.peer = other;
      row.GB_per_s_each = link_rate(version);
      ++row.links;
    }
    for (auto& [peer, row] : to) reading.nvlinks.push_back(std::move(row));
  }
  shutdown();
  return reading;
}

}  // namespace lockstep::real
