// Closed forms: microseconds per question.
//
// Quantities: alpha = the largest latency of a route between ranks that an algorithm pairs (r with r+1, r+2, r+4, ...)
// plus the profile's overheads and latency of a message; B = the least bandwidth on such a route, times the payload
// share of its frames; gamma = the reduction rate. A collective takes the sum over its phases (core/collective,
// Cost::phases) of
//   rounds x (alpha + bytes / B)  + what a reduction adds after the last byte of a round;
// with k slices of s bytes per round, on connections that keep their order,
//   (rounds - 1) x max(alpha + s / B, k s / B)  +  alpha + k s / B.
// Assumptions: every rank's link carries what its own schedule sends and nothing else: links inside the network are not
// shared, bursts of token buckets and cores shared by ranks are left out. When it is wrong: oversubscribed networks,
// many channels over one link, the lab at small sizes. Use flow fidelity there.
#pragma once

#include "sim/simulate.hpp"

namespace lockstep::sim {

Prediction predict_analytic(const Topology& topology, const Routing& routing, const Profile& profile,
                            const PlannedWorkload& planned, Timeline& timeline);

}  // namespace lockstep::sim
