// How long a collective of NCCL takes, by mechanisms. docs/models/nccl.md has quantities, equations, sources, accuracy.
//
//   time = offset + scale (launch + latency + transfer) + framework overhead
//
// launch: kernels started one after another by one process; latency: hops inside nodes and crossings of the network;
// transfer: bytes over the rate that the narrowest stage sustains, with the filling of pipelines. Each algorithm has a
// file: ring.cpp, tree.cpp, nvls.cpp, point_to_point.cpp. NCCL's own cost model (core/nccl/tuning.hpp) decides which
// of them runs. Doubles, but no function of libm besides sqrt: the result is the same bits everywhere.
#pragma once

#include <cstdint>

#include "core/nccl/tuning.hpp"
#include "sim/nccl/constants.hpp"

namespace lockstep::sim::nccl {

using lockstep::nccl::Algorithm;
using lockstep::nccl::Candidate;
using lockstep::nccl::Protocol;
using lockstep::nccl::System;

/// Where the time goes, in microseconds.
struct Parts {
  double launch = 0;
  double latency = 0;
  double transfer = 0;
  double crossings = 0;  ///< crossings of the network that follow one another: each has the transport's latency once
  [[nodiscard]] double sum() const { return launch + latency + transfer; }
};

/// The parts of one algorithm with one protocol, whether NCCL would choose it or not.
Parts parts_of(const System& system, const Candidate& candidate, CollectiveKind kind, std::int64_t bytes,
               const Constants& constants = fitted_constants());

/// With the profile's correction and the framework's overhead, in microseconds.
double time_us(const System& system, const Parts& parts);

}  // namespace lockstep::sim::nccl
