#include "core/base/catalogue.hpp"

#include <array>

#include "core/topology/node_template.hpp"
#include "core/topology/templates/gpu_node.hpp"

namespace lockstep {
namespace {

// Where the numbers come from.
//
// NVLink, per GPU and direction: half of the total that NVIDIA's data sheets state: A100 600, H100 and H200 900, B200
// 1,800 GB/s. NVLink latency: ASTRA-sim's validated HGX H100 model has 936 ns from GPU to GPU; half on each side of the
// NVSwitch, and the same for the other generations, for which we know of no published figure. PCIe: the payload rate of
// x16 by UCX's formula (rate x width x encoding x 256*4 / ((256+26)*4+16), maximum payload 256 B): Gen4 28.2, Gen5 56.4
// GB/s; an H200 measured 55.4. PCIe latency: our share of the 0.8 to 1.2 us that a small message takes between two NICs
// back to back: about 100 ns a link. NICs: one per GPU. Their rate is that of the link they are cabled with, which the
// topology file states: 200 Gbps (HDR) for DGX A100, 400 Gbps (NDR) for the others. A DGX A100 has two GPUs and two
// NICs on a PCIe switch; a switch for each pair carries the same traffic.
GpuNodeShape eight_gpus(const char* model, Bandwidth nvlink, Bandwidth pcie) {
  GpuNodeShape shape;
  shape.model = model;
  shape.gpus = 8;
  shape.nics = 8;
  shape.nvlink = nvlink;
  shape.pcie = pcie;
  return shape;
}

constexpr Bandwidth GB_per_s(std::int64_t n) { return Bandwidth::bytes_per_second(n * 1'000'000'000); }
constexpr Bandwidth pcie_gen4_x16 = Bandwidth::bytes_per_second(28'200'000'000);
constexpr Bandwidth pcie_gen5_x16 = Bandwidth::bytes_per_second(56'400'000'000);

}  // namespace

std::span<const NodeTemplate> node_template_catalogue() {
  static const std::array catalogue{
      plain_host(),
      gpu_node("dgx_a100", "8 A100, NVLink 3 (300 GB/s per GPU and direction), 8 NICs on PCIe Gen4 x16",
               eight_gpus("a100_sxm", GB_per_s(300), pcie_gen4_x16)),
      gpu_node("hgx_h100", "8 H100, NVLink 4 (450 GB/s per GPU and direction), 8 NICs on PCIe Gen5 x16",
               eight_gpus("h100_sxm", GB_per_s(450), pcie_gen5_x16)),
      gpu_node("hgx_h200", "8 H200, NVLink 4 (450 GB/s per GPU and direction), 8 NICs on PCIe Gen5 x16",
               eight_gpus("h200_sxm", GB_per_s(450), pcie_gen5_x16)),
      gpu_node("hgx_b200", "8 B200, NVLink 5 (900 GB/s per GPU and direction), 8 NICs on PCIe Gen5 x16",
               eight_gpus("b200_sxm", GB_per_s(900), pcie_gen5_x16)),
  };
  return catalogue;
}

config::Type<NodeTemplate> node_template() {
  const auto named = config::name_of("node template", names_of(node_template_catalogue()));
  const auto shape = gpu_node_shape();
  return config::Type<NodeTemplate>(
      [named, shape](const config::Node& node, config::Diagnostics& diagnostics) -> std::optional<NodeTemplate> {
        if (node.kind == config::Node::Kind::map) {
          const auto inlined = shape.read(node, diagnostics);
          if (!inlined) return std::nullopt;
          return gpu_node("inline", "described in the file", *inlined);
        }
        const auto name = named.read(node, diagnostics);
        if (!name) return std::nullopt;
        return *find_in(node_template_catalogue(), *name);
      },
      config::Json{{"oneOf", {named.schema(), shape.schema()}}});
}

}  // namespace lockstep
