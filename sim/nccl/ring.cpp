// Rings, and PAT.
//
// A ring all-reduce has 2(n-1) rounds, an all-gather or reduce-scatter n-1; the round of a rank whose neighbour is on
// another node is a crossing. Data go round the whole ring, so over N nodes they cross N links (twice in an
// all-reduce), not N-1. Every link carries S 2(n-1)/n or S (n-1)/n bytes at the bus bandwidth
//   LL min(ll_rate, bus/2) · LL128 min(0.92 bus, per-channel cap) · Simple share x bus,   bus = min(NVLink, NICs).
// Across nodes a Simple all-reduce has NCCL's plateau: 1.4 (before Ampere 1.9) times its latency. Broadcast and reduce
// are pipelines: one hop's latency, then S at the bus bandwidth.
#include <algorithm>

#include "sim/nccl/mechanisms.hpp"

namespace lockstep::sim::nccl {
namespace {

double bus_rate(const Setting& setting) {
  const System& system = setting.system;
  const auto& table = lockstep::nccl::table_of(system.generation);
  const GenerationConstants& generation = setting.generation();
  const bool across = system.nodes > 1;
  const double network = across ? node_network_rate(system) : system.nvlink_GBps;
  const double bus = std::min(system.nvlink_GBps, network);
  switch (setting.protocol) {
    case Protocol::ll:
      return std::min(across ? lockstep::nccl::ll_max_across_nodes(system) : generation.ll_rate, 0.5 * bus);
    case Protocol::ll128:
      return std::min(0.92 * bus, setting.graph.channels * table.ring_ll128_channel);
    case Protocol::simple:
      return std::min(generation.simple_share * system.nvlink_GBps, network);
  }
  return bus;
}

}  // namespace

Parts ring_parts(const Setting& setting) {
  const System& system = setting.system;
  const double n = system.ranks();
  const bool rooted = setting.kind == CollectiveKind::broadcast || setting.kind == CollectiveKind::reduce;
  const bool twice = setting.kind == CollectiveKind::all_reduce || setting.kind == CollectiveKind::barrier;
  const double passes = twice ? 2.0 : 1.0;
  const double message = (rooted ? setting.bytes : setting.bytes / n) / setting.channels;
  double crossing = 0;
  if (system.nodes > 1) {
    crossing = setting.nccl_crossing() + transport_latency(setting, message);
    const double rate = setting.constants.of(system.fabric).ll_rate;
    if (setting.protocol == Protocol::ll && rate > 0) crossing += 2 * message * setting.channels / (1000 * rate);
  }
  Parts parts;
  if (rooted) {
    parts.crossings = system.nodes - 1;
    parts.latency = setting.base() + nvlink_hop(setting) + parts.crossings * crossing;
    parts.transfer = setting.bytes / (1000 * bus_rate(setting));
    return parts;
  }
  const double rounds = passes * (n - 1);
  parts.crossings = system.nodes == 1 ? 0 : std::min(rounds, passes * system.nodes);
  parts.latency = setting.base() + (rounds - parts.crossings) * nvlink_hop(setting) + parts.crossings * crossing;
  if (twice && system.nodes > 1 && setting.protocol == Protocol::simple && message >= 64)
    parts.latency *= lockstep::nccl::table_of(system.generation).ring_plateau;
  parts.transfer = setting.bytes * rounds / n / (1000 * bus_rate(setting));
  return parts;
}

// PAT: log2(N) crossings that overlap by NCCL's own factor 3.5, then 2.8 us per rank (tuning.cc).
Parts pat_parts(const Setting& setting) {
  const System& system = setting.system;
  Parts parts;
  parts.crossings = levels(system.nodes) / 3.5;
  parts.latency = setting.base() + parts.crossings * (setting.nccl_crossing() + transport_latency(setting, 0)) +
                  2.8 * system.ranks();
  parts.transfer = setting.bytes / (1000 * 0.75 * std::min(system.nvlink_GBps, node_network_rate(system)));
  return parts;
}

}  // namespace lockstep::sim::nccl
