// The plan: what every rank must do, free of any clock or transport (DESIGN section 3).
//
// A rank's program is a few in-order streams; operations of one stream run one after another, operations of different
// streams run at the same time unless a wait orders them. Programs are stored once per *role* and shared by the ranks
// that play it, so everything in them is relative to the rank: peers are members of a group of which the rank is part,
// spans are offsets into the rank's own buffers. `Repeat` stands for loops; operands may be affine in the loop indices.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/plan/pair_counts.hpp"
#include "core/plan/types.hpp"
#include "core/units/duration.hpp"
#include "core/units/quantity.hpp"

namespace lockstep {

struct CustomAlgorithm;

inline constexpr std::size_t max_loop_depth = 4;
/// Values of the enclosing loops' indices, outermost first; unused ones are 0.
using LoopIndices = std::array<std::int64_t, max_loop_depth>;

/// base + sum of factor[d] * index[d].
struct Affine {
  std::int64_t base = 0;
  std::array<std::int64_t, max_loop_depth> factor{};
  [[nodiscard]] constexpr std::int64_t at(const LoopIndices& indices) const {
    std::int64_t value = base;
    for (std::size_t d = 0; d < max_loop_depth; ++d) value += factor[d] * indices[d];
    return value;
  }
  bool operator==(const Affine&) const = default;
};

using BufferId = std::uint32_t;  ///< index into Role::buffers
using GroupId = std::uint32_t;   ///< index into Plan::groups

/// A piece of one of the rank's buffers.
struct Span {
  BufferId buffer = 0;
  Affine offset;  ///< bytes
  Bytes bytes;
  bool operator==(const Span&) const = default;
};

/// Another rank, as a member of a group the acting rank belongs to.
struct Peer {
  GroupId group = 0;
  bool relative = false;  ///< true: own index + value, modulo the group's size; false: the member with index `value`
  int value = 0;
  bool operator==(const Peer&) const = default;
};

struct Compute {
  double flops = 0;    ///< floating-point operations
  Bytes bytes;         ///< memory traffic
  std::string kernel;  ///< what it is ("matmul:float32:1024x1024x512"), see core/compute/kernel.hpp
  bool operator==(const Compute&) const = default;
};
/// Completes when the buffer may be reused. Messages of one (sender, receiver, group, tag) are matched in order.
struct Send {
  Peer to;
  std::uint16_t tag = 0;
  Span span;
  bool operator==(const Send&) const = default;
};
struct Receive {
  Peer from;
  std::uint16_t tag = 0;
  Span span;
  bool operator==(const Receive&) const = default;
};
/// target = target (reduction) source, element by element.
struct Combine {
  Span source;
  Span target;
  ElementType type = ElementType::float32;
  Reduction reduction = Reduction::sum;
  bool operator==(const Combine&) const = default;
};
struct Copy {
  Span source;
  Span target;
  bool operator==(const Copy&) const = default;
};
/// One collective of a group. An instance is (group, its ordinal in that group); one stream at a time uses a group.
struct Collective {
  CollectiveKind kind = CollectiveKind::all_reduce;
  std::string algorithm = "ring";                 ///< a name of the algorithm catalogue, "native", or "file:PATH" with:
  std::shared_ptr<const CustomAlgorithm> custom;  ///< what that file holds, for groups of this size
  GroupId group = 0;
  int root = 0;  ///< index in the group
  ElementType type = ElementType::float32;
  Reduction reduction = Reduction::sum;
  std::int64_t count = 0;  ///< elements of the whole buffer of one rank, as nccl-tests' size counts
  Span source;             ///< equal to target: in place
  Span target;
  Span scratch;  ///< memory for algorithms from files that ask for it
  int channels = 1;
  Bytes chunk{0};           ///< pipelining unit; 0: the algorithm's own rule
  int ranks_per_node = 0;   ///< see ScheduleRequest
  Dimensions dimensions{};  ///< see ScheduleRequest
  PairCounts counts;        ///< of all_to_all_v: `count` is what its busiest sender sends
  [[nodiscard]] Bytes size() const { return Bytes{count * static_cast<std::int64_t>(element_bytes(type))}; }
  /// What the target must hold: more than size() where an all_to_all_v brings one rank more than any sends.
  [[nodiscard]] Bytes target_size() const {
    return counts.empty()
               ? size()
               : Bytes{std::max(count, counts.most_received()) * static_cast<std::int64_t>(element_bytes(type))};
  }
  bool operator==(const Collective&) const = default;
};
/// Fills the collective's input with its pattern, or compares its output with the expected values, both outside the
/// timed part (core/collective/data.hpp). Without data (the simulator) they take no time.
struct Fill {
  Collective collective;
  bool operator==(const Fill&) const = default;
};
struct Verify {
  Collective collective;
  bool operator==(const Verify&) const = default;
};
/// Makes the kernels that follow ready, outside the timed part: memory is filled, and the result of one call is held
/// against a reference. Without data it takes no time.
struct Prepare {
  std::string kernel;
  bool operator==(const Prepare&) const = default;
};
/// A named point. `together`: every rank of the plan meets here before any goes on. `common_start`, with it: the
/// network falls quiet, and all leave at one instant; what follows is measured from that instant.
struct Mark {
  std::string name;
  bool together = false;
  bool common_start = false;
  bool operator==(const Mark&) const = default;
};

using Action = std::variant<Compute, Send, Receive, Combine, Copy, Collective, Fill, Verify, Mark, Prepare>;

/// Waits until operation `operation` of stream `stream` (of the same rank) is done, `iterations_back` iterations of the
/// innermost loop that both stand in earlier (0: this one). An iteration before the first counts as done; a target in a
/// deeper loop means its last iteration.
struct Wait {
  std::string stream;
  std::string operation;
  std::int64_t iterations_back = 0;
  bool operator==(const Wait&) const = default;
};

struct Operation {
  std::string name;  ///< unique in its stream
  Action action;
  std::vector<Wait> waits;
  bool operator==(const Operation&) const = default;
};

struct Repeat;
using Item = std::variant<Operation, Repeat>;

struct Repeat {
  std::int64_t count = 0;
  std::int64_t warmup = 0;  ///< the first `warmup` iterations are not counted in results
  /// Every iteration begins with a common start and so from the same state: a clock without noise may run one for all.
  bool independent = false;
  std::vector<Item> body;
  bool operator==(const Repeat& other) const;
};

struct Stream {
  std::string name;
  std::vector<Item> items;
  bool operator==(const Stream&) const = default;
};

struct Buffer {
  std::string name;
  Bytes bytes;
  bool operator==(const Buffer&) const = default;
};

struct Role {
  std::string name;
  std::vector<Buffer> buffers;
  std::vector<Stream> streams;
  bool operator==(const Role&) const = default;
};

/// A partition of (some of) the ranks into groups of one size: member k of the group of rank r is
/// base + k * stride, with base = first + ((r - first) / (size * stride)) * size * stride + (r - first) % stride.
/// Explicit member lists serve where that form does not.
struct GroupFamily {
  std::string name;
  Rank first = 0;
  int size = 0;
  int stride = 1;
  int groups = 1;                          ///< how many groups of `size` ranks there are
  std::vector<std::vector<Rank>> members;  ///< when not empty, these lists instead

