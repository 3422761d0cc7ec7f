// Messages of MPI over UCX over TCP, as the OSU micro-benchmarks send them.
//
// Quantities: L = latency of the route (with a virtual NIC's: an input, from the topology), R = L there and back with
// the software's part, W = TCP's window, w = a wake-up of the receiver. Equations, latency of n bytes:
//   send + L + receive + bytes on the wire / rate + copies
//   + w if n is more than one packet (the interrupt for the rest is moderated), + w if it is more than one of UCX's
//     segments (another system call)
//   + R from the rendezvous threshold on (request to send, clear to send)
//   + ceil(n / W) - 1 windows, each the longer of R + its copy and its time on the wire: the window is exhausted and
//   its
//     acknowledgement awaited; what the last window holds goes as above
// Throughput: the least of wire, a window per R and copy, and one message per send or receive.
// Assumptions: one connection; no losses; windows do not grow.
// When it is wrong: windows that the kernel tunes up, several connections, TCP in the NIC.
// Source: UCX, `uct/tcp`; the equations are this project's.
#pragma once

#include "sim/rdma/mpi.hpp"

namespace lockstep::sim::rdma {

/// Both need Path::ethernet.
Breakdown tcp_latency(const Path& path, const Software& software, const MpiTest& test);
Throughput tcp_throughput(const Path& path, const Software& software, const MpiTest& test, std::int64_t iterations);

}  // namespace lockstep::sim::rdma
