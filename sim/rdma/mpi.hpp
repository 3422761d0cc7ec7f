// Messages of MPI over UCX, as the OSU micro-benchmarks send them (osu_latency, osu_bw).
//
// Protocols, by size n:
//   short       n up to `short_up_to`: inside the work request
//   eager       copied into a registered buffer, sent, copied out again; above `segment` in segments, one behind the
//               other through copy, NIC and copy
//   rendezvous  a request to send; the receiver reads the payload (RDMA READ) from the sender's memory, which is
//               registered, from the cache or anew, at either end. The request's way counts as one stage
// osu_latency: half of a ping-pong of MPI_Send, which blocks: rendezvous from `rendezvous_blocking` on. osu_bw: windows
// of 64 MPI_Isend and MPI_Irecv, rendezvous from `rendezvous` on, and after each window an answer of 4 bytes.
// Both ends have one processor (thread); requests to send do not hold up payloads.
// When it is wrong: versions of UCX with other thresholds; several rails; hardware tag matching; threads.
// Source: UCX, `ucp/tag`, `ucp/rndv`, `ucp/core/ucp_context.c` (UCX_RNDV_SEND_NBR_THRESH); OSU micro-benchmarks,
// `c/mpi/pt2pt`.
#pragma once

#include "sim/rdma/verbs.hpp"

namespace lockstep::sim::rdma {

inline constexpr std::int64_t osu_window = 64;

struct MpiTest {
  Bytes size;
  std::int64_t window = osu_window;  ///< messages between two answers
  bool register_each = false;        ///< no cache of registrations
};

Breakdown mpi_latency(const Path& path, const Software& software, const MpiTest& test);

/// Messages in windows; every window costs the same, so one is simulated.
Throughput mpi_throughput(const Path& path, const Software& software, const MpiTest& test, std::int64_t iterations);

}  // namespace lockstep::sim::rdma
