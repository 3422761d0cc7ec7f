// Do routes go the shortest way, the same way every time, and spread where there is a choice?
#include "core/topology/routing.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <ctime>
#include <filesystem>
#include <limits>
#include <map>
#include <set>

#include "core/base/error.hpp"
#include "core/base/hash.hpp"
#include "tests/core/messages.hpp"

namespace lockstep {
namespace {

Topology read(const std::string& text) { return read_topology(config::parse_text(text, "t.yaml"), "t.yaml"); }

std::string hops(const Topology& topology, const std::vector<LinkId>& route) {
  if (route.empty()) return "";
  std::string text = topology.devices[topology.links[route[0]].from].name;
  for (const LinkId link : route) text += " " + topology.devices[topology.links[link].to].name;
  return text;
}

std::string hops(const Topology& topology, const std::string& from, const std::string& to, std::uint64_t label = 0) {
  return hops(topology, Routing(topology).route(topology.find_device(from), topology.find_device(to), label));
}

TEST(Routing, StarGoesOverItsSwitch) {
  const Topology star =
      read("generate: {star: {hosts: 4, switch_latency: 2us, link: {bandwidth: 1Gbps, latency: 50us}}}");
  EXPECT_EQ(hops(star, "h0", "h3"), "h0 s0 h3");
  EXPECT_EQ(hops(star, "h0", "h0"), "");
  EXPECT_EQ(hops(star, "h0", "s0"), "h0 s0");
  EXPECT_EQ(hops(star, "s0", "h2"), "s0 h2");
  const Routing routing(star);
  const auto route = routing.route(star.endpoint(0), star.endpoint(3));
  EXPECT_EQ(route_latency(star, route), microseconds(102));
  EXPECT_EQ(route_bandwidth(star, route), 1_Gbps);
  EXPECT_EQ(routing.path_count(star.endpoint(0), star.endpoint(3)), 1U);
  EXPECT_EQ(routing.distance(star.endpoint(0), star.endpoint(3)), 2);
}

TEST(Routing, TwoHostsBackToBackNeedNoSwitch) {
  const Topology pair = read(
      "nodes: [{name: a}, {name: b}]\nlinks: [{between: [a, b], bandwidth: 1Gbps}, {between: [b, a], bandwidth: "
      "1Gbps}]");
  EXPECT_EQ(hops(pair, "a", "b"), "a b");
  EXPECT_EQ(hops(pair, "b", "a"), "b a");
  EXPECT_EQ(Routing(pair).path_count(0, 1), 2U);
}

TEST(Routing, RingTakesTheShorterWayRound) {
  const Topology ring = read("generate: {ring: {hosts: 7, link: {bandwidth: 1Gbps}}}");
  EXPECT_EQ(hops(ring, "h0", "h2"), "h0 s0 s1 s2 h2");
  EXPECT_EQ(hops(ring, "h0", "h5"), "h0 s0 s6 s5 h5");
}

TEST(Routing, HostsAndGpusForwardOnlyWhereThereIsNoOtherWay) {
  const std::string hosts =
      "nodes: [{name: a}, {name: b}, {name: c}, {name: s, kind: switch}, {name: t, kind: switch}, {name: u, kind: "
      "switch}]\n";
  const std::string direct =
      "links:\n  - {between: [a, b], bandwidth: 1Gbps}\n  - {between: [b, c], bandwidth: 1Gbps}\n";
  const std::string around =
      "  - {between: [a, s], bandwidth: 1Gbps}\n  - {between: [s, t], bandwidth: 1Gbps}\n"
      "  - {between: [t, u], bandwidth: 1Gbps}\n  - {between: [u, c], bandwidth: 1Gbps}\n";
  EXPECT_EQ(hops(read(hosts + direct), "a", "c"), "a b c");
  EXPECT_EQ(hops(read(hosts + direct + around), "a", "c"), "a s t u c");
  EXPECT_EQ(hops(read(hosts + direct + around), "a", "b"), "a b");
}

TEST(Routing, AHostAsNearAsASwitchIsNotPassed) {
  // From b to d, at s: t and the host c are both one link from u, but c does not forward.
  const Topology topology = read(
      "nodes: [{name: b}, {name: c}, {name: d}, {name: s, kind: switch}, {name: t, kind: switch}, {name: u, kind: "
      "switch}]\n"
      "links:\n"
      "  - {between: [b, s], bandwidth: 1Gbps}\n  - {between: [s, c], bandwidth: 1Gbps}\n  - {between: [c, u], "
      "bandwidth: 1Gbps}\n"
      "  - {between: [s, t], bandwidth: 1Gbps}\n  - {between: [t, u], bandwidth: 1Gbps}\n  - {between: [u, d], "
      "bandwidth: 1Gbps}\n");
  for (std::uint64_t label = 0; label < 32; ++label) EXPECT_EQ(hops(topology, "b", "d", label), "b s t u d");
  EXPECT_EQ(Routing(topology).path_count(topology.find_device("b"), topology.find_device("d")), 1U);
}

// Two GPUs of an A100 node share a PCIe switch, which is as near as the NVSwitch and a tenth as fast.
TEST(Routing, GpusOfOnePcieSwitchUseNvlinkToo) {
  const Topology node = load_topology(LOCKSTEP_SOURCE_DIR "/topologies/a100_node.yaml");
  for (int a = 0; a < 8; ++a)
    for (int b = 0; b < 8; ++b) {
      if (a == b) continue;
      const std::string from = fmt::format("node0.gpu{}", a), to = fmt::format("node0.gpu{}", b);
      for (std::uint64_t label = 0; label < 8; ++label)
        EXPECT_EQ(hops(node, from, to, label), fmt::format("{} node0.nvswitch {}", from, to));
    }
}

TEST(Routing, GpusUseNvlinkInsideANodeAndTheirRailOutside) {
  const Topology rails = load_topology(LOCKSTEP_SOURCE_DIR "/topologies/h100_rail_64.yaml");
  EXPECT_EQ(hops(rails, "node0.gpu0", "node0.gpu5"), "node0.gpu0 node0.nvswitch node0.gpu5");
  EXPECT_EQ(hops(rails, "node0.gpu3", "node7.gpu3"),
            "node0.gpu3 node0.pcie3 node0.nic3 leaf3 node7.nic3 node7.pcie3 node7.gpu3");
  const Routing routing(rails);
  EXPECT_EQ(routing.path_count(rails.find_device("node0.gpu3"), rails.find_device("node7.gpu4")), 4U)
      << "one over each spine";
}

TEST(Routing, CountsThePathsOfAFatTree) {
  const Topology tree = read("generate: {fat_tree: {k: 8, link: {bandwidth: 1Gbps}}}");
  const Routing routing(tree);
  EXPECT_EQ(routing.path_count(tree.endpoint(0), tree.endpoint(1)), 1U) << "same edge switch";
  EXPECT_EQ(routing.path_count(tree.endpoint(0), tree.endpoint(4)), 4U) << "same pod: k/2";
  EXPECT_EQ(routing.path_count(tree.endpoint(0), tree.endpoint(127)), 16U) << "other pod: (k/2)^2";
}

TEST(Routing, PathCountSaturates) {
  std::string text = "nodes: [{name: a}, {name: b}";
  for (int i = 0; i < 12; ++i) text += fmt::format(", {{name: s{}, kind: switch}}", i);
  text += "]\nlinks:\n  - {between: [a, s0], bandwidth: 1Gbps}\n  - {between: [b, s11], bandwidth: 1Gbps}\n";
  for (int i = 0; i < 11; ++i)
    for (int cable = 0; cable < 10; ++cable)
      text += fmt::format("  - {{between: [s{}, s{}], bandwidth: 1Gbps}}\n", i, i + 1);
  const Topology chain = read(text);  // 10^11 paths
  EXPECT_EQ(Routing(chain).path_count(chain.endpoint(0), chain.endpoint(1)), std::uint64_t{1} << 32);
}

TEST(Routing, FlowsSpreadEvenlyOverEqualPaths) {
  const Topology tree = read("generate: {fat_tree: {k: 8, link: {bandwidth: 1Gbps}}}");
  const Routing routing(tree);
  std::map<std::string, int> flows_of_path;
  constexpr int flows = 3200;
  for (int label = 0; label < flows; ++label) {
    const auto route = routing.route(tree.endpoint(0), tree.endpoint(127), static_cast<std::uint64_t>(label));
    EXPECT_EQ(route, routing.route(tree.endpoint(0), tree.endpoint(127), static_cast<std::uint64_t>(label)));
    ++flows_of_path[hops(tree, route)];
  }
  ASSERT_EQ(flows_of_path.size(), 16U);
  // 200 expected on each path, standard deviation 13.7: five of them.
  for (const auto& [path, count] : flows_of_path) EXPECT_NEAR(count, flows / 16.0, 69) << path;
}

TEST(Routing, ParallelCablesShareTheFlows) {
  const Topology sites = load_topology(LOCKSTEP_SOURCE_DIR "/topologies/explicit_two_sites.yaml");
  const Routing routing(sites);
  std::map<LinkId, int> flows_of_cable;
  for (std::uint64_t label = 0; label < 1000; ++label)
    ++flows_of_cable[routing.route(sites.endpoint(0), sites.endpoint(1), label)[1]];
  ASSERT_EQ(flows_of_cable.size(), 2U);
  for (const auto& [cable, count] : flows_of_cable) EXPECT_NEAR(count, 500, 80) << cable;
}

// Worked out from the definition of the hash (routing.hpp) outside this program. Routes are part of every result: the
// choice may not change from one version to the next.
TEST(Routing, ChoicesAreFixedForEver) {
  const Topology network = load_topology(LOCKSTEP_SOURCE_DIR "/topologies/lab_leaf_spine8.yaml");
  std::string spines;
  for (int target = 4; target < 8; ++target)
    for (int source = 0; source < 4; ++source)
      spines +=
          network
              .devices[network.links[Routing(network).route(network.endpoint(source), network.endpoint(target))[1]].to]
              .name.back();
  EXPECT_EQ(spines, "0011000110000101");
}

TEST(Routing, SeedChangesTheChoices) {
  const Topology tree = read("generate: {fat_tree: {k: 8, link: {bandwidth: 1Gbps}}}");
  const Routing one(tree, {.seed = 1}), two(tree, {.seed = 2});
  int differ = 0;
  for (int target = 64; target < 128; ++target)
    differ += one.route(tree.endpoint(0), tree.endpoint(target)) != two.route(tree.endpoint(0), tree.endpoint(target));
  EXPECT_GT(differ, 32);
}

TEST(Routing, SaysWhoCannotReachWhom) {
  Topology apart;
  for (const char* name : {"h3", "h5"}) {
    const auto node = static_cast<NodeId>(apart.nodes.size());
    const DeviceId device = apart.add_device({name, DeviceKind::host, node, Duration{0}});
    apart.nodes.push_back({name, {device}, {device}});
  }
  apart.finish();
  EXPECT_EQ(test::message_of<InputError>([&] { (void)Routing(apart).route(0, 1); }),
            "h3 cannot reach h5: no path of links joins them");
  EXPECT_EQ(test::message_of<InputError>([&] { (void)Routing(apart).distance(1, 0); }),
            "h5 cannot reach h3: no path of links joins them");
}

// A random connected graph of switches with hosts; some cables are doubled.
Topology random_topology(const std::vector<std::pair<int, int>>& cables, int switches, int hosts) {
  Topology topology;
  for (int s = 0; s < switches; ++s)
    topology.add_device({fmt::format("s{}", s), DeviceKind::network_switch, no_id, Duration{0}});
  const auto connect = [&](DeviceId a, DeviceId b) {
    Link link;
    link.from = a;
    link.to = b;
    link.bandwidth = 1_Gbps;
    topology.add_duplex(link);
  };
  for (int h = 0; h < hosts; ++h) {
    const auto node = static_cast<NodeId>(topology.nodes.size());
    const DeviceId device = topology.add_device({fmt::format("h{}", h), DeviceKind::host, node, Duration{0}});
    topology.nodes.push_back({fmt::format("h{}", h), {device}, {device}});
    connect(device, static_cast<DeviceId>(h % switches));
    if (h % 3 == 2)
      connect(device, static_cast<DeviceId>((h + 1) % switches));  // a host with two neighbours is no stub
  }
  for (const auto& [a, b] : cables) connect(static_cast<DeviceId>(a), static_cast<DeviceId>(b));
  topology.finish();
  return topology;
}

/// Distances and numbers of shortest paths by Floyd and Warshall, hosts not forwarding: nothing in common with Routing.
struct Reference {
  std::vector<std::vector<int>> distance;
  std::vector<std::vector<std::uint64_t>> paths;
};
Reference reference(const Topology& topology) {
  const std::size_t n = topology.devices.size();
  constexpr int far = 1'000'000;
  Reference result{std::vector(n, std::vector<int>(n, far)), std::vector(n, std::vector<std::uint64_t>(n, 0))};
  auto& [d, c] = result;
  for (std::size_t i = 0; i < n; ++i) d[i][i] = 0, c[i][i] = 1;
  for (const Link& link : topology.links) d[link.from][link.to] = 1, ++c[link.from][link.to];
  for (std::size_t via = 0; via < n; ++via) {
    if (topology.devices[via].kind == DeviceKind::host) continue;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        if (i == j || via == i || via == j || d[i][via] == far || d[via][j] == far) continue;
        const int detour = d[i][via] + d[via][j];
        if (detour < d[i][j]) d[i][j] = detour, c[i][j] = 0;
        if (detour == d[i][j]) c[i][j] += c[i][via] * c[via][j];
      }
    }
  }
  return result;
}

