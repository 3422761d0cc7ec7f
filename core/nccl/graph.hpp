// The channels that NCCL lays through a system, and what it takes each to carry.
//
// NCCL searches its topology for rings, trees and NVLS heads, trying rates per channel from a table, fastest first; it
// keeps the one with the highest product of channels and rate, and doubles channels that are fast enough for two.
// For the systems described here (equal GPUs on NVLink, NICs spread evenly) the outcome of that search is arithmetic.
// Source: NCCL, src/graph/search.cc (ncclTopoCompute, ncclTopoDupChannels), connect.cc, transport/nvls.cc.
#pragma once

#include "core/nccl/system.hpp"

namespace lockstep::nccl {

/// Rates in GB/s per channel.
struct Graph {
  int channels = 0;          ///< as the cost model counts them
  double rate = 0;           ///< of a ring's channel
  double tree_rate = 0;      ///< of a tree's channel; on two nodes above the ring's where NVLink allows it
  int running_channels = 0;  ///< as kernels use them
  double nvls_rate = 0;      ///< per head (one head per GPU); 0: no NVLS
  int nvls_channels = 0;
};

Graph graph_of(const System& system);

}  // namespace lockstep::nccl
