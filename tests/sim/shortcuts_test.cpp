// Question: do folding and replay give the numbers of the simulation that takes no shortcut, to the picosecond, also
// where something small breaks the symmetry?
#include <gtest/gtest.h>

#include <map>
#include <tuple>

#include "core/workload/rows.hpp"
#include "core/workload/workload.hpp"
#include "sim/executor.hpp"
#include "tests/plans.hpp"
#include "tests/sim/networks.hpp"

namespace lockstep::sim {
namespace {

// What each kind of rank did when, and how many did it.
using Doings =
    std::map<std::tuple<std::uint32_t, std::uint32_t, std::int64_t, std::int64_t, std::int64_t>, std::int64_t>;

struct Outcome {
  Doings doings;
  SimulationStatistics statistics;
};

Outcome simulate(const Plan& plan, const Topology& topology, const Profile& profile, bool fold, bool replay) {
  const Routing routing(topology);
  SimulationOptions options;
  options.once = false;
  options.fold = fold;
  options.replay = replay;
  SimulatedExecutor executor(topology, routing, profile, options);
  Timeline timeline;
  executor.execute(plan, timeline);
  Outcome outcome;
  for (const auto& record : timeline.operations)
    outcome.doings[{record.role, record.stream, record.ordinal, record.start.count(), record.end.count()}] +=
        record.ranks;
  outcome.statistics = executor.statistics();
  return outcome;
}

struct Saved {
  std::uint64_t ranks = 0;  // that did not have to be simulated
  std::uint64_t steps = 0;
};

Saved expect_same(const Plan& plan, const Topology& topology, const Profile& profile, const std::string& what) {
  const Outcome whole = simulate(plan, topology, profile, false, false);
  EXPECT_EQ(whole.statistics.simulated_ranks, static_cast<std::uint64_t>(plan.ranks));
  EXPECT_EQ(whole.statistics.replayed_steps, 0U);
  Saved saved;
  for (const bool fold : {false, true})
    for (const bool replay : {false, true}) {
      if (!fold && !replay) continue;
      const Outcome quick = simulate(plan, topology, profile, fold, replay);
      const std::string how = what + (fold ? ", folded" : "") + (replay ? ", replayed" : "");
      EXPECT_EQ(quick.statistics.end, whole.statistics.end) << how;
      EXPECT_EQ(quick.statistics.messages, whole.statistics.messages) << how;
      EXPECT_EQ(quick.statistics.payload_bytes, whole.statistics.payload_bytes) << how;
      EXPECT_TRUE(quick.doings == whole.doings) << how;
      saved.ranks = std::max(saved.ranks, whole.statistics.simulated_ranks - quick.statistics.simulated_ranks);
      saved.steps = std::max(saved.steps, quick.statistics.replayed_steps);
    }
  return saved;
}

Plan collectives_of(const std::vector<Collective>& collectives, int ranks) { return test::plan_of(collectives, ranks); }

Collective all_reduce(const std::string& algorithm, std::int64_t count, int channels = 1) {
  Collective collective;
  collective.algorithm = algorithm;
  collective.count = count;
  collective.channels = channels;
  collective.source = collective.target = {0, {}, collective.size()};
  return collective;
}

TEST(Shortcuts, ARingOverAStarIsOneRankAndFourSteps) {
  const Plan plan = collectives_of({all_reduce("ring", 64 * 1000)}, 64);
  const Topology topology = test::star(64, 1_Gbps, microseconds(5));
  const auto saved = expect_same(plan, topology, ideal_profile(), "ring");
  EXPECT_EQ(saved.ranks, 63U);
  EXPECT_GT(saved.steps, 64U * 100) << "without folding every rank's steps are replayed";
  EXPECT_EQ(simulate(plan, topology, ideal_profile(), true, true).statistics.simulated_ranks, 1U);
}

TEST(Shortcuts, EveryAlgorithmInEverySize) {
  for (const int ranks : {2, 3, 4, 5, 8, 12, 16}) {
    auto counts = test::odd_counts(ranks);
    counts.push_back(std::int64_t{ranks} * 1024 * 6);
    const Plan plan = collectives_of(test::varied_collectives(ranks, counts), ranks);
    const std::string what = std::to_string(ranks) + " ranks";
    expect_same(plan, test::star(ranks, 1_Gbps, microseconds(5)), ideal_profile(), what + ", star");
    expect_same(plan, test::star(ranks, 1_Gbps, microseconds(5), 16_KiB), ideal_profile(), what + ", buckets");
    if (ranks % 2 != 0) continue;
    for (const auto mode : {RoutingMode::ecmp, RoutingMode::shortest, RoutingMode::static_rail, RoutingMode::spray,
                            RoutingMode::adaptive}) {
      Topology topology = test::leaf_spine(ranks / 2, 1_Gbps, microseconds(2));
      topology.routing.mode = mode;
      expect_same(plan, topology, ideal_profile(), what + ", leaf-spine, " + std::string(to_string(mode)));
    }
  }
}

TEST(Shortcuts, SymmetricCollectivesFoldAloneWhateverTheyAre) {
  for (const int ranks : {4, 8, 16}) {
    const Topology topology = test::star(ranks, 1_Gbps, microseconds(5));
    for (const char* algorithm : {"ring", "halving_doubling", "recursive_doubling"}) {
      const Plan plan = collectives_of({all_reduce(algorithm, std::int64_t{ranks} * 512, 2)}, ranks);
      EXPECT_EQ(simulate(plan, topology, ideal_profile(), true, false).statistics.simulated_ranks, 1U)
          << algorithm << ", " << ranks << " ranks";
    }
    const Plan uneven = collectives_of({all_reduce("ring", std::int64_t{ranks} * 512 + 1)}, ranks);
    EXPECT_EQ(simulate(uneven, topology, ideal_profile(), true, true).statistics.simulated_ranks,
              static_cast<std::uint64_t>(ranks));
  }
}

Profile laden_without_shared_cores() {
  Profile profile = test::laden_profile();
  profile.cores.reset();
  return profile;
}

TEST(Shortcuts, SoftwareCostsFoldAndReplayToo) {
  for (const int ranks : {4, 8}) {
    const Plan plan = collectives_of({all_reduce("ring", std::int64_t{ranks} * 3000, 2), all_reduce("ring", 999),
                                      all_reduce("halving_doubling", std::int64_t{ranks} * 3000)},
                                     ranks);
    const auto saved = expect_same(plan, test::star(ranks, 1_Gbps, microseconds(5), 16_KiB),
                                   laden_without_shared_cores(), std::to_string(ranks) + " ranks, laden");
    EXPECT_EQ(saved.ranks, 0U) << "999 elements are not dealt evenly";
    Profile buffered = laden_without_shared_cores();
    buffered.tcp.send_buffer = Bytes{4000};
    expect_same(plan, test::star(ranks, 1_Gbps, microseconds(5), 16_KiB), buffered, "buffered");
    expect_same(plan, test::star(ranks, 1_Gbps, microseconds(5)), test::laden_profile(), "two cores for all");
  }
}

// --- Cases built to break them ---

TEST(Shortcuts, OneSlowLink) {
  for (const std::size_t slow : {0, 3, 7}) {
    Topology topology = test::star(8, 1_Gbps, microseconds(5));
    topology.links[2 * slow].bandwidth = 900_Mbps;  // of one direction
    const Plan plan = collectives_of({all_reduce("ring", 8 * 4000), all_reduce("halving_doubling", 8 * 4000)}, 8);
    expect_same(plan, topology, ideal_profile(), "slow uplink of host " + std::to_string(slow));
    topology.links[2 * slow].bandwidth = 1_Gbps;
    topology.links[2 * slow].latency = microseconds(6);
    expect_same(plan, topology, ideal_profile(), "far host " + std::to_string(slow));
  }
}

TEST(Shortcuts, OneLateRank) {
  Plan plan = collectives_of({all_reduce("ring", 6 * 5000)}, 6);
  Role late = plan.roles[0];
  late.name = "late";
  late.streams[0].items.insert(late.streams[0].items.begin(),
                               Operation{"busy", Copy{Span{0, {}, Bytes{4000}}, Span{0, {}, Bytes{4000}}}, {}});
  // Without the common start the lateness lasts.
  for (auto* role : {&plan.roles[0], &late})
    std::erase_if(role->streams[0].items, [](const Item& item) {
      const auto* operation = std::get_if<Operation>(&item);
      return operation != nullptr && std::holds_alternative<Mark>(operation->action);
    });
  plan.roles.push_back(late);
  plan.role_ranges = {{0, 3, 0}, {4, 4, 1}, {5, 5, 0}};
  Profile profile = ideal_profile();
  profile.copies = at_bandwidth(8_Gbps);
  const auto saved = expect_same(plan, test::star(6, 1_Gbps, microseconds(5)), profile, "one late rank");
  EXPECT_EQ(saved.ranks, 0U);
}

TEST(Shortcuts, UnevenRoutes) {
  // Over two spines the hash puts two flows on some uplinks and none on others.
  for (const std::uint64_t seed : {1, 2, 3, 4, 5}) {
    const Topology topology = test::leaf_spine(6, 1_Gbps, microseconds(2));
    const Routing routing(topology, {seed});
    const Plan plan = collectives_of({all_reduce("halving_doubling", 12 * 4096), all_reduce("ring", 12 * 4096)}, 12);
    std::map<std::pair<bool, bool>, Doings> outcomes;
    for (const bool fold : {false, true})
      for (const bool replay : {false, true}) {
        SimulationOptions options;
        options.fold = fold;
        options.replay = replay;
        Timeline timeline;
        const Profile profile = ideal_profile();
        SimulatedExecutor(topology, routing, profile, options).execute(plan, timeline);
        for (const auto& record : timeline.operations)
          outcomes[{fold, replay}][{record.role, record.stream, record.ordinal, record.start.count(),
                                    record.end.count()}] += record.ranks;
      }
    for (const auto& [how, doings] : outcomes) EXPECT_TRUE(doings == (outcomes[{false, false}])) << "seed " << seed;
  }
}

TEST(Shortcuts, SeveralGroupsFoldWhereTheirPlacesAreAlike) {
  // Four groups of four neighbours beside four groups with one member each of those: a grid.
  Plan plan;
  plan.name = "grid";
  plan.ranks = 16;
  GroupFamily rows;
  rows.name = "rows";
  rows.size = 4;
  rows.groups = 4;
  GroupFamily columns = rows;
  columns.name = "columns";
  columns.stride = 4;
  plan.groups = {rows, columns};
  Role role{"all", {{"data", Bytes{1 << 20}}}, {{"main", {}}}};
  for (const GroupId group : {0U, 1U}) {
    Collective collective = all_reduce(group == 0 ? "ring" : "tree", 4096);
    collective.group = group;
    role.streams[0].items.emplace_back(Operation{group == 0 ? "row" : "column", collective, {}});
  }
  plan.roles = {role};
  plan.role_ranges = {{0, 15, 0}};
  ASSERT_TRUE(validate(plan).empty());
  const Topology topology = test::star(16, 1_Gbps, microseconds(3));
  const auto saved = expect_same(plan, topology, ideal_profile(), "grid");
  EXPECT_EQ(saved.ranks, 12U) << "the places in the tree are four, what a row does is the same for all of it";
}

}  // namespace
}  // namespace lockstep::sim