rc::Gen<std::vector<std::pair<int, int>>> cables_of(int switches) {
  return rc::gen::exec([switches] {
    std::vector<std::pair<int, int>> cables;
    for (int s = 1; s < switches; ++s) cables.emplace_back(*rc::gen::inRange(0, s), s);  // a tree: connected
    const int more = *rc::gen::inRange(0, 2 * switches);
    for (int i = 0; i < more; ++i) {
      const int a = *rc::gen::inRange(0, switches), b = *rc::gen::inRange(0, switches);
      if (a != b) cables.emplace_back(a, b);
    }
    return cables;
  });
}

TEST(RoutingProperties, RoutesAreShortestConnectedAndDeterministic) {
  EXPECT_TRUE(rc::check([] {
    const int switches = *rc::gen::inRange(1, 10);
    const Topology topology = random_topology(*cables_of(switches), switches, *rc::gen::inRange(2, 8));
    const Reference expected = reference(topology);
    const Routing routing(topology);
    RoutingOptions alone;
    alone.single_searches = 3;  // of up to eight sources: then the distances of all are kept
    const Routing again(topology, alone);
    for (int from = 0; from < topology.rank_capacity(); ++from) {
      for (int to = 0; to < topology.rank_capacity(); ++to) {
        const DeviceId source = topology.endpoint(from), target = topology.endpoint(to);
        RC_ASSERT(again.path_count(source, target) == expected.paths[source][target]);
        const auto route = routing.route(source, target, 7);
        RC_ASSERT(static_cast<int>(route.size()) == expected.distance[source][target]);
        RC_ASSERT(routing.distance(source, target) == expected.distance[source][target]);
        RC_ASSERT(routing.path_count(source, target) == expected.paths[source][target]);
        RC_ASSERT(route == again.route(source, target, 7));
        DeviceId at = source;
        for (const LinkId link : route) {
          RC_ASSERT(topology.links[link].from == at);
          RC_ASSERT(at == source || topology.devices[at].kind == DeviceKind::network_switch);
          at = topology.links[link].to;
        }
        RC_ASSERT(at == target);
      }
    }
  }));
}

