// all_to_all and send_recv: messages from GPU to GPU, all at once.
//
// A message is cut into chunks that pass through a buffer, each with a synchronisation c. Of k chunks the time is
// X + k c + X/k, X = bytes / rate; with the k that is best (NCCL shrinks its chunks for short messages) this is
//   X + 2 sqrt(c X),
// which holds from 128 B to 16 GiB on a B200. Inside a node the rate is a share of NVLink; across nodes every GPU has
// its part of the NICs, S (N-1)/N bytes leave it, and its proxy posts to every remote peer in turn.
#include <algorithm>
#include <cmath>

#include "sim/nccl/mechanisms.hpp"

namespace lockstep::sim::nccl {
namespace {

double pipelined(double X, double chunk_latency) { return X + 2 * std::sqrt(chunk_latency * X); }

}  // namespace

Parts point_to_point_parts(const Setting& setting) {
  const System& system = setting.system;
  const GenerationConstants& generation = setting.generation();
  const double n = system.ranks();
  const double g = system.gpus_per_node;
  const bool single = setting.kind == CollectiveKind::send_recv;
  const double inside = single ? (system.nodes == 1 ? setting.bytes : 0.0) : setting.bytes * (g - 1) / n;
  const double outside = system.nodes == 1 ? 0.0 : single ? setting.bytes : setting.bytes * (n - g) / n;
  Parts parts;
  parts.latency = generation.p2p_latency;
  parts.transfer = pipelined(inside / (1000 * generation.p2p_share * system.nvlink_GBps), generation.p2p_chunk_latency);
  if (system.nodes == 1) return parts;
  const double peers = single ? 1 : n - g;
  parts.crossings = 1;
  parts.latency += setting.nccl_crossing() + transport_latency(setting, outside / peers) +
                   setting.constants.shared.post_per_peer * peers;
  const double network = pipelined(outside / (1000 * node_network_rate(system) / g), generation.p2p_chunk_latency);
  parts.transfer = std::max(parts.transfer, network);
  return parts;
}

}  // namespace lockstep::sim::nccl
