// NVLS (the NVSwitch reduces) and NVLSTree (NVLS in the nodes, trees between them).
//
// Both work in loops: channels x heads x chunk bytes at a time, the chunk from 16 to 128 KiB (256 on Blackwell) by the
// size of the buffer. A loop of NVLS takes
//   sqrt((loop bytes / peak)^2 + round^2),   round: a synchronisation of all GPUs over the switch,
// a smooth maximum of the two; the kinks of published curves are the sizes where the chunk changes. NVLSTree's loop
// takes the longest of: NVLS's transfer, the NICs' (S over two nodes, 2 S over more), a crossing of the network.
// The first loop has to pass through every stage, one after another: that fills the pipeline.
#include <algorithm>
#include <cmath>

#include "sim/nccl/mechanisms.hpp"

namespace lockstep::sim::nccl {
namespace {

constexpr double KiB = 1024;

/// Of NVLS: 128 KiB, halved by NCCL's thresholds (enqueue.cc: 64, 8 and 2 times what all channels and heads move).
double nvls_chunk(double bytes, double parallel) {
  double chunk = 128 * KiB;
  if (bytes < 64 * parallel * chunk) chunk = 64 * KiB;
  if (bytes < 8 * parallel * chunk) chunk = 32 * KiB;
  if (bytes < 2 * parallel * chunk) chunk = 16 * KiB;
  return chunk;
}

/// Of NVLSTree: at most 128 KiB on two or three nodes, 64 KiB from four on (nvls.cc); on Blackwell 64 KiB with NICs
/// below 96 GB/s, 256 KiB with faster ones; then by the thresholds (enqueue.cc: 32, 16, 4 and 1 times).
double nvls_tree_chunk(const System& system, double bytes, double parallel) {
  double chunk = (system.nodes >= 4 ? 64 : 128) * KiB;
  if (system.generation == Generation::blackwell && system.nic_GBps >= 48)
    chunk = (system.nic_GBps >= 96 ? 256 : 64) * KiB;
  if (bytes < 16 * parallel * chunk) chunk = std::min(chunk, 128 * KiB);
  if (bytes < 4 * parallel * chunk) chunk = std::min(chunk, 64 * KiB);
  if (bytes < 1 * parallel * chunk) chunk = std::min(chunk, 32 * KiB);
  return chunk;
}

/// What NVLS sustains, in GB/s of algorithm bandwidth: NCCL's figure (tuning.cc) times a share. For all-gather and
/// reduce-scatter one direction only.
double nvls_peak(const Setting& setting) {
  const System& system = setting.system;
  const double g = system.gpus_per_node;
  const double per_head =
      setting.graph.nvls_rate * lockstep::nccl::table_of(system.generation).nvls_efficiency * (g - 1) / g;
  const bool both = setting.kind == CollectiveKind::all_reduce || setting.kind == CollectiveKind::barrier;
  return setting.generation().nvls_share * g * per_head * (both ? g / (g - 1) : (g - 1) / g);
}

}  // namespace

Parts nvls_parts(const Setting& setting) {
  const System& system = setting.system;
  const GenerationConstants& generation = setting.generation();
  const double parallel = static_cast<double>(setting.channels) * system.gpus_per_node;
  const bool across = setting.algorithm == Algorithm::nvls_tree;
  const double chunk = across ? nvls_tree_chunk(system, setting.bytes, parallel) : nvls_chunk(setting.bytes, parallel);
  const double loop_bytes = parallel * chunk;
  const double loops = std::max(1.0, setting.bytes / loop_bytes);
  const double inside = loop_bytes / (1000 * nvls_peak(setting));
  const double filled = std::min(1.0, setting.bytes / loop_bytes);  // less than a loop: less to pass on
  Parts parts;
  parts.latency = generation.nvls_start;
  if (!across) {
    const double loop = std::sqrt(inside * inside + generation.nvls_round * generation.nvls_round);
    parts.transfer = setting.constants.shared.nvls_fill * filled * inside + loops * loop;
    return parts;
  }
  // Once the pipeline runs, what goes up and what comes down meet at nodes that have a parent and children.
  const double level = loop_bytes / (1000 * node_network_rate(system));
  const double network = level * (system.nodes == 2 ? 1 : 2);
  const double crossing = setting.nccl_crossing() + transport_latency(setting, chunk);
  parts.crossings = 2.0 * levels(system.nodes);
  parts.latency += parts.crossings * crossing;
  // One loop goes through the switch, up and down the tree, and through the switch again; the others follow close.
  const double path = inside + parts.crossings * level;
  parts.transfer =
      setting.constants.shared.nvls_tree_fill * filled * path + (loops - 1) * std::max({inside, network, crossing});
  return parts;
}

}  // namespace lockstep::sim::nccl
