#include "core/topology/templates/gpu_node.hpp"
#include "core/topology/templates/templates.hpp"

// NVIDIA's boxes of eight GPUs.
//
// NVLink, per GPU and direction: half of the total that NVIDIA's data sheets state: V100 300, A100 600, H100 and H200
// 900, B200 1,800 GB/s. NICs: their rate is that of the link they are cabled with, which the topology file states: 100
// Gbps (EDR) for DGX-1 V100, 200 Gbps (HDR) for DGX A100, 400 Gbps (NDR) for the others.
//
// PCIe: DGX-1 has four switches, each with two GPUs and a NIC, two to a Broadwell socket; DGX A100 four, each with two
// GPUs and two NICs, two to an EPYC Rome socket ("NVIDIA DGX A100 System Architecture", 2020). On HGX H100 and later
// every GPU shares a switch with its NIC, four to a socket (Sapphire Rapids; Emerald Rapids in DGX B200).
namespace lockstep::templates {
namespace {

// The hybrid cube mesh of DGX-1 V100, links of 25 GB/s between each pair ("NVIDIA DGX-1 With Tesla V100 System
// Architecture", 2017, figure 4; `nvidia-smi topo -m` prints the same): six to each GPU.
constexpr int cube_mesh[8][8] = {
    {0, 1, 1, 2, 2, 0, 0, 0}, {1, 0, 2, 1, 0, 2, 0, 0}, {1, 2, 0, 2, 0, 0, 1, 0}, {2, 1, 2, 0, 0, 0, 0, 1},
    {2, 0, 0, 0, 0, 1, 1, 2}, {0, 2, 0, 0, 1, 0, 2, 1}, {0, 0, 1, 0, 1, 2, 0, 2}, {0, 0, 0, 1, 2, 1, 2, 0},
};

GpuNodeShape box(const char* model, Bandwidth pcie, Bandwidth socket_link) {
  GpuNodeShape shape;
  shape.gpus = 8;
  shape.model = model;
  shape.nics = 8;
  shape.pcie = pcie;
  shape.sockets = 2;
  shape.socket_link = socket_link;
  return shape;
}

GpuNodeShape with_nvswitch(GpuNodeShape shape, Bandwidth nvlink) {
  shape.nvlink = nvlink;
  return shape;
}

NodeGraph dgx_v100() {
  GpuNodeShape shape = box("v100_sxm", pcie_gen3_x16, broadwell_link);
  shape.nics = 4;
  NodeGraph graph = graph_of(shape);
  for (std::size_t a = 0; a < 8; ++a)
    for (std::size_t b = a + 1; b < 8; ++b)
      if (cube_mesh[a][b] > 0)
        graph.connect(a, b, GB_per_s(25) * cube_mesh[a][b], 2 * shape.nvlink_latency, LinkKind::nvlink);
  return graph;
}

GpuNodeShape dgx_a100() {
  GpuNodeShape shape = with_nvswitch(box("a100_sxm", pcie_gen4_x16, amd_link), GB_per_s(300));
  shape.pcie_switches = 4;
  return shape;
}

}  // namespace

std::vector<NodeTemplate> dgx() {
  return {
      graph_node("dgx_v100", "8 V100 in a hybrid cube mesh of NVLink 2 (25 GB/s a link), 4 NICs on PCIe Gen3 x16",
                 dgx_v100()),
      gpu_node("dgx_a100", "8 A100, NVLink 3 (300 GB/s per GPU and direction), 8 NICs on PCIe Gen4 x16", dgx_a100()),
      gpu_node("hgx_h100", "8 H100, NVLink 4 (450 GB/s per GPU and direction), 8 NICs on PCIe Gen5 x16",
               with_nvswitch(box("h100_sxm", pcie_gen5_x16, sapphire_rapids_link), GB_per_s(450))),
      gpu_node("hgx_h200", "8 H200, NVLink 4 (450 GB/s per GPU and direction), 8 NICs on PCIe Gen5 x16",
               with_nvswitch(box("h200_sxm", pcie_gen5_x16, sapphire_rapids_link), GB_per_s(450))),
      gpu_node("hgx_b200", "8 B200, NVLink 5 (900 GB/s per GPU and direction), 8 NICs on PCIe Gen5 x16",
               with_nvswitch(box("b200_sxm", pcie_gen5_x16, emerald_rapids_link), GB_per_s(900))),
  };
}

}  // namespace lockstep::templates
