#include "core/topology/node_graph.hpp"
#include "core/topology/templates/gpu_node.hpp"
#include "core/topology/templates/templates.hpp"

// Machines of two sockets without GPUs: one rank, on socket 0, where the NIC is; a second socket counts where a file
// puts a rank on it (`parts` of a node in a file).
namespace lockstep::templates {
namespace {

NodeGraph two_sockets(Bandwidth socket_link, Bandwidth pcie) {
  const GpuNodeShape latencies;
  NodeGraph graph;
  const std::size_t first = graph.add("cpu0", DeviceKind::cpu);
  graph.parts.back().rank = true;
  const std::size_t second = graph.add("cpu1", DeviceKind::cpu);
  const std::size_t nic = graph.add("nic0", DeviceKind::nic);
  graph.connect(first, second, socket_link, latencies.pcie_latency, LinkKind::socket);
  graph.connect(first, nic, pcie, latencies.pcie_latency, LinkKind::pcie);
  return graph;
}

}  // namespace

std::vector<NodeTemplate> cpu() {
  return {
      graph_node("cpu_intel", "2 Sapphire Rapids sockets, a NIC on PCIe Gen5 x16, no GPUs",
                 two_sockets(sapphire_rapids_link, pcie_gen5_x16)),
      graph_node("cpu_amd", "2 EPYC sockets, a NIC on PCIe Gen4 x16, no GPUs", two_sockets(amd_link, pcie_gen4_x16)),
  };
}

}  // namespace lockstep::templates
