// Question: do switches merge what they can and nothing else, and does that cost what the closed forms say?
#include "sim/merging.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "core/base/error.hpp"
#include "core/config/document.hpp"
#include "core/profile/profile.hpp"
#include "core/topology/topology.hpp"
#include "core/workload/rows.hpp"
#include "sim/analytic.hpp"
#include "sim/auto.hpp"
#include "sim/executor.hpp"
#include "tests/sim/networks.hpp"

namespace lockstep {
namespace {

using sim::merged_way;

Topology reducing(Topology topology) {
  topology.switching.reduction = SwitchReduction::network;
  return topology;
}

std::vector<DeviceId> hosts(int first, int last) {
  std::vector<DeviceId> devices;
  for (int h = first; h <= last; ++h) devices.push_back(static_cast<DeviceId>(h));
  return devices;
}

PlannedWorkload planned(const std::string& algorithm, int ranks, Bytes size, Bytes chunk = Bytes{0}, int channels = 1,
                        CollectiveKind kind = CollectiveKind::all_reduce) {
  Workload workload;
  workload.name = "w";
  CollectiveSpec spec;
  spec.kind = kind;
  spec.algorithms = {algorithm};
  spec.sizes = {size};
  spec.chunk = chunk;
  spec.channels = channels;
  workload.collectives.push_back(spec);
  return plan_workload(workload, ranks);
}

struct Times {
  double flow_s = 0;
  double analytic_s = 0;
};

Times times_of(const Topology& topology, const Profile& profile, const PlannedWorkload& what,
               const sim::SimulationOptions& options = {}) {
  const Routing routing(topology);
  sim::SimulatedExecutor executor(topology, routing, profile, options);
  Timeline timeline;
  executor.execute(what.plan, timeline);
  Times times;
  times.flow_s = to_seconds(executor.statistics().end);
  times.analytic_s = sim::predict_analytic(topology, routing, profile, what, timeline).collectives[0].time_s;
  return times;
}

TEST(MergedWay, IsATreeThatCrossesEveryLinkOnce) {
  const Topology topology = reducing(test::leaf_spine(4, 10_Gbps, microseconds(1)));
  const Routing routing(topology);
  for (const Merge merge : {Merge::to_one, Merge::from_one}) {
    const auto way = merged_way(topology, routing, hosts(1, 7), 0, merge);
    ASSERT_TRUE(way);
    // A host's own link for each, one from every leaf but the root's to a spine, one or two from there, one to the
    // root.
    EXPECT_GE(way->links.size(), 7U + 3 + 1 + 1);
    EXPECT_LE(way->links.size(), 7U + 3 + 2 + 1);
    EXPECT_EQ(std::set<LinkId>(way->links.begin(), way->links.end()).size(), way->links.size());
    EXPECT_EQ(way->longest.size(), 4U);
    EXPECT_EQ(way->latency, 4 * 1'000'000 + 2 * 300'000) << "two leaves of 300 ns";
    EXPECT_EQ(way->switches, 3);
    const DeviceId end =
        merge == Merge::to_one ? topology.links[way->longest.back()].to : topology.links[way->longest.front()].from;
    EXPECT_EQ(end, 0U);
  }
}

TEST(MergedWay, NeedsASwitchThatCanWhereWaysMeet) {
  const Topology plain = test::star(4, 10_Gbps, microseconds(1));
  EXPECT_FALSE(merged_way(plain, Routing(plain), hosts(1, 3), 0, Merge::to_one)) << "by default they cannot";
  const Topology star = reducing(plain);
  EXPECT_TRUE(merged_way(star, Routing(star), hosts(1, 3), 0, Merge::to_one));
  EXPECT_FALSE(merged_way(star, Routing(star), hosts(1, 1), 0, Merge::to_one)) << "one message is one message";
  // In a ring of hosts they would meet in hosts.
  Topology ring;
  ring.name = "ring";
  for (int h = 0; h < 5; ++h) test::add_host(ring, "h" + std::to_string(h));
  for (DeviceId h = 0; h < 5; ++h) ring.add_duplex(test::cable(h, (h + 1) % 5, 10_Gbps, microseconds(1)));
  ring.finish();
  ring.switching.reduction = SwitchReduction::all;
  EXPECT_FALSE(merged_way(ring, Routing(ring), hosts(1, 4), 0, Merge::to_one));
  const std::vector<DeviceId> neighbours{1, 4};
  EXPECT_FALSE(merged_way(ring, Routing(ring), neighbours, 0, Merge::to_one)) << "these meet at their end";
}

TEST(Merging, TakesWhatItsClosedFormSays) {
  const Profile profile = ideal_profile();
  for (const int ranks : {3, 4, 8})
    for (const auto kind : {CollectiveKind::all_reduce, CollectiveKind::broadcast, CollectiveKind::reduce}) {
      const Topology topology = reducing(test::star(ranks, 10_Gbps, microseconds(5)));
      const auto times = times_of(topology, profile, planned("in_network", ranks, 1'000'000_B, 100'000_B, 1, kind));
      const double sigma = 8e-5;
      const double alpha = 1e-5;
      const double expected = kind == CollectiveKind::all_reduce ? 2 * alpha + 11 * sigma : alpha + 10 * sigma;
      EXPECT_NEAR(times.flow_s, expected, 1e-10) << ranks << " " << to_string(kind);
      EXPECT_NEAR(times.analytic_s, expected, 1e-10) << ranks << " " << to_string(kind);
    }
}

// Where nothing merges the root is the bottleneck: n-1 times the buffer has to get into it, and as much out of it.
TEST(Merging, WithoutItTheRootTakesAllIn) {
  for (const Duration latency : {microseconds(5), milliseconds(1)})
    for (const auto kind : {CollectiveKind::all_reduce, CollectiveKind::broadcast}) {
      const Topology topology = test::star(8, 10_Gbps, latency);
      const auto what = planned("in_network", 8, 1'000'000_B, 100'000_B, 1, kind);
      const auto times = times_of(topology, ideal_profile(), what);
      const bool both = kind == CollectiveKind::all_reduce;
      const double expected = (both ? 4 : 2) * to_seconds(latency) + (both ? 11 : 10) * 7 * 8e-5;
      EXPECT_NEAR(times.flow_s, expected, 0.001 * expected) << to_string(kind);
      EXPECT_NEAR(times.analytic_s, expected, 1e-9) << to_string(kind);
    }
}

TEST(Merging, EveryLinkOfATreeCarriesTheBufferOnce) {
  // 16 hosts, the links between switches as fast as those of hosts: unmerged, four hosts share them.
  const Topology merging = reducing(test::leaf_spine(8, 10_Gbps, microseconds(1)));
  const auto times = times_of(merging, ideal_profile(), planned("in_network", 16, 10'000'000_B, 500'000_B));
  const double sigma = 500'000 * 8 / 10e9;
  EXPECT_NEAR(times.flow_s, 21 * sigma, 0.01 * 21 * sigma);
}

// With everything a profile can ask for: what merged messages cost in software they cost once.
TEST(Merging, SoftwareIsPaidOnce) {
  const Topology topology = reducing(test::star(6, 10_Gbps, microseconds(1)));
  Profile profile = ideal_profile();
  profile.tcp = test::laden_profile().tcp;
  profile.tcp.eager_threshold.reset();
  const auto one = times_of(topology, profile, planned("in_network", 6, 4_KiB));
  Topology pair = reducing(test::star(3, 10_Gbps, microseconds(1)));
  const auto few = times_of(pair, profile, planned("in_network", 3, 4_KiB));
  EXPECT_NEAR(one.flow_s, few.flow_s, 1e-9) << "five messages for the price of two, which is that of one";
  for (const bool rendezvous : {false, true}) {
    Profile costly = test::laden_profile();
    if (!rendezvous) costly.tcp.eager_threshold.reset();
    costly.cores.reset();
    const auto what = planned("in_network", 6, 1_MiB, Bytes{0}, 3);
    const double merged = times_of(topology, costly, what).flow_s;
    const double plain = times_of(test::star(6, 10_Gbps, microseconds(1)), costly, what).flow_s;
    EXPECT_LT(merged, 0.7 * plain) << "rendezvous " << rendezvous;
  }
}

// Ranks that share their cores send one after another, merged or not.
TEST(Merging, EverySenderNeedsItsProcessor) {
  Profile profile = ideal_profile();
  MessageCost cost;
  cost.send_bandwidth = cost.receive_bandwidth = Bandwidth::bytes_per_second(2'000'000'000);
  profile.tcp.messages = {cost};
  profile.cores = 1;
  const auto what = planned("in_network", 8, 16'000'000_B, Bytes{0}, 1, CollectiveKind::reduce);
  const Topology topology = reducing(test::star(8, 100_Gbps, microseconds(1)));
  EXPECT_NEAR(times_of(topology, profile, what).flow_s, 8 * 16e6 / 2e9, 0.01 * 8 * 16e6 / 2e9);
}

// Whatever the routing is, a link carries the messages once and no faster than it can.
TEST(Merging, UnderEveryRouting) {
  for (const RoutingMode mode : {RoutingMode::ecmp, RoutingMode::shortest, RoutingMode::spray, RoutingMode::adaptive}) {
    Topology topology = reducing(test::leaf_spine(4, 10_Gbps, microseconds(1)));
    topology.routing.mode = mode;
    const auto times = times_of(topology, ideal_profile(), planned("in_network", 8, 10'000'000_B, 500'000_B));
    EXPECT_NEAR(times.flow_s, 21 * 4e-4, 0.01 * 21 * 4e-4);
  }
}

// One message crosses a cable, so one draw is its jitter: on average half of the most.
TEST(Merging, JitterIsDrawnOnce) {
  const auto file = [](const std::string& reduction) {
    return "name: t\ngenerate: {star: {hosts: 16, link: {bandwidth: 10Gbps, latency: 1us}}}\nswitching: {reduction: " +
           reduction + "}\nfaults: [{link: h3-s0, jitter: 100us}]\n";
  };
  Workload workload;
  workload.name = "w";
  workload.iterations = 200;
  CollectiveSpec spec;
  spec.kind = CollectiveKind::broadcast;
  spec.algorithms = {"in_network"};
  spec.sizes = {4_KiB};
  workload.collectives = {spec};
  const Topology topology = read_topology(config::parse_text(file("network"), "t.yaml"), "t.yaml");
  sim::SimulationOptions options;
  options.once = false;
  options.disturbances.faults = resolve_faults(topology.faults, topology, 16);
  const Routing routing(topology);
  const Profile profile = ideal_profile();
  sim::SimulatedExecutor executor(topology, routing, profile, options);
  Timeline timeline;
  executor.execute(plan_workload(workload, 16).plan, timeline);
  const double mean = to_seconds(executor.statistics().end) / 201;
  EXPECT_GT(mean, 45e-6);
  EXPECT_LT(mean, 65e-6);
}

TEST(Merging, DoesNotHangOnTheOrderOfSimultaneousStarts) {
  const Topology topology = reducing(test::leaf_spine(4, 10_Gbps, microseconds(1)));
  const auto what = planned("in_network", 8, 3'000'000_B, Bytes{0}, 3);
  const double plain = times_of(topology, test::laden_profile(), what).flow_s;
  for (const std::uint64_t seed : {1, 2, 3}) {
    sim::SimulationOptions options;
    options.shuffle = seed;
    EXPECT_EQ(times_of(topology, test::laden_profile(), what, options).flow_s, plain);
  }
}

// Its lanes have numbers that other algorithms use as well, and it comes more than once.
TEST(Merging, StandsBesideOtherCollectives) {
  Workload workload;
  workload.name = "w";
  workload.iterations = 3;
  for (const char* algorithm : {"in_network", "ring", "in_network", "tree", "in_network"}) {
    CollectiveSpec spec;
    spec.algorithms = {algorithm};
    spec.sizes = {100'000_B};
    workload.collectives.push_back(spec);
  }
  const Topology topology = reducing(test::star(5, 10_Gbps, microseconds(1)));
  const Profile profile = ideal_profile();
  double sum = 0;
  for (const CollectiveSpec& spec : workload.collectives)
    sum += times_of(topology, profile, planned(spec.algorithms.front(), 5, spec.sizes.front())).flow_s;
  const Routing routing(topology);
  sim::SimulationOptions options;
  options.once = false;
  sim::SimulatedExecutor executor(topology, routing, profile, options);
  Timeline timeline;
  executor.execute(plan_workload(workload, 5).plan, timeline);
  EXPECT_NEAR(to_seconds(executor.statistics().end), 4 * sum, 1e-9) << "three iterations and one to warm up";
}

TEST(Merging, ARootOfMoreThreadsThanThereAreNumbersIsRefused) {
  EXPECT_THROW(planned("in_network", 2100, 4_KiB, Bytes{0}, 64, CollectiveKind::broadcast), InputError);
  EXPECT_NO_THROW(planned("in_network", 2040, 4_KiB, Bytes{0}, 64, CollectiveKind::broadcast));
}

// `auto` takes it where switches merge, and only for a clock that knows them.
TEST(Merging, AutoTakesItWhereItIs) {
  CollectiveSpec spec;
  spec.algorithms = {"auto"};
  spec.sizes = {16_MiB};
  Workload workload;
  workload.name = "w";
  workload.collectives = {spec};
  const auto chosen = [&](const Topology& topology, bool merging) {
    return sim::choose_algorithms(workload, topology, Routing(topology), ideal_profile(), 8, merging)
        .collectives.front()
        .algorithms.front();
  };
  const Topology plain = test::star(8, 10_Gbps, microseconds(1));
  EXPECT_EQ(chosen(reducing(plain), true), "in_network");
  EXPECT_NE(chosen(reducing(plain), false), "in_network");
  EXPECT_NE(chosen(plain, true), "in_network");
}

// A root that does not exist is the planner's to name; who names the algorithm is told its time.
TEST(Merging, CandidatesOfWhatIsNamedOrWrong) {
  const Topology plain = test::star(8, 10_Gbps, microseconds(1));
  CollectiveSpec spec;
  spec.kind = CollectiveKind::broadcast;
  spec.algorithms = {"auto"};
  spec.sizes = {1_MiB};
  spec.root = 70;
  EXPECT_THROW(sim::algorithm_times(spec, plain, Routing(plain), ideal_profile(), 8), InputError);
  spec.root = 0;
  spec.algorithms = {"in_network"};
  const auto times = sim::algorithm_times(spec, plain, Routing(plain), ideal_profile(), 8).front();
  EXPECT_TRUE(std::any_of(times.begin(), times.end(), [](const auto& one) { return one.algorithm == "in_network"; }));
}

TEST(Merging, PacketsAreRefused) {
  const Topology topology = reducing(test::star(4, 10_Gbps, microseconds(1)));
  sim::SimulationOptions options;
  options.packets = sim::SimulationOptions::Packets::all;
  EXPECT_THROW(times_of(topology, ideal_profile(), planned("in_network", 4, 1_KiB), options), InputError);
  const Topology plain = test::star(4, 10_Gbps, microseconds(1));
  EXPECT_NO_THROW(times_of(plain, ideal_profile(), planned("in_network", 4, 1_KiB), options));
}

}  // namespace
}  // namespace lockstep
