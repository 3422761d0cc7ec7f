// Are several runs one result with the right percentiles?
#include "study/runs.hpp"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

Result run(double first_s, double second_s) {
  Result result;
  result.seed = 7;
  for (const double time_s : {first_s, second_s}) result.collectives.emplace_back().time_s = time_s;
  result.summary.step_time_s = first_s + second_s;
  return result;
}

TEST(RunStatistics, MedianAndPercentilesPerRow) {
  RunStatistics statistics(run(1, 10));
  for (int i = 1; i <= 20; ++i) statistics.add(run(1 + i, 10));
  const Result result = statistics.result();
  ASSERT_EQ(result.collectives.size(), 2U);
  const auto& row = result.collectives[0];
  EXPECT_EQ(row.time_s, 11);
  EXPECT_EQ(row.min_s, 1);
  EXPECT_EQ(row.p5_s, 2);
  EXPECT_EQ(row.p95_s, 20);
  EXPECT_EQ(row.iterations, 21);
  EXPECT_EQ(row.samples_s.size(), 21U);
  EXPECT_EQ(row.samples_s[3], 4) << "in the order of the seeds";
  EXPECT_EQ(result.collectives[1].p5_s, 10);
  EXPECT_EQ(result.summary.step_time_s, 21) << "of the run in the middle";
  EXPECT_EQ(result.notes.back(), "21 runs, seeds 7 to 27: times are medians; operations are of the first run");
}

}  // namespace
}  // namespace lockstep
