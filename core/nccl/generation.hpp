// What NCCL knows of a GPU generation: the constants of its cost model that depend on the compute capability.
//
// Source of every number: NCCL, src/graph/tuning.cc, search.cc and topo.h (tree of 11 June 2026). NCCL *chooses* by
// them; how long a collective really takes is sim/nccl/.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace lockstep::nccl {

/// cdna3 is AMD's MI300 series under RCCL, which has NCCL's cost model with other constants; those here are Ampere's.
enum class Generation : std::uint8_t { volta, ampere, cdna3, hopper, blackwell };
inline constexpr int generation_count = 5;

std::string_view to_string(Generation generation);

/// Per number of nodes: one, two, more.
using ByNodes = std::array<double, 3>;

/// Rates in GB/s (10^9 bytes per second).
struct GenerationTable {
  double nvlink_share;          ///< of the rate that data sheets state, what NCCL counts (links x its rate per link)
  double ll_max;                ///< bus bandwidth of LL in one node (across nodes the CPU sets it: tuning.cpp)
  double ring_ll128_channel;    ///< LL128 ring, per channel
  ByNodes tree_ll128_channel;   ///< LL128 tree, per channel
  ByNodes tree_simple_channel;  ///< tree, per channel
  ByNodes nvls_tree_channel;    ///< NVLSTree, per channel; 0: none
  double nvls_efficiency;       ///< of NVLink, per channel; 0: no NVLS
  double ring_plateau;          ///< factor on the latency of a Simple ring over several nodes
  std::span<const double> speeds_intra;  ///< rates per channel that its search tries inside a node, descending
  std::span<const double> speeds_inter;  ///< and across nodes
};

const GenerationTable& table_of(Generation generation);

/// By the name of the GPU ("h100", "A100-SXM4-80GB", "gb200"); none: not known.
std::optional<Generation> generation_of_model(std::string_view model);
/// By the NVLink rate of one GPU and direction, in GB/s: 150 Volta, 300 Ampere, 450 Hopper, 900 Blackwell (data
/// sheets); the nearest above three quarters of one. For nodes that a file describes without naming the GPU.
Generation generation_of_nvlink(double GBps);

}  // namespace lockstep::nccl
