// From a plan's Collective to its schedules: the one place where an executor asks "what does this rank do?".
#pragma once

#include <memory>
#include <vector>

#include "core/collective/schedule.hpp"
#include "core/plan/plan.hpp"

namespace lockstep {

/// The request that `rank` makes of its algorithm; place = group.place_of(rank) with instance >= 0.
ScheduleRequest request_for(const Collective& collective, const GroupFamily::Place& place);

/// The algorithm of a collective that is not native. Throws InputError as find_algorithm does.
const Algorithm& algorithm_of(const Collective& collective);

/// Messages of two streams or groups never mix: (group, lane) for collectives, (group, tag) with the top bit for
/// Send/Receive.
constexpr std::uint64_t collective_tag(GroupId group, std::uint16_t lane) {
  return (std::uint64_t{group} << 17) | lane;
}
constexpr std::uint64_t message_tag(GroupId group, std::uint16_t tag) {
  return (std::uint64_t{group} << 17) | (std::uint64_t{1} << 16) | tag;
}
/// The group of either.
constexpr GroupId group_of_tag(std::uint64_t tag) { return static_cast<GroupId>(tag >> 17); }

/// The rank that `peer` names as seen by `rank`, which must be in the peer's group.
Rank peer_rank(const Plan& plan, Rank rank, const Peer& peer);

/// Ranks that `rank` exchanges messages with anywhere in the plan, ascending.
std::vector<Rank> peers_of(const Plan& plan, Rank rank);

/// Payload bytes that each ordered pair of ranks exchanges in one execution of `collective` over all instances of its
/// group; pairs with none are left out; ascending by (from, to).
struct PairBytes {
  Rank from = 0;
  Rank to = 0;
  std::int64_t bytes = 0;
  std::int64_t messages = 0;
};
std::vector<PairBytes> traffic_of(const Plan& plan, const Collective& collective);

}  // namespace lockstep
