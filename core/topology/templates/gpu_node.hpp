// A node with GPUs: GPUs on an NVLink switch, and a PCIe switch for every pair of GPU and NIC.
//
//     gpu0 ══ nvswitch ══ gpu1        ══ NVLink
//      │                   │
//    pcie0               pcie1        │  PCIe
//      │                   │
//     nic0                nic1
//
// The NVSwitch chips of a node are one device: they are a single non-blocking plane. Traffic between the GPUs of a node
// goes over NVLink; CPUs and their sockets are not in the graph. Without NVLink the PCIe switches hang on a root
// (`root`), and traffic between GPUs goes through it. With fewer NICs than GPUs several GPUs share a PCIe switch and
// its NIC; with more, a GPU has several NICs.
#pragma once

#include <optional>
#include <string>

#include "core/config/type.hpp"
#include "core/topology/node_template.hpp"

namespace lockstep {

struct GpuNodeShape {
  std::int64_t gpus = 0;
  std::string model;                 ///< of every GPU (core/topology/gpu_model.hpp); empty: not said
  std::optional<Bandwidth> nvlink;   ///< per GPU, one direction; none: no NVLink
  Duration nvlink_latency{468'000};  ///< of one link, GPU to NVSwitch
  std::int64_t nics = 0;
  Bandwidth pcie;                  ///< payload rate of one PCIe link, one direction
  Duration pcie_latency{100'000};  ///< of one PCIe link
};

NodeTemplate gpu_node(std::string name, std::string description, const GpuNodeShape& shape);

/// `node: {gpus: 8, gpu: h100_sxm, nvlink: 450GB/s, nics: 8, pcie: 56.4GB/s}` in a file.
config::Type<GpuNodeShape> gpu_node_shape();

}  // namespace lockstep
