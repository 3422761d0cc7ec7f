// Are the faults of a file what it says, wrong ones refused with their place, and random ones the same for a seed?
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "core/base/error.hpp"
#include "core/faults/changes.hpp"
#include "core/faults/draws.hpp"
#include "core/workload/workload.hpp"

namespace lockstep {
namespace {

const Topology& leaf_spine() {
  static const Topology topology =
      read_topology(config::parse_text(
                        "generate: {leaf_spine: {hosts: 4, leaves: 2, spines: 2, link: {bandwidth: 1Gbps}}}", "t.yaml"),
                    "t.yaml");
  return topology;
}

std::vector<Fault> read(const std::string& faults) {
  return read_workload(config::parse_text("name: w\ncollectives: [{kind: barrier}]\nfaults:\n" + faults, "w.yaml"),
                       "w.yaml")
      .faults;
}

std::vector<FaultChange> changes(const std::string& faults, Duration horizon, std::uint64_t seed = 1) {
  return changes_before(FaultStream(resolve_faults(read(faults), leaf_spine(), 4), seed), horizon);
}

std::string message_of(const std::string& faults) {
  try {
    resolve_faults(read(faults), leaf_spine(), 4);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

std::string link_name(LinkId id) {
  const auto& topology = leaf_spine();
  return topology.devices[topology.links[id].from].name + "-" + topology.devices[topology.links[id].to].name;
}

TEST(Faults, AreResolvedAndComeInTheOrderOfTime) {
  const auto list = changes(
      "  - {at: 2s, for: 1s, link: spine1-leaf0, bandwidth: 50%, loss: 0.1%, jitter: 20us}\n"
      "  - {at: 1s, node: h3, slow: 2.0}\n"
      "  - {rank: 2, kill: true}\n",
      seconds(10));
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(list[0].at, Duration{0});
  EXPECT_EQ(list[0].target.ranks, std::vector<int>{2});
  EXPECT_TRUE(list[0].effects.kill);
  EXPECT_EQ(list[0].until, std::nullopt);
  EXPECT_EQ(list[1].target.name, "h3");
  EXPECT_EQ(list[1].target.ranks, std::vector<int>{3});
  EXPECT_EQ(list[1].effects.slow, 2.0);
  EXPECT_EQ(list[2].at, seconds(2));
  EXPECT_EQ(list[2].until, seconds(3));
  ASSERT_EQ(list[2].target.links.size(), 2U) << "both directions, in whichever order the two are named";
  EXPECT_EQ(std::set({link_name(list[2].target.links[0]), link_name(list[2].target.links[1])}),
            std::set<std::string>({"leaf0-spine1", "spine1-leaf0"}));
  EXPECT_EQ(list[2].effects.bandwidth, 0.5);
  EXPECT_EQ(list[2].effects.loss, 0.001);
  EXPECT_EQ(list[2].effects.jitter, microseconds(20));
}

TEST(Faults, ATopologyMayHaveThemToo) {
  const Topology topology = read_topology(
      config::parse_text("generate: {star: {hosts: 2, link: {bandwidth: 1Gbps}}}\nfaults: [{node: h1, down: true}]\n",
                         "t.yaml"),
      "t.yaml");
  const auto resolved = resolve_faults(topology.faults, topology, 2);
  ASSERT_EQ(resolved.size(), 1U);
  EXPECT_EQ(resolved[0].targets[0].links.size(), 2U) << "the links that leave the node";
}

TEST(Faults, RandomOnesAreAFunctionOfTheSeed) {
  const std::string faults = "  - {every: 1s, for: 100ms, link: any, down: true}\n";
  const auto once = changes(faults, seconds(1000), 1);
  const auto again = changes(faults, seconds(1000), 1);
  const auto other = changes(faults, seconds(1000), 2);
  ASSERT_EQ(once.size(), again.size());
  std::set<std::string> hit;
  for (std::size_t i = 0; i < once.size(); ++i) {
    EXPECT_EQ(once[i].at, again[i].at);
    EXPECT_EQ(once[i].target.name, again[i].target.name);
    EXPECT_EQ(once[i].seed, again[i].seed);
    if (i > 0) {
      EXPECT_GE(once[i].at, once[i - 1].at);
    }
    hit.insert(once[i].target.name);
  }
  EXPECT_EQ(hit.size(), 8U) << "every link of the network: 4 hosts, and 2 leaves to 2 spines";
  // Poisson with mean 1,000: within five standard deviations.
  EXPECT_NEAR(static_cast<double>(once.size()), 1000, 160);
  ASSERT_FALSE(other.empty());
  EXPECT_NE(once[0].at, other[0].at);
  // A longer look sees the same beginning.
  const auto longer = changes(faults, seconds(2000), 1);
  ASSERT_GT(longer.size(), once.size());
  EXPECT_EQ(longer[once.size() - 1].at, once.back().at);
}

TEST(Faults, ASeedOfTheirOwnHoldsInEveryRun) {
  const std::string faults =
      "  - {every: 1s, seed: 5, rank: any, slow: 3}\n  - {every: 1s, seed: 5, rank: any, slow: 3}\n";
  const auto one = changes(faults, seconds(20), 1);
  const auto two = changes(faults, seconds(20), 2);
  ASSERT_EQ(one.size(), two.size());
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_EQ(one[i].at, two[i].at);
  for (std::size_t i = 1; i < one.size(); ++i) EXPECT_NE(one[i].at, one[i - 1].at) << "two faults, not one twice";
}

TEST(Faults, GoldenDraws) {
  // What a seed means must not change: 1 s and seed 1, in picoseconds.
  const auto list = changes("  - {every: 1s, rank: any, slow: 2}\n", seconds(5));
  ASSERT_GE(list.size(), 2U);
  EXPECT_EQ(list[0].at.count(), 1'848'439'826'280);
  EXPECT_EQ(list[0].target.name, "rank 0");
  EXPECT_EQ(list[1].at.count(), 2'646'385'920'702);
}

TEST(Draws, ExponentialHasItsMomentsAndTail) {
  Draws draws(42);
  double sum = 0;
  double squares = 0;
  int above_two = 0;
  constexpr int count = 200'000;
  for (int i = 0; i < count; ++i) {
    const double x = draws.exponential();
    ASSERT_GE(x, 0);
    sum += x;
    squares += x * x;
    above_two += x > 2 ? 1 : 0;
  }
  EXPECT_NEAR(sum / count, 1, 0.01);
  EXPECT_NEAR(squares / count, 2, 0.05);
  EXPECT_NEAR(static_cast<double>(above_two) / count, 0.135335, 0.004);
}

TEST(Faults, WrongOnes) {
  EXPECT_EQ(message_of("  - {at: 1s, bandwidth: 50%}\n"),
            "w.yaml:4:5: a fault hits one thing: give 'link', 'node' or 'rank', of which there is none here");
  EXPECT_EQ(message_of("  - {node: h1, rank: 1, slow: 2}\n"),
            "w.yaml:4:5: a fault hits one thing: give 'link', 'node' or 'rank', not several of them");
  EXPECT_EQ(message_of("  - {rank: 1, at: 1s}\n"),
            "w.yaml:4:5: a fault without an effect: give one of bandwidth, down, loss, jitter, slow, kill");
  EXPECT_EQ(message_of("  - {link: h0-leaf0, slow: 2}\n"),
            "w.yaml:4:22: a link has no 'slow'; ranks and nodes have (rank: N, node: NAME)");
  EXPECT_EQ(message_of("  - {rank: 1, loss: 1%}\n"),
            "w.yaml:4:15: a rank has no 'loss'; links and nodes have (link: A-B, node: NAME)");
  EXPECT_EQ(message_of("  - {link: h0-leaf0, bandwidth: 0%}\n"),
            "w.yaml:4:33: a link without bandwidth is down; write 'down: true'");
  EXPECT_EQ(message_of("  - {link: h0-leaf0, loss: 1}\n"),
            "w.yaml:4:28: a link that loses every packet is down; write 'down: true'");
  EXPECT_EQ(message_of("  - {link: h0-leaf0, down: true, loss: 1%}\n"),
            "w.yaml:4:34: a link that is down carries nothing; remove 'loss'");
  EXPECT_EQ(message_of("  - {link: h0-leaf0, down: false}\n"), "w.yaml:4:28: 'down: false' says nothing; remove it");
  EXPECT_EQ(message_of("  - {rank: 1, kill: true, slow: 2}\n"),
            "w.yaml:4:27: a rank that is killed does nothing; remove 'slow'");
  EXPECT_EQ(message_of("  - {rank: 1, kill: true, for: 1s}\n"),
            "w.yaml:4:27: a killed rank does not come back; remove 'for'");
  EXPECT_EQ(message_of("  - {rank: 1, slow: 2, at: 1s, every: 1s}\n"),
            "w.yaml:4:24: give 'at' (once) or 'every' (at random), not both");
  EXPECT_EQ(message_of("  - {rank: 1, slow: 2, seed: 1}\n"),
            "w.yaml:4:24: 'seed' is for faults at random; add 'every', or remove it");
  EXPECT_EQ(message_of("  - {rank: any, slow: 2}\n"),
            "w.yaml:4:12: 'rank: any' is drawn at random; add 'every', or name the rank");
  EXPECT_EQ(message_of("  - {rank: 1, slow: 0.5}\n"), "w.yaml:4:21: must be between 1 and 1000000, is 0.5");
  EXPECT_EQ(message_of("  - {rank: 1, slow: 2, at: 3}\n"),
            "w.yaml:4:28: '3' has no unit; a duration takes ps, ns, us, ms, s, min or h");
  EXPECT_EQ(message_of("  - {rank: 1, slwo: 2}\n"),
            "w.yaml:4:15: unknown fault key 'slwo'; did you mean 'slow'? known: at, for, every, seed, link, node, "
            "rank, bandwidth, down, loss, "
            "jitter, slow, kill");
}

TEST(Faults, NamesThatTheTopologyDoesNotHave) {
  EXPECT_EQ(message_of("  - {link: leaf0-spine9, down: true}\n"),
            "w.yaml:4:5: no link 'leaf0-spine9'; did you mean 'leaf0-spine0'?");
  EXPECT_EQ(message_of("  - {link: leaf0, down: true}\n"),
            "w.yaml:4:5: 'leaf0' is no link; expected two devices or nodes, A-B");
  EXPECT_EQ(message_of("  - {node: h9, slow: 2}\n"),
            "w.yaml:4:5: unknown node 'h9'; did you mean 'h0'? known: h0, h1, h2, h3");
  EXPECT_EQ(message_of("  - {rank: 9, slow: 2}\n"), "w.yaml:4:5: there is no rank 9: the run has ranks 0 to 3");
  const auto spare = [] {
    try {
      resolve_faults(read("  - {node: h3, kill: true}\n"), leaf_spine(), 2);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(spare(), "w.yaml:4:5: node 'h3' has none of the 2 ranks: nothing there can be killed");
}

}  // namespace
}  // namespace lockstep
