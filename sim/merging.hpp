// Where switches combine messages to one rank, or copy those from one, on their way (SHARP, NVLink SHARP).
//
// The ways of all members make a tree: each member's route, up to the first device that the tree already has a way on
// from. Every link of it carries one message instead of one per member behind it; a device at which ways meet (or part)
// has to be a switch that can do it, else nothing is merged. All members' messages flow together, at the rate of the
// tree's narrowest link, when the last of them is there, and arrive together, after the latency of the longest way.
// When it is wrong: switches combine chunks of a size of their own, of which they hold a few; what waits for a late
// member is held at its sender here.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "core/collective/schedule.hpp"
#include "core/topology/routing.hpp"
#include "core/topology/topology.hpp"

namespace lockstep::sim {

/// Whether a device combines and copies messages, by `switching.reduction`.
bool switch_reduces(const Topology& topology, DeviceId device);
bool any_switch_reduces(const Topology& topology);

struct MergedWay {
  std::vector<LinkId> links;    ///< each once
  std::vector<LinkId> longest;  ///< the way of the member that is farthest, in order
  std::int64_t latency = 0;     ///< of it, ps
  std::int64_t switches = 0;    ///< most on any way
};

/// The tree between `one` and the others, none of them `one` itself; none where a switch that would have to cannot
/// merge, and for fewer than two others. Merge::none is a broken precondition.
std::optional<MergedWay> merged_way(const Topology& topology, const Routing& routing, std::span<const DeviceId> others,
                                    DeviceId one, Merge merge, std::uint64_t label = 0);

/// Whether switches merge the messages of a collective of ranks 0 ... ranks-1, by the ways to (from) its root.
bool switches_merge(const Topology& topology, const Routing& routing, CollectiveKind kind, int ranks, int root);

}  // namespace lockstep::sim
