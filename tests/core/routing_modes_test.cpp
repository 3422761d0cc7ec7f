// Do the routing modes of a topology do what routing.hpp says: rails, PXN, spraying, adaptive, failures?
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>
#include <set>

#include "core/topology/describe.hpp"
#include "core/topology/routing.hpp"

namespace lockstep {
namespace {

Topology read(const std::string& text) { return read_topology(config::parse_text(text, "t.yaml"), "t.yaml"); }

std::string hops(const Topology& topology, const std::vector<LinkId>& route) {
  std::string text;
  for (const LinkId link : route) text += topology.devices[topology.links[link].to].name + " ";
  return text;
}
std::string hops(const Topology& topology, const std::string& from, const std::string& to) {
  return hops(topology, Routing(topology).route(topology.find_device(from), topology.find_device(to)));
}

std::string rails(int nodes, int spines, const std::string& more = "") {
  return fmt::format(
      "node: hgx_h100\ngenerate: {{leaf_spine: {{nodes: {}, rails: 8, spines: {}, link: {{bandwidth: 400Gbps}}}}}}\n{}",
      nodes, spines, more);
}

void expect_connected(const Topology& topology, DeviceId from, DeviceId to, const std::vector<LinkId>& route) {
  DeviceId at = from;
  for (const LinkId link : route) {
    RC_ASSERT(topology.links[link].from == at);
    at = topology.links[link].to;
  }
  RC_ASSERT(at == to);
}

TEST(RailRoutes, PxnCrossesNvlinkToTheGpuOfTheRail) {
  for (const int spines : {0, 4}) {
    const Topology network = read(rails(4, spines, "routing: {mode: static_rail}\n"));
    EXPECT_TRUE(network.routing.pxn) << "the default of static_rail";
    EXPECT_EQ(hops(network, "node0.gpu3", "node2.gpu5"),
              "node0.nvswitch node0.gpu5 node0.pcie5 node0.nic5 leaf5 node2.nic5 node2.pcie5 node2.gpu5 ");
    EXPECT_EQ(hops(network, "node0.gpu3", "node2.gpu3"),
              "node0.pcie3 node0.nic3 leaf3 node2.nic3 node2.pcie3 node2.gpu3 ");
    EXPECT_EQ(hops(network, "node0.gpu3", "node0.gpu5"), "node0.nvswitch node0.gpu5 ");
  }
}

TEST(RailRoutes, WithoutPxnTheSpinesJoinTheRails) {
  const Topology network = read(rails(4, 4, "routing: {mode: static_rail, pxn: false}\n"));
  EXPECT_EQ(hops(network, "node0.gpu3", "node2.gpu5"),
            "node0.pcie3 node0.nic3 leaf3 spine2 leaf5 node2.nic5 node2.pcie5 node2.gpu5 ")
      << "spine by the target's node: 2 modulo 4";
}

TEST(RailRoutes, StayOnTheRailOfTheTarget) {
  EXPECT_TRUE(rc::check([] {
    const int pods = *rc::gen::element(1, 2), spines = pods == 1 ? *rc::gen::element(0, 3) : 3;
    const Topology network =
        read(fmt::format("node: hgx_h100\ngenerate: {{leaf_spine: {{nodes: 4, rails: 8, pods: {}, spines: {}, link: "
                         "{{bandwidth: 400Gbps}}}}}}\nrouting: {{mode: static_rail}}",
                         pods, spines));
    const Routing routing(network);
    const int from = *rc::gen::inRange(0, 32), to = *rc::gen::inRange(0, 32);
    const auto route = routing.route(network.endpoint(from), network.endpoint(to), *rc::gen::inRange(0, 4));
    expect_connected(network, network.endpoint(from), network.endpoint(to), route);
    RC_ASSERT(static_cast<int>(route.size()) == routing.distance(network.endpoint(from), network.endpoint(to)));
    for (const LinkId link : route) {
      const std::string& name = network.devices[network.links[link].to].name;
      if (name.rfind("leaf", 0) == 0) RC_ASSERT(std::stoi(name.substr(4)) % 8 == to % 8);
      if (name.find(".nic") != std::string::npos) RC_ASSERT(name.back() - '0' == to % 8);
    }
  }));
}

TEST(RailRoutes, RailsOfAGpuAreTheLeavesOfItsNics) {
  const Topology network = read(rails(2, 2));
  const Routing routing(network);
  EXPECT_EQ(routing.rails(network.find_device("node1.gpu6")), std::vector<DeviceId>{network.find_device("leaf6")});
  const Topology four =
      read("node: p5\ngenerate: {leaf_spine: {nodes: 2, rails: 32, spines: 0, link: {bandwidth: 100Gbps, kind: efa}}}");
  EXPECT_EQ(Routing(four).rails(four.find_device("node0.gpu0")).size(), 4U);
}

TEST(RailRoutes, ChannelsLeaveThroughTheNicsOfTheirGpu) {
  const Topology network = read(
      "node: p5\ngenerate: {leaf_spine: {nodes: 2, rails: 32, spines: 0, link: {bandwidth: 100Gbps, kind: efa}}}\n"
      "routing: {mode: static_rail}");
  const Routing routing(network);
  std::set<DeviceId> nics;
  for (std::uint64_t channel = 0; channel < 4; ++channel)
    nics.insert(network.links[routing.route(network.endpoint(1), network.endpoint(9), channel)[1]].to);
  EXPECT_EQ(nics.size(), 4U);
}

TEST(StaticRoutes, PermutationsOverAFatTreeDoNotCollide) {
  // D-mod-k: shifts over a full k-ary fat tree use every link at most once.
  for (const int shift : {1, 3, 7, 16, 61}) {
    const Topology tree = read("generate: {fat_tree: {k: 8, link: {bandwidth: 1Gbps}}}\nrouting: {mode: static_rail}");
    const Routing routing(tree);
    std::map<LinkId, int> upwards;
    for (int from = 0; from < 128; ++from)
      for (const LinkId link : routing.route(tree.endpoint(from), tree.endpoint((from + shift) % 128)))
        EXPECT_EQ(++upwards[link], 1) << "shift " << shift << " on " << tree.devices[tree.links[link].from].name;
  }
}

TEST(StaticRoutes, ShortestTakesOnePathForAllFlows) {
  const Topology tree = read("generate: {fat_tree: {k: 8, link: {bandwidth: 1Gbps}}}\nrouting: {mode: shortest}");
  const Routing routing(tree);
  for (std::uint64_t label = 1; label < 20; ++label)
    EXPECT_EQ(routing.route(tree.endpoint(0), tree.endpoint(127), label),
              routing.route(tree.endpoint(0), tree.endpoint(127)));
}

TEST(SprayedRoutes, AreAllShortestPathsWithSharesThatAddUp) {
  const Topology tree = read("generate: {fat_tree: {k: 8, link: {bandwidth: 1Gbps}}}\nrouting: {mode: spray}");
  const Routing routing(tree);
  const auto all = routing.routes(tree.endpoint(0), tree.endpoint(127));
  ASSERT_EQ(all.size(), 16U);
  std::set<std::vector<LinkId>> different;
  for (const auto& path : all) {
    EXPECT_DOUBLE_EQ(path.share, 1.0 / 16);
    EXPECT_EQ(path.links.size(), 6U);
    different.insert(path.links);
  }
  EXPECT_EQ(different.size(), 16U);
  double total = 0;
  const auto some = routing.routes(tree.endpoint(0), tree.endpoint(127), 0, 5);
  EXPECT_LE(some.size(), 5U);
  for (const auto& path : some) total += path.share;
  EXPECT_DOUBLE_EQ(total, 1.0);
  EXPECT_TRUE(routing.routes(0, 0).empty());
}

TEST(SprayedRoutes, SharesFollowTheChoicesAtEverySwitch) {
  // a splits over x and y; x has two cables to b, y one: 1/4, 1/4, 1/2.
  const Topology uneven = read(
      "nodes: [{name: a}, {name: b}, {name: s, kind: switch}, {name: x, kind: switch}, {name: y, kind: switch}, {name: "
      "t, kind: switch}]\n"
      "links: [{between: [a, s], bandwidth: 1Gbps}, {between: [s, x], bandwidth: 1Gbps}, {between: [s, y], bandwidth: "
      "1Gbps}, {between: [x, t], bandwidth: 1Gbps}, {between: [x, t], bandwidth: 1Gbps}, {between: [y, t], bandwidth: "
      "1Gbps}, {between: [t, b], bandwidth: 1Gbps}]\nrouting: {mode: spray}");
  const auto all = Routing(uneven).routes(uneven.find_device("a"), uneven.find_device("b"));
  ASSERT_EQ(all.size(), 3U);
  EXPECT_DOUBLE_EQ(all[0].share, 0.25);
  EXPECT_DOUBLE_EQ(all[1].share, 0.25);
  EXPECT_DOUBLE_EQ(all[2].share, 0.5);
}

TEST(SprayedRoutes, OtherModesHaveOneRoute) {
  for (const char* mode : {"ecmp", "shortest", "adaptive", "static_rail"}) {
    const Topology tree =
        read(fmt::format("generate: {{fat_tree: {{k: 4, link: {{bandwidth: 1Gbps}}}}}}\nrouting: {{mode: {}}}", mode));
    const Routing routing(tree);
    const auto one = routing.routes(tree.endpoint(0), tree.endpoint(15), 3);
    ASSERT_EQ(one.size(), 1U) << mode;
    EXPECT_EQ(one[0].links, routing.route(tree.endpoint(0), tree.endpoint(15), 3));
  }
}

TEST(AdaptiveRoutes, TakeTheLeastLoadedLinkAtEverySwitch) {
  const Topology tree = read("generate: {fat_tree: {k: 8, link: {bandwidth: 1Gbps}}}\nrouting: {mode: adaptive}");
  const Routing routing(tree);
  std::map<LinkId, int> flows;
  const LinkLoad load = [&](LinkId link) { return static_cast<double>(flows[link]); };
  for (int i = 0; i < 16; ++i)
    for (const LinkId link : routing.route_by_load(tree.endpoint(i % 4), tree.endpoint(127 - i % 4), load))
      ++flows[link];
  for (const auto& [link, count] : flows) {
    const bool of_host = tree.devices[tree.links[link].from].kind == DeviceKind::host ||
                         tree.devices[tree.links[link].to].kind == DeviceKind::host;
    EXPECT_LE(count, 4) << "16 flows over 4 uplinks of the edge switch, or 4 of a host";
    if (of_host) {
      EXPECT_EQ(count, 4);
    }
  }
}

TEST(FailedLinks, RoutesGoAroundThem) {
  const std::string network = "generate: {leaf_spine: {hosts: 4, leaves: 2, spines: 2, link: {bandwidth: 1Gbps}}}\n";
  const Topology failed = read(network + "failed: [{between: [spine0, leaf1]}]\n");
  EXPECT_EQ(failed.links.size(), 2U * (4 + 3));
  EXPECT_EQ(failed.resource_count(), failed.links.size());
  const Routing routing(failed);
  for (std::uint64_t label = 0; label < 20; ++label)
    EXPECT_EQ(hops(failed, routing.route(failed.endpoint(0), failed.endpoint(3), label)), "leaf0 spine1 leaf1 h3 ");
  EXPECT_EQ(to_text(failed, summarise(failed)).find("failed     spine0 - leaf1\n") != std::string::npos, true);
  const Topology without = read(network + "failed: [{device: spine1}]\n");
  EXPECT_EQ(hops(without, "h0", "h3"), "leaf0 spine0 leaf1 h3 ");
}

TEST(FailedLinks, AGpuWhoseNicFailedTakesAnother) {
  const Topology network = read(rails(2, 2, "failed: [{device: node0.nic3}]\n"));
  EXPECT_EQ(hops(network, "node0.gpu3", "node1.gpu0").substr(0, 24), "node0.pcie3 node0.cpu0 n")
      << "over the CPU to a neighbour's NIC";
  const Topology pxn = read(rails(2, 0, "failed: [{device: node0.nic3}]\nrouting: {mode: static_rail}\n"));
  EXPECT_EQ(hops(pxn, "node0.gpu3", "node1.gpu5"),
            "node0.nvswitch node0.gpu5 node0.pcie5 node0.nic5 leaf5 node1.nic5 node1.pcie5 node1.gpu5 ");
}

TEST(FailedLinks, SomeOfSeveralCablesMayFail) {
  const std::string text =
      "nodes: [{name: a}, {name: b}]\nlinks: [{between: [a, b], bandwidth: 1Gbps}, {between: [b, a], bandwidth: "
      "2Gbps, duplex: half}, {between: [a, b], bandwidth: 3Gbps}]\n";
  const Topology one = read(text + "failed: [{between: [a, b], cables: 1}]\n");
  ASSERT_EQ(one.links.size(), 4U);
  EXPECT_EQ(one.links[0].bandwidth, 2_Gbps) << "the first in the order of the file has failed";
  EXPECT_EQ(one.links[0].resource, one.links[1].resource) << "still half duplex";
  EXPECT_EQ(one.resource_count(), 3U);
}

TEST(DegradedLinks, HaveTheFiguresOfTheirEntry) {
  const Topology network = read(
      "generate: {leaf_spine: {hosts: 4, leaves: 2, spines: 2, link: {bandwidth: 1Gbps, latency: 1us}}}\n"
      "degraded:\n"
      "  - {between: [spine0, leaf1], bandwidth: 25%, latency: 7us}\n"
      "  - {between: [h0, leaf0], bandwidth: 100Mbps, loss: 1%}\n");
  const auto link = [&](const char* from, const char* to) {
    return network.links[Routing(network).route(network.find_device(from), network.find_device(to))[0]];
  };
  EXPECT_EQ(link("leaf1", "spine0").bandwidth, 250_Mbps);
  EXPECT_EQ(link("spine0", "leaf1").bandwidth, 250_Mbps) << "both directions";
  EXPECT_EQ(link("spine0", "leaf1").latency, microseconds(7));
  EXPECT_EQ(link("spine0", "leaf0").bandwidth, 1_Gbps);
  EXPECT_EQ(link("h0", "leaf0").bandwidth, 100_Mbps);
  EXPECT_DOUBLE_EQ(link("h0", "leaf0").loss, 0.01);
  EXPECT_EQ(network.degraded[0], "spine0 - leaf1: 250Mbps, 7us");
}

}  // namespace
}  // namespace lockstep
