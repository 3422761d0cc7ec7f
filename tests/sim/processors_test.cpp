// Question: does a rank do one job at a time, and do cores serve first come first served?
#include "sim/compute/processors.hpp"

#include <gtest/gtest.h>

namespace lockstep::sim {
namespace {

std::vector<std::uint32_t> begun(Processors& processors) {
  std::vector<Processors::Started> started;
  processors.dispatch(started);
  std::vector<std::uint32_t> ranks;
  for (const auto& job : started) ranks.push_back(job.rank);
  return ranks;
}
using Ranks = std::vector<std::uint32_t>;

TEST(Processors, ARankDoesItsJobsInOrder) {
  Processors processors(2, 0);
  processors.submit(0, 10, 100);
  processors.submit(0, 20, 101);
  processors.submit(1, 30, 102);
  std::vector<Processors::Started> started;
  processors.dispatch(started);
  ASSERT_EQ(started.size(), 2U);
  EXPECT_EQ(started[0].rank, 0U);
  EXPECT_EQ(started[0].duration, 10);
  EXPECT_EQ(started[1].duration, 30);
  EXPECT_EQ(processors.finish(0), 100U);
  started.clear();
  processors.dispatch(started);
  ASSERT_EQ(started.size(), 1U);
  EXPECT_EQ(started[0].duration, 20);
  EXPECT_EQ(processors.finish(1), 102U);
  EXPECT_EQ(processors.finish(0), 101U);
  EXPECT_EQ(begun(processors), Ranks{});
}

TEST(Processors, CoresServeFirstComeFirstServed) {
  Processors processors(4, 2);
  processors.submit(3, 1, 0);
  processors.submit(1, 1, 0);
  processors.submit(2, 1, 0);
  EXPECT_EQ(begun(processors), (Ranks{1, 2}));  // of one moment: the lowest first
  processors.submit(0, 1, 0);
  processors.submit(1, 1, 0);  // behind its own first
  EXPECT_EQ(begun(processors), Ranks{});
  processors.finish(1);
  EXPECT_EQ(begun(processors), Ranks{3});  // came first; rank 1 goes to the end
  processors.finish(2);
  EXPECT_EQ(begun(processors), Ranks{0});
  processors.finish(0);
  EXPECT_EQ(begun(processors), Ranks{1});
}

TEST(Processors, TheOrderOfCallsWithinAMomentChangesNothing) {
  Processors one(3, 1);
  Processors other(3, 1);
  for (const std::uint32_t r : {0U, 1U, 2U}) one.submit(r, 1, r);
  for (const std::uint32_t r : {2U, 0U, 1U}) other.submit(r, 1, r);
  for (int i = 0; i < 3; ++i) {
    const Ranks ranks = begun(one);
    ASSERT_EQ(ranks.size(), 1U);
    EXPECT_EQ(ranks, begun(other));
    EXPECT_EQ(one.finish(ranks[0]), other.finish(ranks[0]));
  }
}

TEST(Processors, ALongJobGivesItsCoreUpAfterASlice) {
  Processors processors(2, 1);
  processors.submit(0, 25, 100, 10);
  processors.submit(0, 1, 101);
  processors.submit(1, 5, 200, 10);
  std::vector<Processors::Started> started;
  const auto begun_now = [&] {
    started.clear();
    processors.dispatch(started);
    return started.size() == 1 ? std::pair{started[0].rank, started[0].duration} : std::pair{99U, std::int64_t{0}};
  };
  using Begun = std::pair<std::uint32_t, std::int64_t>;
  EXPECT_EQ(begun_now(), Begun(0, 10));
  EXPECT_EQ(processors.finish(0), std::nullopt);
  EXPECT_EQ(begun_now(), Begun(1, 5));
  EXPECT_EQ(processors.finish(1), 200U);
  EXPECT_EQ(begun_now(), Begun(0, 10));
  EXPECT_EQ(processors.finish(0), std::nullopt);
  EXPECT_EQ(begun_now(), Begun(0, 5));  // what is left of it, before the rank's next job
  EXPECT_EQ(processors.finish(0), 100U);
  EXPECT_EQ(begun_now(), Begun(0, 1));
  EXPECT_EQ(processors.finish(0), 101U);
}

}  // namespace
}  // namespace lockstep::sim
