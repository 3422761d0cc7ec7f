// Question: do messages take the ways that the topology's routing gives them: a channel its own, a sprayed message all
// of them, an adapting one the emptiest?
#include <gtest/gtest.h>

#include "core/workload/workload.hpp"
#include "sim/executor.hpp"
#include "tests/plans.hpp"
#include "tests/sim/networks.hpp"

namespace lockstep::sim {
namespace {

struct Outcome {
  double seconds = 0;
  SimulationStatistics statistics;
};

Outcome simulate(const Collective& collective, const Topology& topology, std::uint64_t seed, bool quick = true) {
  const Routing routing(topology, {seed});
  const Profile profile = ideal_profile();
  SimulationOptions options;
  options.fold = options.replay = quick;
  SimulatedExecutor executor(topology, routing, profile, options);
  Timeline timeline;
  executor.execute(test::plan_of({collective}, topology.rank_capacity()), timeline);
  return {to_seconds(executor.statistics().end), executor.statistics()};
}

Collective collective_of(CollectiveKind kind, const std::string& algorithm, std::int64_t count, int channels,
                         int ranks_per_node) {
  Collective collective;
  collective.kind = kind;
  collective.algorithm = algorithm;
  collective.count = count;
  collective.channels = channels;
  collective.ranks_per_node = ranks_per_node;
  collective.target = {0, {}, collective.target_size()};
  collective.source = needs_separate_source(kind) ? Span{1, {}, collective.size()} : collective.target;
  return collective;
}

Topology shipped(const std::string& name) { return load_topology(LOCKSTEP_SOURCE_DIR "/topologies/" + name + ".yaml"); }

// 32 and 64 GPUs with a 400 Gbit/s NIC each and NVLink of 3.6 Tbit/s: a ring of one channel crosses between nodes by
// one NIC, one of eight by eight, and a GPU then passes seven channels on over NVLink, which carries them.
TEST(Routes, EveryChannelOfARingLeavesItsNodeByANicOfItsOwn) {
  for (const char* name : {"h100_rail_64", "h100_rail_only_32"}) {
    const Topology topology = shipped(name);
    const int n = topology.rank_capacity();
    const std::int64_t count = std::int64_t{n} * 8 * 1'000'000;
    const auto seconds_with = [&](int channels, int ranks_per_node) {
      const auto ring = collective_of(CollectiveKind::all_reduce, "ring", count, channels, ranks_per_node);
      return simulate(ring, topology, 1).seconds;
    };
    const double one_nic = 2.0 * (n - 1) / n * static_cast<double>(count) * 4 / 50e9;
    for (const int channels : {2, 4, 8})
      EXPECT_NEAR(seconds_with(channels, 8) * channels / one_nic, 1, 0.01) << name << ", " << channels << " channels";
    // A single ring goes from the last rail to the first, where spines join them, and there some of its messages meet.
    EXPECT_GE(seconds_with(1, 8) / one_nic, 1) << name;
    // Not told of nodes, every channel is that ring.
    EXPECT_GE(seconds_with(8, 0) / one_nic, 1) << name;
  }
}

TEST(Routes, ChannelsFoldAsTheyAreSimulated) {
  const Topology topology = shipped("h100_rail_only_32");
  for (const auto kind : {CollectiveKind::all_reduce, CollectiveKind::all_gather, CollectiveKind::reduce_scatter}) {
    const auto ring = collective_of(kind, "ring", 32 * 8 * 1000, 8, 8);
    const Outcome folded = simulate(ring, topology, 1, true);
    const Outcome whole = simulate(ring, topology, 1, false);
    EXPECT_EQ(folded.statistics.end, whole.statistics.end) << to_string(kind);
    EXPECT_EQ(folded.statistics.messages, whole.statistics.messages) << to_string(kind);
    EXPECT_LT(folded.statistics.simulated_ranks, 32U) << to_string(kind);
  }
}

// Each of four hosts sends to two of the other leaf; two uplinks carry that without a queue if the four messages are
// two on each. A hash does so by luck.
TEST(Routes, SprayingAndAdaptingAvoidTheCollisionsOfAHash) {
  Topology topology = test::leaf_spine(2, 10_Gbps, microseconds(1));
  const std::int64_t block = 10'000'000;
  const auto exchange = collective_of(CollectiveKind::all_to_all, "direct", block, 1, 0);
  const double host = 3.0 / 4 * static_cast<double>(block) * 4 * 8 / 10e9;  // what the host's own link takes
  int collisions = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    topology.routing.mode = RoutingMode::ecmp;
    const double hashed = simulate(exchange, topology, seed).seconds;
    EXPECT_GT(hashed, host);
    if (hashed > host * 1.05) ++collisions;
    for (const auto mode : {RoutingMode::spray, RoutingMode::adaptive}) {
      topology.routing.mode = mode;
      EXPECT_NEAR(simulate(exchange, topology, seed).seconds / host, 1, 1e-3) << "seed " << seed;
    }
  }
  EXPECT_GT(collisions, 2);
}

// Three spines: thirds of a message are whole numbers too. What leaves a leaf of four hosts through three uplinks is
// limited by these, evenly.
TEST(Routes, ASprayedMessageUsesAllUplinksEvenly) {
  Topology topology = read_topology(
      config::parse_text("name: t\ngenerate: {leaf_spine: {hosts: 8, leaves: 2, spines: 3, link: {bandwidth: "
                         "9Gbps}}}\nrouting: {mode: spray}\n",
                         "t.yaml"),
      "t.yaml");
  for (Link& link : topology.links)
    if (topology.devices[link.from].kind == topology.devices[link.to].kind) link.bandwidth = 6_Gbps;
  const std::int64_t count = 8'000'000;
  const auto exchange = collective_of(CollectiveKind::all_to_all, "direct", count, 1, 0);
  // Four hosts send four blocks each across.
  const double uplinks = 16.0 * static_cast<double>(count) / 8 * 4 * 8 / (3 * 6e9);
  EXPECT_NEAR(simulate(exchange, topology, 1).seconds / uplinks, 1, 1e-3);
}

// A spine that is slow gets fewer messages: an adapting switch weighs what is under way by the bandwidth.
TEST(Routes, AdaptingWeighsLoadByBandwidth) {
  Topology topology = test::leaf_spine(2, 10_Gbps, microseconds(1));
  topology.routing.mode = RoutingMode::adaptive;
  const DeviceId slow = 4;  // the first spine, behind four hosts
  for (Link& link : topology.links)
    if (link.from == slow || link.to == slow) link.bandwidth = 1_Gbps;
  Collective one = collective_of(CollectiveKind::scatter, "direct", 10'000'000, 1, 0);
  one.root = 0;
  const double host = 3.0 / 4 * 10'000'000 * 4 * 8 / 10e9;
  // Three messages leave host 0, two of them for the other leaf: both over the fast spine.
  EXPECT_NEAR(simulate(one, topology, 1).seconds / host, 1, 1e-3);
}

}  // namespace
}  // namespace lockstep::sim
