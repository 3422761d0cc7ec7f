// A profile of messages over the RDMA model, so that collectives can be simulated on it: a ring over verbs, chunk by
// chunk.
//
// Of a message of n bytes the profile has, by intervals of its size:
//   overhead          what the sender's processor does: its library, registration, copies, post and doorbell
//   receive_overhead  what the receiver's does: poll, library, copies
//   latency           all else but wire and network, which the simulation of flows adds (n / B, the route's latencies)
// so that a message alone takes what latency() of layers.hpp says at the upper end of its interval. B is the line's
// rate times the payload's share of its packets, or the rate at which many messages stream, where that is less.
// Connections are ordered: a queue pair keeps the order of its messages.
// Beyond 4 MiB costs go on as straight lines, to 1 GiB.
// When it is wrong: between the ends of intervals (eight to a power of two) a message is charged the upper end's
// latency; messages of one NIC at once share what the link carries, not what the queues of PCIe do; ranks of one node
// would pay the same, so it is for nodes of one rank.
#pragma once

#include <functional>

#include "core/profile/profile.hpp"
#include "sim/rdma/layers.hpp"

namespace lockstep::sim::rdma {

/// The route that a simulation of flows gives the messages: that of the path, and what it crosses inside the nodes.
struct FlowRoute {
  Duration latency{0};
  Bandwidth bandwidth;  ///< of its slowest link
};

/// `test_of`: how a message of a size goes, alone (`lone`) or in a stream.
Profile profile_of(const Path& path, const FlowRoute& route, const Software& software,
                   const std::function<VerbsTest(Bytes size, bool lone)>& test_of);

}  // namespace lockstep::sim::rdma
