#include "core/topology/templates/gpu_node.hpp"
#include "core/topology/templates/templates.hpp"

// GPUs with a Grace CPU of their own, joined by NVLink-C2C: 450 GB/s each way (half of the 900 GB/s of the data
// sheets). NICs are on the PCIe ports of the CPU, so traffic between nodes goes GPU, C2C, CPU, NIC.
//
// GB200 NVL72: 72 GPUs of 18 trays on one NVSwitch plane, 900 GB/s per GPU and direction; a Grace for two GPUs, whose
// 450 GB/s they share (225 GB/s each); a 400 Gbps NIC for each GPU ("NVIDIA GB200 NVL72" data sheet, 2024). The rack is
// one node: NVLink joins all of it. GH200 in fours (Alps at CSCS and the like): NVLink 4 between each pair, 6 of the 18
// links of a GPU, 150 GB/s per direction; a NIC for each GPU on PCIe Gen4 x16 (HPE Slingshot Cassini). Links between
// the Grace CPUs are left out: their rate is not known to us, and NVLink is the shorter way.
namespace lockstep::templates {
namespace {

GpuNodeShape superchips(std::int64_t gpus, const char* model, std::int64_t sockets, Bandwidth cpu_link,
                        Bandwidth nic_pcie) {
  GpuNodeShape shape;
  shape.gpus = gpus;
  shape.model = model;
  shape.nics = gpus;
  shape.pcie = nic_pcie;
  shape.pcie_switches = 0;
  shape.sockets = sockets;
  shape.cpu_link = cpu_link;
  return shape;
}

}  // namespace

std::vector<NodeTemplate> grace() {
  GpuNodeShape quad = superchips(4, "gh200", 4, GB_per_s(450), pcie_gen4_x16);
  quad.mesh = GB_per_s(150);
  GpuNodeShape rack = superchips(72, "gb200", 36, GB_per_s(225), pcie_gen5_x16);
  rack.nvlink = GB_per_s(900);
  return {
      gpu_node("gh200", "one GH200: a Hopper GPU and a Grace CPU, a NIC on PCIe Gen5 x16",
               superchips(1, "gh200", 1, GB_per_s(450), pcie_gen5_x16)),
      gpu_node("gh200_x4", "4 GH200, NVLink 4 between each pair (150 GB/s per direction), 4 NICs on PCIe Gen4 x16",
               quad),
      gpu_node("gb200_nvl72", "a rack of 72 GB200, NVLink 5 (900 GB/s per GPU and direction), 72 NICs on PCIe Gen5 x16",
               rack),
  };
}

}  // namespace lockstep::templates
