// Question: does the table of faults say what is in force when, in the order in which both clocks have to take it?
#include <gtest/gtest.h>

#include "core/faults/timetable.hpp"
#include "core/workload/workload.hpp"

namespace lockstep {
namespace {

std::vector<ResolvedFault> resolved(const std::string& faults) {
  const Topology topology =
      read_topology(config::parse_text("generate: {star: {hosts: 4, link: {bandwidth: 1Gbps}}}", "t.yaml"), "t.yaml");
  const Workload workload = read_workload(
      config::parse_text("name: w\ncollectives: [{kind: barrier}]\nfaults: " + faults + "\n", "w.yaml"), "w.yaml");
  return resolve_faults(workload.faults, topology, 4);
}

TEST(FaultTimetable, WhatEndsEndsBeforeWhatBeginsAtTheSameMoment) {
  FaultTimetable table(resolved("[{at: 1s, for: 1s, rank: 0, slow: 2}, {at: 2s, for: 3s, rank: 0, slow: 4}]"), 1);
  EXPECT_EQ(table.next_time(), seconds(1));
  EXPECT_TRUE(table.advance(milliseconds(999)).begun.empty());
  EXPECT_TRUE(table.active().empty());

  auto changes = table.advance(seconds(1));
  ASSERT_EQ(changes.begun.size(), 1U);
  EXPECT_EQ(changes.begun[0].ordinal, 0U);
  EXPECT_EQ(changes.ranks, std::vector<int>{0});
  EXPECT_EQ(table.next_time(), seconds(2));

  changes = table.advance(seconds(2));
  ASSERT_EQ(changes.ended.size(), 1U);
  EXPECT_EQ(changes.ended[0].effects.slow, 2.0);
  ASSERT_EQ(changes.begun.size(), 1U);
  EXPECT_EQ(changes.begun[0].ordinal, 1U);
  ASSERT_EQ(table.active().size(), 1U);
  EXPECT_EQ(table.active()[0].effects.slow, 4.0);

  EXPECT_EQ(table.next_time(), seconds(5));
  EXPECT_EQ(table.advance(seconds(7)).ended.size(), 1U);
  EXPECT_TRUE(table.active().empty());
  EXPECT_EQ(table.next_time(), std::nullopt);
}

TEST(FaultTimetable, LooksLateAndMissesNothing) {
  // What came and went in between has come and goes at the next look; its links are told for both.
  FaultTimetable table(resolved("[{at: 1s, for: 1s, link: h0-s0, down: true}, {at: 3s, rank: 1, kill: true}]"), 1);
  auto changes = table.advance(seconds(4));
  EXPECT_EQ(changes.begun.size(), 2U);
  EXPECT_EQ(changes.links.size(), 2U);
  EXPECT_EQ(table.next_time(), seconds(2)) << "its end is due";
  changes = table.advance(seconds(4));
  ASSERT_EQ(changes.ended.size(), 1U);
  EXPECT_TRUE(changes.ended[0].effects.down);
  EXPECT_EQ(table.active().size(), 1U) << "the killed stay so";
}

TEST(FaultTimetable, DrawsWhatTheStreamDraws) {
  const auto faults = resolved("[{every: 1s, for: 300ms, link: any, down: true}, {every: 2s, rank: any, slow: 2}]");
  const auto drawn = changes_before(FaultStream(faults, 7), seconds(20));
  FaultTimetable table(faults, 7);
  std::size_t seen = 0;
  for (Duration now{0}; now < seconds(20); now += milliseconds(10))
    for (const auto& fault : table.advance(now).begun) {
      ASSERT_LT(seen, drawn.size());
      EXPECT_EQ(fault.ordinal, seen);
      EXPECT_EQ(fault.at, drawn[seen].at);
      EXPECT_EQ(fault.target.name, drawn[seen].target.name);
      EXPECT_EQ(fault.seed, drawn[seen].seed);
      ++seen;
    }
  EXPECT_GE(seen + 1, drawn.size()) << "but for one in the last 10 ms";
  EXPECT_GT(seen, 20U);
}

TEST(FaultTimetable, SteadyIsWhatHoldsFromStartToEnd) {
  EXPECT_TRUE(steady(std::vector<ResolvedFault>{}));
  EXPECT_TRUE(steady(resolved("[{link: h0-s0, bandwidth: 50%}, {at: 0s, rank: 1, slow: 2}]")));
  for (const char* one : {"{at: 1s, rank: 1, slow: 2}", "{for: 1s, rank: 1, slow: 2}", "{every: 1s, rank: 1, slow: 2}",
                          "{rank: 1, kill: true}", "{link: h0-s0, jitter: 1ms}", "{link: h0-s0, loss: 1%}"})
    EXPECT_FALSE(steady(resolved("[{link: h0-s0, bandwidth: 50%}, " + std::string(one) + "]"))) << one;
}

TEST(FaultTimetable, AKillIsToldAlikeInBothWorlds) {
  EXPECT_EQ(killed_by_fault(3, milliseconds(500), "h3"),
            "rank 3 was killed at 500ms by a fault of h3; the others cannot finish without it");
}

}  // namespace
}  // namespace lockstep
