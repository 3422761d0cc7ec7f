#include "core/topology/templates/gpu_node.hpp"
#include "core/topology/templates/templates.hpp"

// Boxes of eight GPUs on PCIe Gen4 alone. With switches: four of two GPUs, two to a socket, and a NIC on the first
// switch of each socket; GPUs of one switch talk over it, all others through CPUs. Without: every GPU on a port of its
// CPU, no GPUDirect (the usual state of machines built of workstation parts), so that whatever goes to the network is
// staged in the memory of the host.
namespace lockstep::templates {

std::vector<NodeTemplate> pcie() {
  GpuNodeShape shape;
  shape.gpus = 8;
  shape.model = "a100_pcie";
  shape.nics = 2;
  shape.pcie = pcie_gen4_x16;
  shape.pcie_switches = 4;
  shape.sockets = 2;
  shape.socket_link = amd_link;
  GpuNodeShape staged = shape;
  staged.model = "a40";
  staged.pcie_switches = 0;
  staged.gpudirect = false;
  return {
      gpu_node("pcie_8gpu", "8 A100 PCIe without NVLink, two to a PCIe Gen4 switch, 2 NICs", shape),
      gpu_node("pcie_8gpu_staged", "8 A40 on their CPUs' PCIe Gen4 ports, 2 NICs, no GPUDirect: staged in the host",
               staged),
  };
}

}  // namespace lockstep::templates
