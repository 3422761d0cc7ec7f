// Where messages ask before they are sent (`eager_threshold`) over one connection per pair of ranks (`ordered`): what
// holds up the receiver's answer. Equations and where they come from: docs/models/software.md, "Answers".
//
//  - It goes over the connection on which the receiver sends to that rank, behind what it is sending there already.
//  - Its first link may hold packets of the receiver's data to *other* ranks: the answer waits for the train of packets
//    that is there, unless the link's token bucket lets it pass at once. Of data that have left a moment ago, by less
//    than a train's time, that is true, too: ranks that do the same thing are never quite together.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/plan/plan.hpp"
#include "sim/fifo.hpp"
#include "sim/network/flow.hpp"

namespace lockstep::sim {

class Answers {
 public:
  static constexpr std::uint32_t none = 0xFFFFFFFFU;

  /// `train_bits`: packets that a connection puts on its link at once; 0: none are waited for.
  Answers(std::size_t ranks, double train_bits) : outgoing_(ranks), train_bits_(train_bits) {}

  /// The next pair. `narrow`: of the links on its way the slowest.
  void add_pair(Rank from, Rank to, ResourceId narrow) { pairs_.push_back({from, to, narrow}); }
  [[nodiscard]] Rank from(std::uint32_t pair) const { return pairs_[pair].from; }
  [[nodiscard]] Rank to(std::uint32_t pair) const { return pairs_[pair].to; }

  /// The sender's processor begins with a message; is done with it: it has asked, or is on its way.
  void begins(std::uint32_t pair) { ++pairs_[pair].beginning; }
  void begun(std::uint32_t pair) { --pairs_[pair].beginning; }
  /// Data of the pair begin to leave; have left.
  void flows(std::uint32_t pair, std::int64_t now);
  void left(std::uint32_t pair, std::int64_t now);

  // What begins at the same instant is not in the way: no order of simultaneous events makes a difference.
  /// True if the answer to `message` has to wait for what goes over `back`: it is then given by next_answer().
  bool holds(std::uint32_t back, std::uint32_t message, std::int64_t now);
  /// An answer that need not wait for `back` any more; none: there is none.
  std::uint32_t next_answer(std::uint32_t back);

  /// How long an answer over `back` waits on its first link, in picoseconds.
  std::int64_t behind_train(std::uint32_t back, FlowNetwork& network, std::int64_t now) const;
  /// How long ago each rank's latest data left, as far as that matters: for those who compare two instants.
  [[nodiscard]] std::vector<std::int64_t> ages(std::int64_t now) const;

 private:
  struct Pair {
    Rank from = 0, to = 0;
    ResourceId narrow = 0;
    std::uint32_t beginning = 0;
    bool flowing = false;
    std::int64_t since = 0;  // it flows
    Fifo<std::uint32_t> waiting{};
    [[nodiscard]] bool flows_before(std::int64_t now) const { return flowing && since < now; }
  };
  struct Departure {
    std::uint32_t pair = none;
    std::int64_t time = 0;
  };
  struct Outgoing {
    std::int64_t flowing = 0;              // pairs
    std::int64_t begun = 0, begun_at = 0;  // of these, at that instant
    std::array<Departure, 2> latest{};     // of two pairs, the latest first
  };

  std::vector<Pair> pairs_;
  std::vector<Outgoing> outgoing_;  // by rank
  double train_bits_;
};

}  // namespace lockstep::sim
