// NCCL's choice of algorithm and protocol: its cost model, as in src/graph/tuning.cc (tree of 11 June 2026).
//
// Quantities: n ranks on N nodes, S bytes (the whole buffer of one rank), latency L in microseconds, algorithm
// bandwidth B in GB/s (10^9 bytes per second). Equation, per algorithm and protocol:
//
//   time = L + S / (1000 B)
//
// The least time wins. L counts hops: a ring all-reduce base + (2(n-1) - 2(N-1)) intra + 2(N-1) inter, all-gather and
// reduce-scatter half of the hops; a tree base + 2((n/N - 1) intra + floor(log2 N) inter); NVLS 25 us, NVLSTree 25 us +
// 2 floor(log2 N) inter. B is channels x rate per channel times the protocol's efficiency, capped per channel. This is
// how NCCL *decides*, not how long it takes: as a prediction it is right at the peak and too fast below (sim/nccl/).
// Left out: CollNet (SHARP in the network), user buffers, tuner plugins.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/nccl/graph.hpp"
#include "core/nccl/system.hpp"

namespace lockstep::nccl {

/// point_to_point is what all_to_all and send_recv are made of; NCCL does not choose there.
enum class Algorithm : std::uint8_t { ring, tree, nvls, nvls_tree, pat, point_to_point };
enum class Protocol : std::uint8_t { ll, ll128, simple };

std::string_view to_string(Algorithm algorithm);  ///< "ring", "nvls_tree", ...
std::string_view to_string(Protocol protocol);    ///< "LL", "LL128", "Simple", as NCCL writes them

/// NCCL's latencies in microseconds, by protocol (LL, LL128, Simple).
using ByProtocol = std::array<double, 3>;
struct HopLatencies {
  ByProtocol base;     ///< once
  ByProtocol nvlink;   ///< per hop inside a node
  ByProtocol network;  ///< per hop between nodes
};
const HopLatencies& hop_latencies(Algorithm algorithm);

/// NCCL's correction of a tree's bandwidth for S bytes, 64 B to 256 MiB in powers of two: between 0.4 and 1.
double tree_correction(Protocol protocol, std::int64_t bytes);

/// The bandwidth of LL over several nodes, in GB/s, as the CPU sets it.
double ll_max_across_nodes(const System& system);

struct Candidate {
  Algorithm algorithm = Algorithm::ring;
  Protocol protocol = Protocol::simple;
  int channels = 1;           ///< that carry data, for this size
  double latency_us = 0;      ///< L
  double bandwidth_GBps = 0;  ///< B
  double estimate_us = 0;     ///< NCCL's time
};

/// True for the kinds that NCCL's model knows.
bool knows(CollectiveKind kind);

/// All that may be chosen, in NCCL's order (tree before ring, LL before LL128 before Simple). Throws InputError when
/// the settings' algorithms and protocols leave nothing.
std::vector<Candidate> candidates(const System& system, CollectiveKind kind, std::int64_t bytes);

/// The first with the least estimate.
Candidate choose(const System& system, CollectiveKind kind, std::int64_t bytes);

}  // namespace lockstep::nccl
