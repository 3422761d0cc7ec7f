// A node with GPUs, described by a few numbers.
//
//     gpu0 ══ nvswitch ══ gpu1        ══ NVLink
//      │                   │
//    pcie0 ─┐            pcie1 ─┐     │  PCIe
//      │    cpu0 ────────  │    cpu1  ── between sockets
//     nic0                nic1
//
// The NVSwitch chips of a node are one device: they are a single non-blocking plane. With `mesh` in place of `nvlink`
// every pair of GPUs has a link of its own. Traffic between the GPUs of a node goes over these; CPUs forward only where
// there is no other way (core/topology/routing.hpp). Without `sockets` the CPUs are not in the graph, and GPUs without
// NVLink meet at a PCIe root (`root`). Several GPUs may share a PCIe switch and its NICs; with `pcie_switches: 0` GPUs
// and NICs are on the CPUs' own ports.
#pragma once

#include <optional>
#include <string>

#include "core/config/type.hpp"
#include "core/topology/node_graph.hpp"
#include "core/topology/node_template.hpp"

namespace lockstep {

struct GpuNodeShape {
  std::int64_t gpus = 0;
  std::string model;                ///< of every GPU (core/topology/gpu_model.hpp); empty: not said
  std::optional<Bandwidth> nvlink;  ///< per GPU, one direction, to the NVSwitch; none: no NVSwitch
  std::optional<Bandwidth> mesh;    ///< of each pair of GPUs, one direction; none: no mesh
  LinkKind mesh_kind = LinkKind::nvlink;
  Duration nvlink_latency{468'000};  ///< of one link, GPU to NVSwitch; a mesh link has twice that
  std::int64_t nics = 0;
  Bandwidth pcie;                             ///< payload rate of one PCIe link, one direction
  std::optional<Bandwidth> nic_pcie;          ///< of the links to NICs; none: as pcie
  Duration pcie_latency{100'000};             ///< of one PCIe link, and of one between sockets
  std::optional<std::int64_t> pcie_switches;  ///< none: one for each NIC or GPU, of which there are fewer
  std::int64_t sockets = 0;                   ///< 0: CPUs are not in the graph
  Bandwidth socket_link;                      ///< between two sockets, one direction
  std::optional<Bandwidth> cpu_link;          ///< GPU to CPU in place of PCIe (NVLink-C2C), one direction
  bool gpudirect = true;
};

NodeGraph graph_of(const GpuNodeShape& shape);

NodeTemplate gpu_node(std::string name, std::string description, const GpuNodeShape& shape);

/// `node: {gpus: 8, gpu: h100_sxm, nvlink: 450GB/s, nics: 8, pcie: 56.4GB/s}` in a file.
config::Type<GpuNodeShape> gpu_node_shape();

}  // namespace lockstep
