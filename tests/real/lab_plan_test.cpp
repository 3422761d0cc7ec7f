// Question: does the plan of a lab (roles, forwarding entries, shaping, wire check, CPU load) follow from the topology?
// No system calls.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "core/base/error.hpp"
#include "real/lab/cpu_load.hpp"
#include "real/lab/forwarding.hpp"
#include "real/lab/shaping.hpp"
#include "real/lab/wire_check.hpp"
#include "tests/real/lab_topologies.hpp"

namespace lockstep::real {
namespace {

// Walks a packet from source to target by the plan's entries alone.
std::vector<LinkId> walk(const Topology& topology, const Forwarding& plan, DeviceId source, DeviceId target) {
  std::vector<LinkId> links;
  DeviceId at = source;
  while (at != target && links.size() < 20) {
    const auto special = plan.by_pair[at].find({source, target});
    const Hop hop = special != plan.by_pair[at].end() ? special->second : plan.by_destination[at].at(target);
    LinkId link = hop.out;
    links.push_back(link);
    while (link != hop.entry && links.size() < 20)
      links.push_back(link = plan.bridge_entries[topology.links[link].to].at(hop.entry));
    at = topology.links[link].to;
  }
  return links;
}

void expect_routes(const Topology& topology) {
  const Routing routing(topology);
  const Forwarding plan = plan_forwarding(topology, routing);
  for (int a = 0; a < topology.rank_capacity(); ++a)
    for (int b = 0; b < topology.rank_capacity(); ++b)
      EXPECT_EQ(walk(topology, plan, topology.endpoint(a), topology.endpoint(b)),
                routing.route(topology.endpoint(a), topology.endpoint(b)));
}

TEST(LabForwarding, AStarIsOneBridge) {
  const Topology topology = star_of(4, 1_Gbps);
  const Forwarding plan = plan_forwarding(topology, Routing(topology));
  EXPECT_EQ(plan.role[topology.find_device("switch")], DeviceRole::bridge);
  expect_routes(topology);
}

TEST(LabForwarding, SwitchesWithAChoiceAreRouters) {
  const Topology topology = leaf_spine_of(8, 2, 2, 1_Gbps);
  const Forwarding plan = plan_forwarding(topology, Routing(topology));
  for (const char* name : {"leaf0", "leaf1", "spine0", "spine1"})
    EXPECT_EQ(plan.role[topology.find_device(name)], DeviceRole::router) << name;
  expect_routes(topology);
  expect_routes(leaf_spine_of(12, 3, 3, 1_Gbps));
}

TEST(LabForwarding, ATreeIsBridgesAndALoopIsNot) {
  Topology tree = leaf_spine_of(8, 4, 1, 1_Gbps);
  const Forwarding bridged = plan_forwarding(tree, Routing(tree));
  EXPECT_EQ(bridged.role[tree.find_device("spine0")], DeviceRole::bridge);
  EXPECT_EQ(bridged.role[tree.find_device("leaf3")], DeviceRole::bridge);
  expect_routes(tree);

  Topology triangle;  // one shortest path between any two hosts, but the switches form a loop
  const auto hosts = add_hosts(triangle, 3);
  std::vector<DeviceId> corners;
  for (int i = 0; i < 3; ++i) corners.push_back(add_switch(triangle, fmt::format("s{}", i)));
  for (std::size_t i = 0; i < 3; ++i) {
    add_cable(triangle, hosts[i], corners[i], 1_Gbps);
    add_cable(triangle, corners[i], corners[(i + 1) % 3], 1_Gbps);
  }
  triangle.finish();
  const Forwarding routed = plan_forwarding(triangle, Routing(triangle));
  for (const DeviceId corner : corners) EXPECT_EQ(routed.role[corner], DeviceRole::router);
  expect_routes(triangle);
}

TEST(LabForwarding, GpusAreRefusedByName) {
  Topology topology = star_of(2, 1_Gbps);
  Device gpu;
  gpu.name = "node0.gpu0";
  gpu.kind = DeviceKind::gpu;
  topology.add_device(gpu);
  topology.finish();
  const Routing routing(topology);
  EXPECT_THAT([&] { plan_forwarding(topology, routing); },
              testing::ThrowsMessage<InputError>(testing::HasSubstr("'node0.gpu0' is neither")));
}

TEST(LabShaping, BurstFollowsRateUnlessGiven) {
  Link link;
  link.bandwidth = 500_Mbps;
  EXPECT_EQ(shape(link, false).burst, Bytes{62500});
  link.bandwidth = 10_Mbps;
  EXPECT_EQ(shape(link, false).burst, 16_KiB);
  link.burst = 100_KiB;
  const Shaping shaping = shape(link, false);
  EXPECT_EQ(shaping.burst, 100_KiB);
  EXPECT_EQ(shaping.gso_max_size, 50_KiB);
  link.burst = 1_KiB;  // tbf would drop every frame
  EXPECT_EQ(shape(link, false).burst, Bytes{1514});
}

TEST(LabShaping, DelayAndLossOnlyWithNetem) {
  Link link;
  link.bandwidth = 1_Gbps;
  link.latency = microseconds(50);
  link.loss = 0.001;
  link.queue = 1_MiB;
  EXPECT_THAT(
      shaping_commands(shape(link, false), "e0"),
      testing::ElementsAre("qdisc add dev e0 root handle 1: tbf rate 1000000000bit burst 125000b limit 1048576b"));
  EXPECT_THAT(shaping_commands(shape(link, true), "e0"),
              testing::ElementsAre(
                  testing::_, "qdisc add dev e0 parent 1:1 handle 10: netem limit 16384 delay 50us loss 0.100000%"));
}

TEST(LabWireCheck, SaysWhichLinkCarriedTooLittleOrTooMuch) {
  const Topology topology = star_of(2, 1_Gbps);
  const std::vector<LinkTraffic> payload{{4_MiB, 64}, {}, {}, {4_MiB, 64}};
  const Bytes framed{4_MiB * 1514 / 1448};
  EXPECT_TRUE(check_wire(topology, payload, {framed, 100_KiB, 100_KiB, framed}).empty());
  EXPECT_THAT(
      check_wire(topology, payload, {1_KiB, 100_KiB, 100_KiB, framed}),
      testing::ElementsAre(
          "link h0 -> switch carried 1KiB but the plan says 4MiB: the ranks found another way (shared memory?)"));
  EXPECT_THAT(check_wire(topology, payload, {framed, 100_KiB, 2_MiB, framed}),
              testing::ElementsAre(testing::StartsWith("link h1 -> switch carried 2MiB but the plan says 0B: other")));
}

TEST(LabWireCheck, SmallMessagesAreMostlyHeaders) {
  const Topology topology = star_of(2, 1_Gbps);
  // A frame each, and an acknowledgement back.
  const std::int64_t messages = 100'000;
  const Bytes frames{messages * (66 + 16 + 64)};
  const Bytes acknowledgements{messages * 66};
  const std::vector<LinkTraffic> planned{{Bytes{messages * 64}, messages}, {}, {}, {Bytes{messages * 64}, messages}};
  EXPECT_TRUE(check_wire(topology, planned, {frames, acknowledgements, acknowledgements, frames}).empty());
  const std::vector<LinkTraffic> fewer{{Bytes{messages * 64}, 1}, {}, {}, {Bytes{messages * 64}, 1}};
  EXPECT_EQ(check_wire(topology, fewer, {frames, acknowledgements, acknowledgements, frames}).size(), 4U);
}

TEST(LabCpuLoad, CountsEverythingButIdleAndWaiting) {
  std::istringstream before("cpu  100 0 50 1000 10 0 5 0 0 0\n");
  std::istringstream after("cpu  160 0 70 1100 20 5 10 0 0 0\n");
  const CpuTimes a = parse_cpu_times(before);
  const CpuTimes b = parse_cpu_times(after);
  EXPECT_DOUBLE_EQ(busy_share(a, b), 90.0 / 200.0);
  EXPECT_EQ(busy_share(a, a), 0.0);
  std::istringstream bad("nonsense");
  EXPECT_THROW(parse_cpu_times(bad), RunFailure);
}

}  // namespace
}  // namespace lockstep::real
