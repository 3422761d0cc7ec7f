#include "core/nccl/tuning.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <limits>

#include "core/base/error.hpp"
#include "core/base/text.hpp"

namespace lockstep::nccl {
namespace {

constexpr Protocol protocols[] = {Protocol::ll, Protocol::ll128, Protocol::simple};

std::size_t index(Protocol protocol) { return static_cast<std::size_t>(protocol); }

int floor_log2(std::int64_t n) {
  return n < 1 ? -1 : static_cast<int>(std::bit_width(static_cast<std::uint64_t>(n))) - 1;
}

// baseLatencies and hwLatencies of tuning.cc. NVLS and NVLSTree have their network latency in other places there.
constexpr HopLatencies tree_latencies{{6.8, 14.0, 8.4}, {0.6, 1.25, 4.0}, {5.0, 8.5, 14.0}};
constexpr HopLatencies ring_latencies{{6.6, 14.0, 8.4}, {0.6, 1.9, 3.4}, {2.7, 4.0, 14.0}};
constexpr HopLatencies nvls_latencies{{0, 0, 0}, {0, 0, 25.0}, {0, 0, 18.0}};
constexpr HopLatencies nvls_tree_latencies{{0, 0, 0}, {0, 0, 25.0}, {0, 0, 20.9}};
constexpr HopLatencies pat_latencies{{8.0, 8.0, 8.0}, {0, 0, 4.0}, {0, 0, 14.0}};

// treeCorrectionFactor of tuning.cc.
constexpr double corrections[3][24] = {{1.0, 1.0, 1.0, 1.0, 0.9, 0.8, 0.7, 0.7, 0.7, 0.7, 0.6, 0.5,
                                        0.4, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.0, 1.0, 1.0, 1.0},
                                       {1.0, 1.0, 1.0, 1.0, 1.0, 0.9, 0.8, 0.8, 0.8, 0.7, 0.6, 0.6,
                                        0.6, 0.6, 0.6, 0.6, 0.8, 0.9, 0.9, 0.9, 0.9, 1.0, 1.0, 1.0},
                                       {0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.8, 0.7, 0.6, 0.6, 0.5,
                                        0.5, 0.5, 0.5, 0.6, 0.7, 0.8, 0.7, 0.7, 0.8, 0.9, 0.9, 0.9}};

bool all_gather_like(CollectiveKind kind) {
  return kind == CollectiveKind::all_gather || kind == CollectiveKind::reduce_scatter;
}
bool broadcast_or_reduce(CollectiveKind kind) {
  return kind == CollectiveKind::broadcast || kind == CollectiveKind::reduce;
}
bool all_reduce_like(CollectiveKind kind) {
  return kind == CollectiveKind::all_reduce || kind == CollectiveKind::barrier;
}
bool point_to_point(CollectiveKind kind) {
  return kind == CollectiveKind::all_to_all || kind == CollectiveKind::send_recv;
}

/// Steps of a ring: rounds in which every rank passes 1/n of the data on.
double ring_steps(CollectiveKind kind, int ranks) {
  if (all_reduce_like(kind)) return 2.0 * (ranks - 1);
  return all_gather_like(kind) ? ranks - 1.0 : ranks;
}

/// The latency of one hop between nodes, with what the NIC reports; Simple adds it once more, for the flush.
double network_hop(const System& system, Algorithm algorithm, Protocol protocol) {
  const Algorithm row =
      system.gpus_per_node == 1 && algorithm == Algorithm::ring ? Algorithm::tree : algorithm;  // fully exposed
  const double reported = reported_latency_us(system.fabric);
  return hop_latencies(row).network[index(protocol)] + reported * (protocol == Protocol::simple ? 2 : 1);
}

/// Channels are dropped while each thread would have less than its share (NCCL_*_THREAD_THRESHOLD, NCCL_*_NTHREADS).
int running_channels(const System& system, const Graph& graph, Algorithm algorithm, Protocol protocol,
                     std::int64_t bytes) {
  // Rings that are no faster than PCIe (PCI_BW, 12 GB/s) make do with half the threads, and PAT as they do.
  const bool slow = system.nodes > 1 && graph.channels * graph.rate <= 12 && protocol == Protocol::simple &&
                    (algorithm == Algorithm::ring || algorithm == Algorithm::pat);
  const std::int64_t threads = slow ? 256 : protocol == Protocol::ll128 ? 640 : 512;
  std::int64_t threshold = protocol == Protocol::simple ? 64 : 8;
  if (algorithm == Algorithm::ring && protocol == Protocol::ll) threshold *= system.ranks();
  const std::int64_t enough = bytes / (threads * threshold);
  return static_cast<int>(std::clamp<std::int64_t>(enough, 1, graph.running_channels));
}

Candidate ring(const System& system, const Graph& graph, CollectiveKind kind, Protocol protocol, std::int64_t bytes) {
  const auto& table = table_of(system.generation);
  const int ranks = system.ranks();
  double bus = graph.channels * graph.rate;
  if (protocol == Protocol::ll)
    bus = std::min(system.nodes == 1 ? table.ll_max : ll_max_across_nodes(system), bus * 0.5);
  if (protocol == Protocol::ll128) bus = std::min(bus * 0.92, graph.channels * table.ring_ll128_channel);
  const double steps = ring_steps(kind, ranks);
  Candidate made;
  made.bandwidth_GBps = bus * ranks / steps;
  made.latency_us = ring_latencies.base[index(protocol)];
  if (broadcast_or_reduce(kind)) {
    made.latency_us +=
        system.nodes == 1 ? ring_latencies.nvlink[index(protocol)] : ring_latencies.network[index(protocol)];
  } else {
    double hop = ring_latencies.nvlink[index(protocol)];
    // Posting to the network takes 1 us (Intel, ARM) or 2 us (AMD), three times that with Simple.
    const double post = system.cpu == NcclProfile::Cpu::amd ? 2.0 : 1.0;
    if (system.nodes > 1) hop = std::max(hop, post * (protocol == Protocol::simple ? 3 : 1));
    const double across = (all_reduce_like(kind) ? 2.0 : 1.0) * (system.nodes - 1);
    made.latency_us += (steps - across) * hop + across * network_hop(system, Algorithm::ring, protocol);
  }
  if (protocol == Protocol::simple && system.nodes > 1 && all_reduce_like(kind) &&
      bytes / (std::int64_t{graph.running_channels} * ranks) >= 64)
    made.latency_us *= table.ring_plateau;
  return made;
}

/// On two nodes, the rate inside them counts.
double tree_rate(const System& system, const Graph& graph) { return system.nodes <= 2 ? graph.tree_rate : graph.rate; }

Candidate tree(const System& system, const Graph& graph, Protocol protocol, std::int64_t bytes) {
  const auto& table = table_of(system.generation);
  const std::size_t scale = system.scale();
  double bus =
      std::min(graph.channels * tree_rate(system, graph) * 0.92, graph.channels * table.tree_simple_channel[scale]);
  if (protocol == Protocol::ll)
    bus = std::min(bus / 3.8, system.nodes == 1 ? table.ll_max : ll_max_across_nodes(system));
  if (protocol == Protocol::ll128)
    bus = std::min(bus * (system.nodes == 1 ? 7.0 / 9.0 : 120.0 / 128.0),
                   graph.channels * table.tree_ll128_channel[scale]);
  // NCCL_TOPO_PATTERN_TREE: a GPU that is alone in its node cannot share the tree's two directions with another.
  if (system.gpus_per_node == 1) bus *= 0.85;
  Candidate made;
  made.bandwidth_GBps = 0.5 * bus * tree_correction(protocol, bytes);
  made.latency_us = tree_latencies.base[index(protocol)] +
                    2 * ((system.gpus_per_node - 1) * tree_latencies.nvlink[index(protocol)] +
                         floor_log2(system.nodes) * network_hop(system, Algorithm::tree, protocol));
  return made;
}

/// NVLS inside a node, NVLSTree across nodes.
Candidate nvls(const System& system, const Graph& graph, CollectiveKind kind, std::int64_t bytes) {
  const auto& table = table_of(system.generation);
  const double heads = system.gpus_per_node;
  double rate = graph.nvls_rate * table.nvls_efficiency * (heads - 1) / heads;
  rate *= all_reduce_like(kind) ? 2.0 : (heads - 1) / heads;
  Candidate made;
  made.latency_us = nvls_latencies.nvlink[index(Protocol::simple)];
  if (system.nodes > 1) {
    rate = std::min({rate, system.nic_GBps * system.nics / heads * (system.nodes == 2 ? 2 : 1),
                     table.nvls_tree_channel[system.scale()]});
    made.latency_us += 2 * floor_log2(system.nodes) * network_hop(system, Algorithm::nvls_tree, Protocol::simple);
  }
  const int ranks = system.ranks();
  made.bandwidth_GBps = heads * rate * (all_reduce_like(kind) ? ranks / ring_steps(kind, ranks) : 1.0);
  if (system.nodes > 1 && system.generation == Generation::blackwell && system.cpu != NcclProfile::Cpu::arm)
    made.bandwidth_GBps *= tree_correction(Protocol::simple, bytes);
  return made;
}

/// PAT, for all-gather and reduce-scatter with one GPU per node.
Candidate pat(const System& system, const Graph& graph) {
  Candidate made;
  made.bandwidth_GBps = graph.channels * tree_rate(system, graph) * 0.75;  // it runs on the tree's graph
  made.latency_us = pat_latencies.base[index(Protocol::simple)] +
                    floor_log2(system.nodes) * network_hop(system, Algorithm::pat, Protocol::simple) / 3.5 +
                    system.ranks() * 2.8;
  return made;
}

bool allowed(const std::vector<std::string>& names, std::string_view name) {
  return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

std::string_view to_string(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::ring:
      return "ring";
    case Algorithm::tree:
      return "tree";
    case Algorithm::nvls:
      return "nvls";
    case Algorithm::nvls_tree:
      return "nvls_tree";
    case Algorithm::pat:
      return "pat";
    case Algorithm::point_to_point:
      return "point_to_point";
  }
  LOCKSTEP_CHECK(false, "NCCL algorithm {}", static_cast<int>(algorithm));
}

std::string_view to_string(Protocol protocol) { return nccl_protocol_names()[index(protocol)]; }

const HopLatencies& hop_latencies(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::tree:
      return tree_latencies;
    case Algorithm::nvls:
      return nvls_latencies;
    case Algorithm::nvls_tree:
      return nvls_tree_latencies;
    case Algorithm::pat:
      return pat_latencies;
    case Algorithm::ring:
    case Algorithm::point_to_point:
      return ring_latencies;
  }
  LOCKSTEP_CHECK(false, "NCCL algorithm {}", static_cast<int>(algorithm));
}

double tree_correction(Protocol protocol, std::int64_t bytes) {
  const int power = floor_log2(bytes >> 6);
  return power < 0 || power >= 23 ? 1.0 : corrections[index(protocol)][power];
}

double ll_max_across_nodes(const System& system) {
  // llMaxBws: the row of Volta with Intel and ARM processors, that of Ampere with AMD's.
  const bool amd = system.cpu == NcclProfile::Cpu::amd;
  return system.nodes == 2 ? (amd ? 22.5 : 39.0) : (amd ? 19.0 : 20.4);
}

bool knows(CollectiveKind kind) {
  return all_reduce_like(kind) || all_gather_like(kind) || broadcast_or_reduce(kind) || point_to_point(kind);
}

std::vector<Candidate> candidates(const System& system, CollectiveKind kind, std::int64_t bytes) {
  if (!knows(kind)) throw InputError(fmt::format("NCCL's model has no {}", to_string(kind)));
  const Graph graph = graph_of(system);
  std::vector<Candidate> found;
  const auto add = [&](Candidate made, Algorithm algorithm, Protocol protocol, int channels) {
    if (!allowed(system.settings.algorithms, to_string(algorithm))) return;
    if (!allowed(system.settings.protocols, to_string(protocol))) return;
    made.algorithm = algorithm;
    made.protocol = protocol;
    made.channels = channels;
    made.estimate_us = made.latency_us + static_cast<double>(bytes) / (1000 * made.bandwidth_GBps);
    found.push_back(made);
  };
  if (point_to_point(kind)) {
    found.push_back({Algorithm::point_to_point, Protocol::simple, graph.running_channels, 0, 0, 0});
    return found;
  }
  const auto usable = [&](Protocol protocol) {
    return protocol != Protocol::ll128 || system.nodes == 1 || ll128_across(system.fabric);
  };
  if (all_reduce_like(kind))
    for (const Protocol protocol : protocols)
      if (usable(protocol))
        add(tree(system, graph, protocol, bytes), Algorithm::tree, protocol,
            running_channels(system, graph, Algorithm::tree, protocol, bytes));
  for (const Protocol protocol : protocols)
    if (usable(protocol))
      add(ring(system, graph, kind, protocol, bytes), Algorithm::ring, protocol,
          running_channels(system, graph, Algorithm::ring, protocol, bytes));
  if (system.nvls && system.nodes == 1 && !broadcast_or_reduce(kind))
    add(nvls(system, graph, kind, bytes), Algorithm::nvls, Protocol::simple, graph.nvls_channels);
  if (system.nvls && system.nodes > 1 && all_reduce_like(kind))
    add(nvls(system, graph, kind, bytes), Algorithm::nvls_tree, Protocol::simple, graph.nvls_channels);
  if (system.gpus_per_node == 1 && all_gather_like(kind))
    add(pat(system, graph), Algorithm::pat, Protocol::simple,
        running_channels(system, graph, Algorithm::pat, Protocol::simple, bytes));
  if (found.empty())
    throw InputError(
        fmt::format("profile: nccl.algorithms and nccl.protocols leave nothing that does {} here", to_string(kind)));
  return found;
}

Candidate choose(const System& system, CollectiveKind kind, std::int64_t bytes) {
  const auto found = candidates(system, kind, bytes);
  return *std::min_element(found.begin(), found.end(),
                           [](const Candidate& a, const Candidate& b) { return a.estimate_us < b.estimate_us; });
}

}  // namespace lockstep::nccl
