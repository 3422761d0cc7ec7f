// What the files of the algorithms share.
#pragma once

#include "sim/nccl/time.hpp"

namespace lockstep::sim::nccl {

/// A question and all that is known to answer it.
struct Setting {
  const System& system;
  const Constants& constants;
  lockstep::nccl::Graph graph;
  Algorithm algorithm;
  Protocol protocol;
  CollectiveKind kind;
  double bytes;  ///< the whole buffer of one rank
  int channels;

  [[nodiscard]] const GenerationConstants& generation() const { return constants.of(system.generation); }
  [[nodiscard]] std::size_t column() const { return static_cast<std::size_t>(protocol); }
  /// NCCL's own figures.
  [[nodiscard]] double base() const { return lockstep::nccl::hop_latencies(algorithm).base[column()]; }
  [[nodiscard]] double nccl_crossing() const { return lockstep::nccl::hop_latencies(algorithm).network[column()]; }
};

/// A hop from GPU to GPU in a node, in us: NCCL's figure times what measurements show through an NVSwitch.
double nvlink_hop(const Setting& setting);

/// What the transport adds to a crossing of the network for messages of `message` bytes on the wire, in us.
double transport_latency(const Setting& setting, double message);

/// What the NICs of a node carry together, in GB/s of payload.
double node_network_rate(const System& system);

/// floor(log2 n): levels of a tree over n nodes.
int levels(int nodes);

Parts ring_parts(const Setting& setting);
Parts tree_parts(const Setting& setting);
Parts nvls_parts(const Setting& setting);  ///< NVLS and NVLSTree
Parts pat_parts(const Setting& setting);
Parts point_to_point_parts(const Setting& setting);

}  // namespace lockstep::sim::nccl
