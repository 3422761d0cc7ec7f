// Plans that measure point-to-point messages: what calibration runs for real and simulates.
//
// Ranks 2i and 2i+1 form a pair; in a row the first `pairs` of them send a message to and fro, `repetitions` times,
// after a common start.
#pragma once

#include <cstdint>
#include <vector>

#include "core/plan/plan.hpp"
#include "core/timeline/timeline.hpp"

namespace lockstep {

struct PingPongRow {
  Bytes size;
  int pairs = 1;
  std::int64_t repetitions = 2;  ///< round trips; the first is not counted (the pair has just woken up)
  std::int64_t rounds = 1;       ///< common starts
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
};

/// `ranks` >= 2 x the pairs of every row. Every row runs a warm-up round first.
PlannedPingPong plan_ping_pong(int ranks, const std::vector<PingPongRow>& rows);

/// Half of every counted round trip of a row, in seconds, over all its pairs.
std::vector<double> one_way_times(const PlannedPingPong& planned, std::size_t row, const Timeline& timeline);

}  // namespace lockstep