TEST(RoutingProperties, TheOrderOfLinksDoesNotMatterWherePathsAreUnique) {
  EXPECT_TRUE(rc::check([] {
    const int switches = *rc::gen::inRange(2, 10);
    const auto cables = *cables_of(switches);
    auto shuffled = cables;
    for (std::size_t i = shuffled.size(); i > 1; --i)
      std::swap(shuffled[i - 1], shuffled[*rc::gen::inRange<std::size_t>(0, i)]);
    const Topology one = random_topology(cables, switches, 6), two = random_topology(shuffled, switches, 6);
    const Routing first(one), second(two);
    for (int from = 0; from < 6; ++from) {
      for (int to = 0; to < 6; ++to) {
        const DeviceId source = one.endpoint(from), target = one.endpoint(to);
        RC_ASSERT(first.path_count(source, target) == second.path_count(source, target));
        if (first.path_count(source, target) == 1)
          RC_ASSERT(hops(one, first.route(source, target)) == hops(two, second.route(source, target)));
      }
    }
  }));
}

// Whatever the kind of device: found from both ends is found from the target.
TEST(Routing, ASingleSearchFindsWhatDistancesFind) {
  std::vector<Topology> topologies;
  for (const auto& entry : std::filesystem::directory_iterator(LOCKSTEP_SOURCE_DIR "/topologies"))
    if (entry.path().extension() == ".yaml") topologies.push_back(load_topology(entry.path().string()));
  ASSERT_GT(topologies.size(), 30U);
  for (const Topology& topology : topologies) {
    RoutingOptions kept, alone;
    kept.single_searches = 0;
    alone.single_searches = 60'000;
    const Routing distances(topology, kept), searches(topology, alone);
    const auto n = static_cast<std::uint64_t>(topology.rank_capacity());
    std::uint64_t random = 1;
    for (int i = 0; i < 300; ++i) {
      const DeviceId from = topology.endpoint(static_cast<int>((random = mix64(random)) % n));
      const DeviceId to = topology.endpoint(static_cast<int>((random = mix64(random)) % n));
      ASSERT_EQ(searches.route(from, to, random % 4), distances.route(from, to, random % 4)) << topology.name;
      ASSERT_EQ(searches.distance(from, to), distances.distance(from, to)) << topology.name;
      ASSERT_EQ(searches.path_count(from, to), distances.path_count(from, to)) << topology.name;
    }
  }
}

