// Are the totals of the generated schedules those of the formulas, and their chains those of theory?
#include "core/collective/chain.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "core/collective/walk.hpp"
#include "tests/shapes.hpp"

namespace lockstep {
namespace {

ScheduleRequest request(CollectiveKind kind, int ranks, std::int64_t bytes) {
  ScheduleRequest request;
  request.kind = kind;
  request.size = ranks;
  request.count = bytes / 4;
  return request;
}

std::int64_t chain(CollectiveKind kind, const std::string& algorithm, int ranks, std::int64_t bytes) {
  return schedule_totals(request(kind, ranks, bytes), find_algorithm(kind, algorithm)).longest_chain;
}

TEST(ScheduleTotals, ChainsOfTheory) {
  EXPECT_EQ(chain(CollectiveKind::all_reduce, "ring", 8, 4096), 14) << "2 (n - 1)";
  EXPECT_EQ(chain(CollectiveKind::all_gather, "ring", 8, 4096), 7);
  EXPECT_EQ(chain(CollectiveKind::all_reduce, "recursive_doubling", 8, 4096), 3) << "log2 n";
  EXPECT_EQ(chain(CollectiveKind::all_reduce, "halving_doubling", 8, 4096), 6) << "2 log2 n";
  EXPECT_EQ(chain(CollectiveKind::broadcast, "ring", 8, 64 << 20), 7) << "pipelined pieces follow each other freely";
  EXPECT_EQ(chain(CollectiveKind::send_recv, "direct", 8, 4096), 1);
}

TEST(ScheduleTotals, BytesAreThoseOfTheFormula) {
  for (const auto& algorithm : algorithm_catalogue())
    for (const CollectiveKind kind : algorithm.kinds)
      for (const int ranks : {1, 2, 3, 7, 8, 16})
        for (const std::int64_t bytes : {0, 64, 4000, 1 << 20}) {
          Collective collective;
          collective.kind = kind;
          collective.algorithm = algorithm.name;
          collective.count = kind == CollectiveKind::barrier ? 0 : bytes / 4;
          test::give_shape(collective, ranks, ranks);
          collective.source = collective.target = {0, {}, collective.size()};
          const ScheduleRequest asked = request_for(collective, {0, 0, ranks});
          if (algorithm.refusal != nullptr && !algorithm.refusal(asked).empty()) continue;
          const ScheduleTotals totals = schedule_totals(asked, algorithm);
          const Cost cost = algorithm.cost(asked);
          const auto sum = [](const auto& values) {
            return std::accumulate(values.begin(), values.end(), std::int64_t{0});
          };
          EXPECT_EQ(sum(totals.sent), cost.bytes) << algorithm.name << ' ' << to_string(kind) << ' ' << ranks;
          EXPECT_EQ(sum(totals.received), cost.bytes) << algorithm.name << ' ' << to_string(kind) << ' ' << ranks;
          EXPECT_LE(totals.longest_chain, cost.steps) << algorithm.name << ' ' << to_string(kind) << ' ' << ranks;
        }
}

}  // namespace
}  // namespace lockstep
