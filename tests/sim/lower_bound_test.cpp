// Are the bounds what theory says, and is nothing that we predict below them?
#include "sim/lower_bound.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/catalogue.hpp"
#include "core/base/error.hpp"
#include "core/collective/schedule.hpp"
#include "sim/simulate.hpp"
#include "tests/sim/networks.hpp"

namespace lockstep::sim {
namespace {

CollectiveSpec spec(CollectiveKind kind, const std::string& algorithm, Bytes size) {
  CollectiveSpec spec;
  spec.kind = kind;
  spec.algorithms = {algorithm};
  spec.sizes = {size};
  return spec;
}

TEST(LowerBounds, OfAStarByHand) {
  // 1 Gbit/s is 125 MB/s; 4 ranks; 1,000,000 bytes take 8 ms on a link.
  const Topology star = test::star(4, 1_Gbps, microseconds(50));
  const LowerBounds bounds(star, 4);
  const Bytes megabyte{1'000'000};
  const auto bound = [&](CollectiveKind kind) { return bounds.of_cuts(spec(kind, "", megabyte)); };
  EXPECT_NEAR(bound(CollectiveKind::all_reduce).time_s, 2 * 3.0 / 4 * 8e-3, 1e-12) << "2 (n - 1) / n S / B";
  EXPECT_EQ(bound(CollectiveKind::all_reduce).reason, "what all ranks together have to send");
  EXPECT_NEAR(bound(CollectiveKind::all_gather).time_s, 3.0 / 4 * 8e-3, 1e-12);
  EXPECT_NEAR(bound(CollectiveKind::reduce_scatter).time_s, 3.0 / 4 * 8e-3, 1e-12);
  EXPECT_NEAR(bound(CollectiveKind::all_to_all).time_s, 3.0 / 4 * 8e-3, 1e-12);
  EXPECT_NEAR(bound(CollectiveKind::broadcast).time_s, 8e-3, 1e-12);
  EXPECT_EQ(bound(CollectiveKind::broadcast).reason, "what has to leave rank 0");
  EXPECT_NEAR(bound(CollectiveKind::reduce).time_s, 8e-3, 1e-12);
  EXPECT_NEAR(bound(CollectiveKind::send_recv).time_s, 8e-3, 1e-12);
  EXPECT_NEAR(bound(CollectiveKind::barrier).time_s, 100e-6, 1e-15) << "there and no sooner";
  EXPECT_NEAR(bounds.of_cuts(spec(CollectiveKind::all_reduce, "", megabyte), true).time_s, 8e-3, 1e-12)
      << "switches that combine need S from every rank";
  EXPECT_EQ(bounds.of_cuts(spec(CollectiveKind::all_to_all, "", Bytes{4})).time_s, 0)
      << "one element for four ranks: nothing is sent";
  ScheduleRequest request;
  request.size = 4;
  request.count = 16;
  EXPECT_NEAR(bounds.of_algorithm("ring", request).time_s, 6 * 100e-6, 1e-12) << "2 (n - 1) messages in a row";
}

TEST(LowerBounds, TheBisectionCountsWhereItIsNarrow) {
  // Four leaves of two hosts; of the links between switches 2 x 2 cross the middle: as much as four hosts send.
  const Topology topology = test::leaf_spine(4, 1_Gbps, microseconds(1));
  Topology narrow = topology;
  for (Link& link : narrow.links)
    if (narrow.devices[link.from].kind == DeviceKind::network_switch &&
        narrow.devices[link.to].kind == DeviceKind::network_switch)
      link.bandwidth = Bandwidth::bits_per_second(100'000'000);
  const Bytes size{8'000'000};
  const auto row = spec(CollectiveKind::all_to_all, "", size);
  // 4 x 4 pairs cross with a million bytes each, over 4 links of 100 Mbit/s.
  const LowerBound bound = LowerBounds(narrow, 8).of_cuts(row);
  EXPECT_NEAR(bound.time_s, 16 * 8e6 / 400e6, 1e-9);
  EXPECT_EQ(bound.reason, "what has to leave ranks 0 to 3");
  EXPECT_NEAR(LowerBounds(topology, 8).of_cuts(row).time_s, 7 * 8e6 / 1e9, 1e-9) << "wide enough: the ranks' own links";
}

TEST(LowerBounds, TokenBucketsLetABurstPass) {
  const Topology star = test::star(2, 1_Gbps, Duration{0}, 125'000_B);
  const LowerBounds bounds(star, 2);
  EXPECT_EQ(bounds.of_cuts(spec(CollectiveKind::send_recv, "", 125'000_B)).time_s, 0);
  EXPECT_NEAR(bounds.of_cuts(spec(CollectiveKind::send_recv, "", 250'000_B)).time_s, 1e-3, 1e-12);
}

/// Every kind by every algorithm that does it, at three sizes.
Workload everything() {
  Workload workload;
  workload.name = "everything";
  for (const auto& algorithm : algorithm_catalogue())
    for (const CollectiveKind kind : algorithm.kinds) {
      CollectiveSpec row = spec(kind, algorithm.name, 64_B);
      row.sizes = kind == CollectiveKind::barrier ? std::vector<Bytes>{0_B}
                                                  : std::vector<Bytes>{0_B, 4_B, 64_B, 60'000_B, 4_MiB};
      workload.collectives.push_back(row);
    }
  return workload;
}

TEST(LowerBounds, NothingThatWePredictIsBelow) {
  const Profile ideal = ideal_profile();
  for (const int ranks : {2, 3, 8}) {
    for (const Topology& topology :
         {test::star(8, 1_Gbps, microseconds(50)), test::star(8, 1_Gbps, microseconds(50), 64_KiB),
          test::leaf_spine(4, 1_Gbps, microseconds(1))}) {
      const PlannedWorkload planned = plan_workload(everything(), ranks, {1});
      const Routing routing(topology);
      for (const auto& fidelity : fidelity_catalogue()) {
        Timeline timeline;
        const Prediction prediction = fidelity.predict(topology, routing, ideal, planned, timeline);
        EXPECT_NO_THROW(check_lower_bounds(topology, planned, prediction.collectives)) << fidelity.name << ' ' << ranks;
      }
    }
  }
}

TEST(LowerBounds, AnAnswerBelowIsABrokenInvariant) {
  const Topology star = test::star(4, 1_Gbps, microseconds(50));
  Workload workload;
  workload.name = "w";
  workload.collectives.push_back(spec(CollectiveKind::all_reduce, "ring", 1_MiB));
  const PlannedWorkload planned = plan_workload(workload, 4);
  Timeline timeline;
  auto rows = fidelity_catalogue()[1].predict(star, Routing(star), ideal_profile(), planned, timeline).collectives;
  rows[0].time_s = 0.9 * 1.5 * 8 * 1048576 / 1e9;
  try {
    check_lower_bounds(star, planned, rows);
    FAIL() << "accepted";
  } catch (const std::exception& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("all_reduce by ring of 1048576 bytes on 4 ranks takes"));
    EXPECT_THAT(error.what(), testing::HasSubstr("what all ranks together have to send alone takes"));
  }
}

TEST(Analytic, IsNotBelowWhatSharingAllows) {
  Topology narrow = test::leaf_spine(4, 1_Gbps, microseconds(1));
  for (Link& link : narrow.links)
    if (narrow.devices[link.from].kind == DeviceKind::network_switch &&
        narrow.devices[link.to].kind == DeviceKind::network_switch)
      link.bandwidth = Bandwidth::bits_per_second(100'000'000);
  Workload workload;
  workload.name = "w";
  workload.collectives.push_back(spec(CollectiveKind::all_to_all, "pairwise", 8'000'000_B));
  const PlannedWorkload planned = plan_workload(workload, 8);
  Timeline timeline;
  const auto& analytic = *find_in(fidelity_catalogue(), "analytic");
  EXPECT_GE(analytic.predict(narrow, Routing(narrow), ideal_profile(), planned, timeline).collectives[0].time_s, 0.32);
}

}  // namespace
}  // namespace lockstep::sim