// Rings over the rails of GPUs: quadratic, if all distances to each of them were worked out.
TEST(RoutingPerformance, RailsOfEightThousandGpusTakeAFractionOfASecond) {
  const Topology topology =
      read("{node: hgx_h100, generate: {leaf_spine: {nodes: 1024, rails: 8, spines: 16, link: {bandwidth: 400Gbps}}}}");
  const std::clock_t start = std::clock();
  const Routing routing(topology);
  std::size_t links = 0;
  for (int rank = 0; rank < 8192; ++rank)
    links += routing.route(topology.endpoint(rank), topology.endpoint((rank + 8) % 8192)).size();
  const double cpu_seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  EXPECT_GT(links, 8192U * 4);
  EXPECT_LT(cpu_seconds, 2.0);  // about 0.05; sanitizers slow it by ten
}

TEST(RoutingPerformance, RingOverAStarOfFourThousandTakesMilliseconds) {
  const Topology star = read("generate: {star: {hosts: 4096, link: {bandwidth: 30GB/s, latency: 1us}}}");
  const std::clock_t start = std::clock();
  const Routing routing(star);
  std::size_t links = 0;
  for (int rank = 0; rank < 4096; ++rank)
    links += routing.route(star.endpoint(rank), star.endpoint((rank + 1) % 4096)).size();
  const double cpu_seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  EXPECT_EQ(links, 2U * 4096);
  EXPECT_LT(cpu_seconds, 0.2);  // about 0.001 on one core of 2020; sanitizers slow it by ten
}

}  // namespace
}  // namespace lockstep
