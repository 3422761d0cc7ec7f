#include <fmt/format.h>
#include <hwloc.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <memory>

#include "core/base/error.hpp"
#include "real/discover/machine.hpp"
#include "real/discover/nvml.hpp"

namespace lockstep::real {
namespace {

// Classes of PCI devices (PCI Code and ID Assignment Specification): the upper byte, and the whole of it.
constexpr unsigned network_class = 0x02;
constexpr unsigned display_class = 0x03;
constexpr unsigned accelerator_class = 0x12;
constexpr unsigned nvidia = 0x10de;
constexpr unsigned amd = 0x1002;

std::string text_of(hwloc_obj_t object, const char* key) {
  const char* value = hwloc_obj_get_info_by_name(object, key);
  return value == nullptr ? "" : value;
}

std::string address_of(const hwloc_obj_attr_u::hwloc_pcidev_attr_s& pci) {
  return fmt::format("{:04x}:{:02x}:{:02x}.{:x}", pci.domain, pci.bus, pci.dev, pci.func);
}

/// "mlx5_0" before "ib0" and "eth0"; with the rate of the port where Linux says it.
std::string nic_label(hwloc_obj_t device) {
  std::string label;
  for (hwloc_obj_t child = device->io_first_child; child != nullptr; child = child->next_sibling) {
    if (child->type != HWLOC_OBJ_OS_DEVICE || child->name == nullptr) continue;
    const auto type = child->attr->osdev.type;
    if (type == HWLOC_OBJ_OSDEV_NETWORK) {
      long speed = 0;  // Mbit/s; -1 or nothing where there is no cable
      std::ifstream(fmt::format("/sys/class/net/{}/speed", child->name)) >> speed;
      label += (label.empty() ? "" : ", ") + std::string(child->name);
      if (speed > 0) label += fmt::format(" ({} Mbit/s)", speed);
    } else if (type == HWLOC_OBJ_OSDEV_OPENFABRICS) {
      label = child->name + (label.empty() ? "" : ", " + label);
    }
  }
  return label;
}

std::size_t socket_of(hwloc_topology_t topology, hwloc_obj_t device) {
  const hwloc_obj_t near = hwloc_get_non_io_ancestor_obj(topology, device);
  const int packages = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PACKAGE);
  for (int i = 0; near != nullptr && i < packages; ++i) {
    const hwloc_obj_t package = hwloc_get_obj_by_type(topology, HWLOC_OBJ_PACKAGE, static_cast<unsigned>(i));
    if (hwloc_bitmap_intersects(package->cpuset, near->cpuset) != 0) return static_cast<std::size_t>(i);
  }
  return 0;
}

}  // namespace

MachineReading read_machine() {
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) throw RunFailure("hwloc cannot be started");
  const std::unique_ptr<hwloc_topology, decltype(&hwloc_topology_destroy)> topology(raw, hwloc_topology_destroy);
  hwloc_topology_set_io_types_filter(raw, HWLOC_TYPE_FILTER_KEEP_ALL);
  if (hwloc_topology_load(raw) != 0) throw RunFailure("hwloc cannot read this machine");

  MachineReading reading;
  std::array<char, 65> host{};
  if (::gethostname(host.data(), host.size() - 1) == 0) reading.name = host.data();
  reading.sockets = static_cast<std::size_t>(std::max(1, hwloc_get_nbobjs_by_type(raw, HWLOC_OBJ_PACKAGE)));
  if (const hwloc_obj_t package = hwloc_get_obj_by_type(raw, HWLOC_OBJ_PACKAGE, 0); package != nullptr)
    reading.processor = text_of(package, "CPUVendor") + " " + text_of(package, "CPUModelNumber");

  const NvmlReading nvml = read_nvml();
  for (hwloc_obj_t device = hwloc_get_next_pcidev(raw, nullptr); device != nullptr;
       device = hwloc_get_next_pcidev(raw, device)) {
    const auto& pci = device->attr->pcidev;
    const unsigned kind = pci.class_id >> 8U;
    PciReading row;
    row.address = address_of(pci);
    const auto known = std::find_if(nvml.gpus.begin(), nvml.gpus.end(),
                                    [&](const NvmlGpu& gpu) { return gpu.address == row.address; });
    row.gpu = known != nvml.gpus.end() || ((kind == display_class || kind == accelerator_class) &&
                                           (pci.vendor_id == nvidia || pci.vendor_id == amd));
    if (!row.gpu && kind != network_class) continue;
    if (known != nvml.gpus.end()) {
      row.label = known->name;
      row.model = gpu_model_of(known->name);
    } else {
      row.label = row.gpu ? "" : nic_label(device);
    }
    if (row.label.empty())
      row.label = device->name != nullptr ? std::string(device->name)
                                          : fmt::format("device {:04x}:{:04x}", pci.vendor_id, pci.device_id);
    row.GB_per_s = static_cast<double>(pci.linkspeed);
    row.socket = socket_of(raw, device);
    for (hwloc_obj_t up = device->parent; up != nullptr && up->type == HWLOC_OBJ_BRIDGE; up = up->parent)
      if (up->attr->bridge.upstream_type == HWLOC_OBJ_BRIDGE_PCI)
        row.bridges.push_back(address_of(up->attr->bridge.upstream.pci));
    reading.devices.push_back(std::move(row));
  }
  std::sort(reading.devices.begin(), reading.devices.end(),
            [](const auto& a, const auto& b) { return a.address < b.address; });
  reading.nvlinks = nvml.nvlinks;
  return reading;
}

}  // namespace lockstep::real
