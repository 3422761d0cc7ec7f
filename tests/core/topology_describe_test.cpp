// Are diameter, bisection and the printed forms of a topology what theory and the documentation say?
#include <gtest/gtest.h>

#include "core/base/error.hpp"
#include "core/topology/describe.hpp"
#include "core/topology/max_flow.hpp"
#include "tests/core/messages.hpp"

namespace lockstep {
namespace {

Topology read(const std::string& text) { return read_topology(config::parse_text(text, "t.yaml"), "t.yaml"); }
Bandwidth bisection(const std::string& text) { return summarise(read(text)).bisection; }

TEST(MaxFlow, SolvesAGraphWhoseFirstPathMustBeUndone) {
  MaximumFlow flow(4);
  flow.add_edge(0, 1, 10, 0);
  flow.add_edge(0, 2, 10, 0);
  flow.add_edge(1, 2, 1, 0);
  flow.add_edge(1, 3, 4, 0);
  flow.add_edge(2, 3, 9, 0);
  EXPECT_TRUE(flow.solve(0, 3) == 13);
}

TEST(TopologySummary, BisectionOfKnownNetworks) {
  EXPECT_EQ(bisection("generate: {star: {hosts: 8, link: {bandwidth: 1Gbps}}}"), 4_Gbps);
  EXPECT_EQ(bisection("generate: {star: {hosts: 5, link: {bandwidth: 1Gbps}}}"), 2_Gbps);
  EXPECT_EQ(bisection("generate: {star: {hosts: 1, link: {bandwidth: 1Gbps}}}"), Bandwidth{});
  EXPECT_EQ(bisection("generate: {ring: {hosts: 8, link: {bandwidth: 1Gbps}}}"), 2_Gbps) << "two cables cut";
  EXPECT_EQ(bisection("generate: {fat_tree: {k: 4, link: {bandwidth: 1Gbps}}}"), 8_Gbps) << "full: half the hosts";
  EXPECT_EQ(bisection("generate: {fat_tree: {k: 4, oversubscription: 2, link: {bandwidth: 1Gbps}}}"), 4_Gbps);
  EXPECT_EQ(
      bisection(
          "generate: {leaf_spine: {hosts: 8, leaves: 2, spines: 2, oversubscription: 4, link: {bandwidth: 1Gbps}}}"),
      1_Gbps);
  EXPECT_EQ(summarise(load_topology(LOCKSTEP_SOURCE_DIR "/topologies/h100_rail_64.yaml")).bisection, 12'800_Gbps)
      << "32 NICs of 400 Gbps";
}

TEST(TopologySummary, DiameterIsTheLongestShortestPathAndItsLatency) {
  const TopologySummary ring =
      summarise(read("generate: {ring: {hosts: 8, switch_latency: 1us, link: {bandwidth: 1Gbps, latency: 10us}}}"));
  EXPECT_EQ(ring.diameter_links, 6);
  EXPECT_EQ(ring.diameter_latency, microseconds(65));
  EXPECT_FALSE(ring.diameter_sampled);
  const TopologySummary large =
      summarise(read("generate: {fat_tree: {k: 14, link: {bandwidth: 1Gbps, latency: 1us}}}"));
  EXPECT_EQ(large.diameter_links, 6);
  EXPECT_TRUE(large.diameter_sampled);
}

TEST(TopologyText, ShowsCountsDiameterBisectionAndCables) {
  const Topology star = load_topology(LOCKSTEP_SOURCE_DIR "/topologies/lab_star4.yaml");
  EXPECT_EQ(to_text(star, summarise(star)),
            "lab_star4: 4 hosts, 1 switch, 4 cables\n"
            "ranks      4\n"
            "diameter   2 links, 100us\n"
            "bisection  2Gbps per direction, between ranks 0-1 and the others\n"
            "\n"
            "cables  between        kind      bandwidth  latency\n"
            "     4  host - switch  ethernet      1Gbps     50us\n");
}

TEST(TopologyText, DescribesRoutesAndRefusesRanksThatAreNotThere) {
  const Topology star = load_topology(LOCKSTEP_SOURCE_DIR "/topologies/lab_star4.yaml");
  const Routing routing(star);
  EXPECT_EQ(describe_route(star, routing, 0, 3), "rank 0 (h0) -> rank 3 (h3): h0 -> s0 -> h3, 2 links, 100us, 1Gbps");
  EXPECT_EQ(describe_route(star, routing, 2, 2), "rank 2 (h2) -> rank 2 (h2): the same device");
  EXPECT_EQ(test::message_of<InputError>([&] { (void)describe_route(star, routing, 0, 4); }),
            "no rank 4: lab_star4 has ranks 0 to 3");
  EXPECT_EQ(test::message_of<InputError>([&] { (void)describe_route(star, routing, -1, 0); }),
            "no rank -1: lab_star4 has ranks 0 to 3");
}

TEST(TopologyText, GraphHasEveryDeviceAndCable) {
  EXPECT_EQ(to_dot(read("name: pair\ngenerate: {star: {hosts: 2, link: {bandwidth: 1Gbps, latency: 5us}}}")),
            "graph \"pair\" {\n"
            "  layout=neato; overlap=false;\n"
            "  \"s0\" [shape=box];\n"
            "  \"h0\" [shape=ellipse];\n"
            "  \"h1\" [shape=ellipse];\n"
            "  \"h0\" -- \"s0\" [label=\"1Gbps 5us\"];\n"
            "  \"h1\" -- \"s0\" [label=\"1Gbps 5us\"];\n"
            "}\n");
}

TEST(TopologyJson, HasTheSummaryDevicesAndLinks) {
  const Topology star = read(
      "name: pair\ngenerate: {star: {hosts: 2, link: {bandwidth: 1GB/s, latency: 5us, burst: 64KiB, duplex: half}}}");
  const auto json = to_json(star, summarise(star));
  EXPECT_EQ(json["schema"], "lockstep.topology/1");
  EXPECT_EQ(json["ranks"], 2);
  EXPECT_EQ(json["summary"]["bisection_Gbps"], 8.0);
  EXPECT_EQ(json["rank_devices"].dump(), R"(["h0","h1"])");
  EXPECT_EQ(json["devices"][0]["kind"], "switch");
  const auto& link = json["links"][1];
  EXPECT_EQ(link["between"].dump(), R"(["h1","s0"])");
  EXPECT_EQ(link["bandwidth_Gbps"], 8.0);
  EXPECT_EQ(link["burst_bytes"], 65536);
  EXPECT_TRUE(link["queue_bytes"].is_null());
  EXPECT_EQ(link["duplex"], "half");
}

}  // namespace
}  // namespace lockstep
