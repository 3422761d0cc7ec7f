// Where messages ask before they are sent (`eager_threshold`) over one connection per pair of ranks (`ordered`): what
// holds up the receiver's answer. Where the rules come from: docs/models/software.md, "Answers".
//
//  - It goes over the connection on which the receiver sends to that rank, behind what it sends there already, and
//    behind what it begins to send there.
//  - The first link of its way may hold packets of other data, to other ranks: the answer waits for the train of
//    packets that is there, unless the link's token bucket lets it pass at once. Of data that have left a moment ago,
//    by less than a train's time, that is true, too: ranks that do the same thing are never quite together.
//
// Data that begin to flow at the instant of the answer are not in its way, so that no order of simultaneous events
// makes a difference.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "sim/network/flow.hpp"

namespace lockstep::sim {

class Answers {
 public:
  static constexpr std::uint32_t none = 0xFFFFFFFFU;

  /// `train_bits`: packets that a host puts on its link at once; 0: none are waited for.
  Answers(std::size_t resources, double train_bits) : links_(resources), train_bits_(train_bits) {}

  /// The next pair: the first link of its way, and the least bandwidth on it, in bit/s. No way: `first` is `none`.
  void add_pair(ResourceId first, double narrowest);

  /// The sender's processor begins with a message; is done with it, after it has asked or `enters`.
  void begins(std::uint32_t pair) { ++pairs_[pair].begun; }
  void begun(std::uint32_t pair);
  /// Data enter the connection's queue; begin to leave; have left.
  void enters(std::uint32_t pair, std::int64_t now);
  void flows(std::uint32_t pair, std::int64_t now);
  void left(std::uint32_t pair, std::int64_t now);

  /// True if the answer to `message` has to wait for what goes over `back`: next_answer() gives it later.
  bool holds(std::uint32_t back, std::uint32_t message, std::int64_t now);
  /// An answer that need not wait for `back` any more; none: there is none.
  std::uint32_t next_answer(std::uint32_t back);

  /// How long an answer over `back` waits on its first link, in picoseconds.
  [[nodiscard]] std::int64_t behind_train(std::uint32_t back, FlowNetwork& network, std::int64_t now) const;
  /// What answers hang on beside what is under way: how long ago data left, as far as that matters. For those who
  /// compare two instants.
  [[nodiscard]] std::vector<std::int64_t> ages(std::int64_t now) const;

 private:
  /// An answer that waits until so many messages have been begun with, and so many have left.
  struct Held {
    std::uint32_t message = 0;
    std::uint64_t launched = 0, gone = 0;
  };
  struct Pair {
    ResourceId first = 0;
    double narrowest = 0;
    std::uint64_t begun = 0, launched = 0;                 // messages that a processor began with, and was done with
    std::uint64_t entered = 0, entered_now = 0, gone = 0;  // and those of data
    std::int64_t entered_at = 0;                           // the latest `entered_now` of them
    bool flowing = false;
    std::int64_t since = 0;  // it flows
    std::deque<Held> held{};
  };
  struct Departure {
    std::uint32_t pair = none;
    std::int64_t time = 0;
  };
  struct Link {
    std::int64_t flowing = 0;  // pairs
    std::int64_t begun = 0;    // of these, at `begun_at`
    std::int64_t begun_at = 0;
    std::array<Departure, 2> latest{};  // of two pairs, the latest first
  };

  [[nodiscard]] std::int64_t train_time(double bits_per_second) const;

  std::vector<Pair> pairs_;
  std::vector<Link> links_;
  double train_bits_;
  std::int64_t longest_train_ = 0;
};

}  // namespace lockstep::sim
