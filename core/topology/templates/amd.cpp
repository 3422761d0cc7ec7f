#include "core/topology/templates/gpu_node.hpp"
#include "core/topology/templates/templates.hpp"

// MI300X platform: eight GPUs, Infinity Fabric between each pair, 64 GB/s per direction (448 GB/s per GPU; AMD's data
// sheet of the platform, 2023). A PCIe Gen5 switch for each GPU and its NIC, four to a socket, as servers for it are
// built; the sockets are taken to be AMD's.
namespace lockstep::templates {

std::vector<NodeTemplate> amd() {
  GpuNodeShape shape;
  shape.gpus = 8;
  shape.model = "mi300x";
  shape.mesh = GB_per_s(64);
  shape.mesh_kind = LinkKind::xgmi;
  shape.nics = 8;
  shape.pcie = pcie_gen5_x16;
  shape.sockets = 2;
  shape.socket_link = amd_link;
  return {gpu_node(
      "mi300x", "8 MI300X, Infinity Fabric between each pair (64 GB/s per direction), 8 NICs on PCIe Gen5 x16", shape)};
}

}  // namespace lockstep::templates
