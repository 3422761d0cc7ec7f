// The families of node templates; catalogue.cpp lists them. Figures that several families share, with their sources,
// stand here; those of one machine stand with it.
#pragma once

#include <vector>

#include "core/topology/node_template.hpp"
#include "core/units/quantity.hpp"

namespace lockstep::templates {

constexpr Bandwidth GB_per_s(std::int64_t n) { return Bandwidth::bytes_per_second(n * 1'000'000'000); }

// PCIe x16: payload rate by UCX's formula (rate x width x encoding x 256*4 / ((256+26)*4+16), maximum payload 256 B);
// an H200 measured 55.4 GB/s on Gen5.
inline constexpr Bandwidth pcie_gen3_x16 = Bandwidth::bytes_per_second(14'100'000'000);
inline constexpr Bandwidth pcie_gen4_x16 = Bandwidth::bytes_per_second(28'200'000'000);
inline constexpr Bandwidth pcie_gen5_x16 = Bandwidth::bytes_per_second(56'400'000'000);

// Between sockets: what NCCL reckons a GPU's traffic gets over the link (src/graph/topo.h): QPI of Broadwell 6, UPI of
// Skylake and its successor Cascade Lake 10, of Sapphire Rapids 22, of Emerald Rapids 40, AMD's xGMI 16 GB/s.
inline constexpr Bandwidth broadwell_link = GB_per_s(6);
inline constexpr Bandwidth skylake_link = GB_per_s(10);
inline constexpr Bandwidth sapphire_rapids_link = GB_per_s(22);
inline constexpr Bandwidth emerald_rapids_link = GB_per_s(40);
inline constexpr Bandwidth amd_link = GB_per_s(16);

// Latencies are those of GpuNodeShape. NVLink: ASTRA-sim's validated HGX H100 model has 936 ns from GPU to GPU; half on
// each side of the NVSwitch, and the same for the other generations, for which we know of no published figure. PCIe:
// our share of the 0.8 to 1.2 us that a small message takes between two NICs back to back: about 100 ns a link.

std::vector<NodeTemplate> dgx();    ///< NVIDIA's boxes of eight GPUs, V100 to B200
std::vector<NodeTemplate> grace();  ///< GPUs with a Grace CPU: GH200, GB200 NVL72
std::vector<NodeTemplate> amd();    ///< MI300X
std::vector<NodeTemplate> aws();    ///< p4d, p5, p5en
std::vector<NodeTemplate> pcie();   ///< GPUs without NVLink
std::vector<NodeTemplate> cpu();    ///< machines without GPUs, with their sockets

}  // namespace lockstep::templates