  struct Place {
    int instance = -1;  ///< which group; -1: the rank is in none
    int index = -1;     ///< the rank's index in it
    int size = 0;
  };
  [[nodiscard]] Place place_of(Rank rank) const;
  [[nodiscard]] Rank member(int instance, int index) const {
    if (!members.empty()) return members[static_cast<std::size_t>(instance)][static_cast<std::size_t>(index)];
    // Asked for every message: mostly there is one block of groups, and a division takes long.
    const int before = instance < stride ? instance : instance / stride * (size * stride) + instance % stride;
    return first + before + index * stride;
  }
  [[nodiscard]] int instances() const;
  [[nodiscard]] int size_of(int instance) const;
  bool operator==(const GroupFamily&) const = default;
};

/// Ranks first..last (inclusive) play `role`.
struct RoleRange {
  Rank first = 0;
  Rank last = 0;
  std::uint32_t role = 0;
  bool operator==(const RoleRange&) const = default;
};

struct Plan {
  std::string name;
  int ranks = 0;
  std::vector<GroupFamily> groups;
  std::vector<Role> roles;
  std::vector<RoleRange> role_ranges;  ///< ascending, disjoint, covering 0..ranks-1

  [[nodiscard]] std::uint32_t role_index(Rank rank) const;
  [[nodiscard]] const Role& role_of(Rank rank) const { return roles[role_index(rank)]; }
  bool operator==(const Plan&) const = default;
};

/// The plan as JSON (`lockstep plan show --json`), and the hash that ranks agree on before they start: SHA-256 of that
/// text.
std::string plan_json(const Plan& plan);
std::string plan_hash(const Plan& plan);
/// The same with all that another process on this machine needs to execute it (processes that a launcher starts), and
/// the way back. Algorithms from files are read again from where they lay. Throws InputError with the place in the
/// text.
std::string plan_exchange(const Plan& plan);
Plan read_plan(std::string_view text, const std::string& source);
/// Indented text for people: roles, streams, loops, operations.
std::string plan_text(const Plan& plan);

/// What is wrong with a plan, every finding: unmatched sends and receives, cycles of waits, spans out of bounds,
/// unknown names, a group used by two streams, deadlock when every send waits for its receiver. Empty: the plan is
/// good.
struct Finding {
  std::string where;  ///< "role 'all', stream 'main', operation 'x'"
  std::string message;
};
std::vector<Finding> validate(const Plan& plan);

}  // namespace lockstep
