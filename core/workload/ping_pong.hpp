// Plans that measure point-to-point messages: what calibration runs for real and simulates.
//
// Ranks 2i and 2i+1 form a pair, or, in a row that is `far`, ranks i and i + ranks/2; in a row the first `pairs` of
// them send a message to and fro, `repetitions` times, after a common start.
#pragma once

#include <cstdint>
#include <vector>

#include "core/plan/plan.hpp"
#include "core/timeline/timeline.hpp"

namespace lockstep {

struct PingPongRow {
  Bytes size;  ///< of an exchange: a multiple of 4
  int pairs = 1;
  bool exchange = false;
  std::int64_t repetitions = 2;  ///< round trips or exchanges per round
  std::int64_t rounds = 1;       ///< common starts
  bool far = false;              ///< only for an even number of ranks
  /// Not of round trips: every message of a round is of other data, which the ranks have just written, as a
  /// collective's are.
  bool fresh = false;
  bool one_way = false;  ///< no message comes back: the lower rank of a pair sends, one message behind the other
  /// What a rank sends in a round.
  [[nodiscard]] Bytes footprint() const { return fresh ? size * repetitions : size; }
};

struct PlannedPingPong {
  Plan plan;
  struct Row {
    PingPongRow row;
    std::uint32_t start = 0;   ///< operation ids, the same in every role: the common start,
    std::uint32_t first = 0;   ///< the first operation of a round trip (the Send of a pinging rank)
    std::uint32_t second = 0;  ///< and the second (its Receive)
  };
  std::vector<Row> rows;

  /// Does `rank` take part in a row?
  [[nodiscard]] bool active(const PingPongRow& row, Rank rank) const;
};

/// `ranks` >= 2 x the pairs of every row. Every row runs a warm-up round first.
PlannedPingPong plan_ping_pong(int ranks, const std::vector<PingPongRow>& rows);

/// One counted round of a row, all its pairs together. Where pairs compete for cores, single messages are quick or slow
/// by turns; the round as a whole is what a collective sees.
struct RoundTimes {
  double first_s = 0;    ///< from the common start until every pair has its first exchange (or round trip) behind it:
                         ///< waking up is in it, as it is in a collective
  double message_s = 0;  ///< of the messages after those: latest end of the last one, less first_s, per message one
                         ///< way; 0 in a row of one repetition
};
std::vector<RoundTimes> round_times(const PlannedPingPong& planned, std::size_t row, const Timeline& timeline);

}  // namespace lockstep
