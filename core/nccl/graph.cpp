#include "core/nccl/graph.hpp"

#include <algorithm>
#include <limits>

namespace lockstep::nccl {
namespace {

constexpr int most_channels = 64;

/// Channels that carry 25 GB/s are split in two; from Hopper on, where there are more than four, only those of 50.
void split_fast_channels(const System& system, Graph& graph) {
  if (graph.rate < 25) return;
  if (system.generation >= Generation::hopper && graph.rate < 50 && graph.channels > 4) return;
  graph.channels *= 2;
  graph.rate /= 2;
}

/// One node: the most that channels of one rate can carry together; a lower rate is tried down to half the best one.
Graph inside_a_node(const System& system) {
  Graph graph;
  for (const double rate : table_of(system.generation).speeds_intra) {
    if (graph.channels > 0 && rate / graph.rate < 0.49) break;
    const int channels = static_cast<int>(system.nvlink_GBps * 1.0001 / rate);
    if (channels * rate > graph.channels * graph.rate * 1.0001) {
      graph.channels = channels;
      graph.rate = rate;
    }
  }
  if (graph.channels == 0) {  // slower than the table
    graph.channels = 1;
    graph.rate = system.nvlink_GBps;
  }
  split_fast_channels(system, graph);
  graph.tree_rate = graph.rate;
  return graph;
}

/// Several nodes: a channel per NIC, at a rate that NIC and NVLink both carry.
Graph across_nodes(const System& system) {
  const auto speeds = table_of(system.generation).speeds_inter;
  Graph graph;
  graph.channels = system.nics;
  graph.rate = speeds.back();
  for (const double rate : speeds) {
    if (rate > system.nic_GBps * 1.0001 || rate * system.nics > system.nvlink_GBps * 1.0001) continue;
    graph.rate = rate;
    break;
  }
  split_fast_channels(system, graph);
  graph.tree_rate = graph.rate;
  if (system.nodes == 2) {
    // A tree need not close: inside the nodes its channels may be up to twice as fast as between them. In nodes of one
    // GPU nothing limits that.
    const double room = system.gpus_per_node == 1
                            ? std::numeric_limits<double>::infinity()
                            : system.nvlink_GBps * system.gpus_per_node / (system.gpus_per_node - 1);
    for (auto rate = speeds.rbegin(); rate != speeds.rend(); ++rate)
      if (*rate > graph.tree_rate && graph.tree_rate < 2 * graph.rate && *rate * graph.channels <= room)
        graph.tree_rate = *rate;
  }
  return graph;
}

/// NVLS: every GPU is a head, which pulls from all others over the switch and counts twice on its own link.
void add_nvls(const System& system, Graph& graph) {
  const auto& table = table_of(system.generation);
  const double room = system.nvlink_GBps / (system.gpus_per_node + 1);
  const auto take = [&](std::span<const double> speeds) {
    for (const double rate : speeds)
      if (rate <= room) graph.nvls_rate = std::max(graph.nvls_rate, rate);
  };
  take(table.speeds_intra);
  if (system.nodes > 1) take(table.speeds_inter);
  if (graph.nvls_rate == 0) graph.nvls_rate = room;
  // NVLS_NCHANNELS_SM90, _SM100 and _SM100_NVL in nvls.cc.
  const bool hopper = system.generation == Generation::hopper;
  graph.nvls_channels = hopper ? 16 : system.nodes == 2 ? 32 : 24;
}

}  // namespace

Graph graph_of(const System& system) {
  Graph graph = system.nodes == 1 ? inside_a_node(system) : across_nodes(system);
  graph.running_channels = std::min(most_channels, 2 * graph.channels);
  if (system.generation >= Generation::hopper && system.nodes > 1 && graph.rate > 45 && graph.running_channels < 16)
    graph.running_channels *= 2;
  if (system.nvls) add_nvls(system, graph);
  if (system.settings.channels) {
    graph.running_channels = *system.settings.channels;
    if (graph.nvls_channels > 0) graph.nvls_channels = *system.settings.channels;
  }
  return graph;
}

}  // namespace lockstep::nccl
