#include "core/topology/templates/gpu_node.hpp"
#include "core/topology/templates/templates.hpp"

// Amazon's instances of eight GPUs on NVSwitch; their NICs (EFA) are cabled with links of kind efa.
//
// p4d.24xlarge: A100, 4 x 100 Gbps, Cascade Lake sockets, whose PCIe is Gen3; four switches, each with two GPUs and a
// NIC. p5.48xlarge: H100, 32 x 100 Gbps, four NICs to a GPU; AMD sockets. p5en.48xlarge: H200, 16 x 200 Gbps, two to a
// GPU; Sapphire Rapids. (Instance pages of AWS, 2020 to 2024.) The PCIe link of a NIC is not published; a Gen4 x8 link
// (the rate of Gen3 x16) for 100 Gbps and a Gen5 x8 one (that of Gen4 x16) for 200 Gbps do not limit it.
namespace lockstep::templates {
namespace {

GpuNodeShape instance(const char* model, Bandwidth nvlink, Bandwidth pcie, std::int64_t nics, Bandwidth nic_pcie,
                      Bandwidth socket_link) {
  GpuNodeShape shape;
  shape.gpus = 8;
  shape.model = model;
  shape.nvlink = nvlink;
  shape.nics = nics;
  shape.pcie = pcie;
  shape.nic_pcie = nic_pcie;
  shape.sockets = 2;
  shape.socket_link = socket_link;
  return shape;
}

}  // namespace

std::vector<NodeTemplate> aws() {
  return {
      gpu_node("p4d", "AWS p4d.24xlarge: 8 A100, NVLink 3 (300 GB/s per GPU and direction), 4 NICs on PCIe Gen3 x16",
               instance("a100_sxm", GB_per_s(300), pcie_gen3_x16, 4, pcie_gen3_x16, skylake_link)),
      gpu_node("p5", "AWS p5.48xlarge: 8 H100, NVLink 4 (450 GB/s per GPU and direction), 32 NICs, four to a GPU",
               instance("h100_sxm", GB_per_s(450), pcie_gen5_x16, 32, pcie_gen3_x16, amd_link)),
      gpu_node("p5en", "AWS p5en.48xlarge: 8 H200, NVLink 4 (450 GB/s per GPU and direction), 16 NICs, two to a GPU",
               instance("h200_sxm", GB_per_s(450), pcie_gen5_x16, 16, pcie_gen4_x16, sapphire_rapids_link)),
  };
}

}  // namespace lockstep::templates
