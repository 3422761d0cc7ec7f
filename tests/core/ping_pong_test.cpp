// Question: are the times of point-to-point messages, as calibration takes them off a timeline, those of that row
// alone?
#include "core/workload/ping_pong.hpp"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

// Rounds of a row as they might have been measured: every message takes `message` on every rank, the first begins
// `late` after the common start; the later of two ranks counts.
void record(Timeline& timeline, const PlannedPingPong& planned, std::size_t row, Duration late, Duration message) {
  const auto& entry = planned.rows[row];
  for (Rank rank = 0; rank < 2; ++rank) {
    Duration now = seconds(static_cast<std::int64_t>(row));
    std::int64_t ordinal = 0;
    for (std::int64_t round = 0; round <= entry.row.rounds; ++round) {
      const auto add = [&](std::uint32_t operation, Duration start, Duration end) {
        OperationRecord r;
        r.rank = rank;
        r.operation = operation;
        r.iteration = round;
        r.ordinal = ordinal++;
        r.warmup = round == 0;
        r.start = start;
        r.end = end;
        timeline.operation(r);
      };
      add(entry.start, now, now);
      Duration at = now + (rank == 0 ? late : late / 2);
      for (std::int64_t k = 0; k < entry.row.repetitions; ++k) {
        add(entry.first, at, at);
        add(entry.second, at, at + message);
        at += message;
      }
      add(entry.second + 1, at, at);
      now += milliseconds(10);
    }
  }
}

TEST(RoundTimes, AreThoseOfTheirRowAlone) {
  // Rows of different numbers of rounds: iterations are numbered anew in each.
  const auto planned = plan_ping_pong(2, {{4_B, 1, true, 6, 20}, {8_B, 1, true, 3, 5}, {1_B, 1, false, 4, 2}});
  Timeline timeline;
  record(timeline, planned, 0, microseconds(70), microseconds(12));
  record(timeline, planned, 1, microseconds(30), microseconds(500));
  record(timeline, planned, 2, microseconds(10), microseconds(40));
  const auto expect = [&](std::size_t row, std::size_t rounds, double first_us, double message_us) {
    const auto times = round_times(planned, row, timeline);
    EXPECT_EQ(times.size(), rounds) << row;
    for (const auto& time : times) {
      EXPECT_NEAR(time.first_s, first_us * 1e-6, 1e-12) << row;
      EXPECT_NEAR(time.message_s, message_us * 1e-6, 1e-12) << row;
    }
  };
  expect(0, 20, 70 + 12, 12);
  expect(1, 5, 30 + 500, 500);
  expect(2, 2, 10 + 40, 20);  // a round trip is two messages
}

TEST(RoundTimes, OfOneRepetitionHaveNoMessageAfterTheFirst) {
  const auto planned = plan_ping_pong(2, {{4_B, 1, true, 1, 3}});
  Timeline timeline;
  record(timeline, planned, 0, microseconds(70), microseconds(12));
  for (const auto& time : round_times(planned, 0, timeline)) {
    EXPECT_NEAR(time.first_s, 82e-6, 1e-12);
    EXPECT_EQ(time.message_s, 0);
  }
}

}  // namespace
}  // namespace lockstep
