// Double binary trees over nodes, a chain of GPUs inside each.
//
// Up and down: 2 (g-1) hops in the node and 2 floor(log2 N) crossings. Between the two, S bytes pass at
//   NCCL's bandwidth of the protocol x its correction for S   (core/nccl/tuning.cpp: what NCCL's authors measured;
//   the minima at 64 KiB to 2 MiB are pipelines that do not fill),
// at most what the NICs of a node carry: S over two nodes, 2 S where nodes have a parent and two children. LL messages
// share what the transport passes of small messages, and are passed on when they are whole: 2 S / rate per crossing.
#include <algorithm>

#include "sim/nccl/mechanisms.hpp"

namespace lockstep::sim::nccl {

Parts tree_parts(const Setting& setting) {
  const System& system = setting.system;
  const auto& table = lockstep::nccl::table_of(system.generation);
  const std::size_t scale = system.scale();
  const bool across = system.nodes > 1;
  const double channels = setting.graph.channels;
  double bus = channels * std::min(0.92 * (system.nodes <= 2 ? setting.graph.tree_rate : setting.graph.rate),
                                   table.tree_simple_channel[scale]);
  if (setting.protocol == Protocol::ll)
    bus = std::min(bus / 3.8, across ? lockstep::nccl::ll_max_across_nodes(system) : table.ll_max);
  if (setting.protocol == Protocol::ll128)
    bus = std::min(bus * (across ? 120.0 / 128.0 : 7.0 / 9.0), channels * table.tree_ll128_channel[scale]) *
          (across ? setting.constants.shared.ll128_across : 1.0);
  double rate = 0.5 * bus;
  double crossing = 0;
  if (across) {
    rate = std::min(rate, node_network_rate(system) / (system.nodes == 2 ? 1 : 2));
    crossing = setting.nccl_crossing() + transport_latency(setting, setting.bytes / setting.channels);
    const double messages = setting.constants.of(system.fabric).ll_rate;
    if (setting.protocol == Protocol::ll && messages > 0) crossing += 2 * setting.bytes / (1000 * messages);
  }
  rate *= lockstep::nccl::tree_correction(setting.protocol, static_cast<std::int64_t>(setting.bytes));
  Parts parts;
  parts.crossings = 2.0 * levels(system.nodes);
  parts.latency = setting.base() + 2 * (system.gpus_per_node - 1) * nvlink_hop(setting) + parts.crossings * crossing;
  parts.transfer = setting.bytes / (1000 * rate);
  return parts;
}

}  // namespace lockstep::sim::nccl
