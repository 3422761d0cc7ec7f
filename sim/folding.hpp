// Ranks that nothing can tell apart are simulated as one.
//
// Exact or not taken: the partition is *equitable*. Ranks of a class play one role and stand in their groups so that
// their schedules are the same seen from themselves (Symmetry in core/collective/schedule.hpp); what they send, k-th
// kind by k-th kind, goes to ranks of one class, over ways of one latency and over resources of the same classes; every
// resource of a class has the same capacity and is crossed by the same number of ways of each kind. Then all ranks of a
// class do the same at the same instants, all flows of a kind have the same rate, and one resource stands for its class
// when each flow counts on it as often as the flows that it stands for cross one resource (the weight in
// sim/network/flow.hpp, whose arithmetic is exact). Method: colour refinement over ranks and resources (Paige and
// Tarjan, "Three partition refinement algorithms", SIAM J. Comput. 1987, is the fast form); colours are hashes, and the
// partition that they give is checked before it is used. Cost: ways x hops x rounds, of which there are a few.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/plan/program.hpp"
#include "sim/network/flow.hpp"

namespace lockstep::sim {

/// What a message passes from one rank to another.
struct Way {
  std::vector<ResourceId> resources;  // each once
  std::vector<double> shares;         // of the message that crosses it; empty: all of it crosses each
  std::int64_t latency = 0;           // picoseconds
  std::int64_t switches = 0;
  double payload_share = 1.0;  // payload bytes per byte on the wire
};

/// Two ranks and a channel in one number: a plan has 2^24 ranks at most.
constexpr std::uint64_t pair_key(Rank from, Rank to, std::uint16_t channel) {
  return static_cast<std::uint64_t>(from) << 40 | static_cast<std::uint64_t>(to) << 16 | channel;
}

/// The way from one rank to another that messages of a channel take.
using WayBetween = std::function<Way(Rank from, Rank to, std::uint16_t channel)>;

struct Folding {
  /// All messages of one kind: `way` is that of the first of them, its resources are classes.
  struct Kind {
    std::uint32_t from_class = 0;
    std::uint32_t to_class = 0;
    Way way;
    std::vector<std::uint32_t> weights;  // of its hops
  };
  std::vector<std::uint32_t> class_of;               // by rank
  std::vector<Rank> representatives;                 // by class: its least rank
  std::vector<std::int64_t> sizes;                   // by class
  std::vector<ResourceId> resource_representatives;  // by class of resources
  std::vector<Kind> kinds;
  /// Known for pairs of which one is a representative and which exchange messages.
  [[nodiscard]] std::uint32_t kind_of(Rank from, Rank to, std::uint16_t channel) const {
    return kind_of_pair.at(pair_key(from, to, channel));
  }
  std::unordered_map<std::uint64_t, std::uint32_t> kind_of_pair;
};

/// The coarsest partition that refinement finds, or none: where no two ranks are alike, or where finding out would cost
/// more than it is worth. `resource_keys`: equal where capacity and bucket are. `by_channel`: channels may take ways of
/// their own; else all are channel 0.
std::optional<Folding> fold(const Plan& plan, std::span<const Program> programs,
                            std::span<const std::uint64_t> resource_keys, bool by_channel,
                            const WayBetween& way_between);

}  // namespace lockstep::sim
