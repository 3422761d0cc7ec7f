// Do topology files make the networks that they say?
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/base/error.hpp"
#include "core/base/hash.hpp"
#include "core/topology/describe.hpp"
#include "core/topology/generators/generator.hpp"
#include "core/topology/node_template.hpp"
#include "core/topology/topology.hpp"

namespace lockstep {
namespace {

Topology read(const std::string& text) { return read_topology(config::parse_text(text, "t.yaml"), "t.yaml"); }

std::size_t count(const Topology& topology, DeviceKind kind) {
  return static_cast<std::size_t>(
      std::count_if(topology.devices.begin(), topology.devices.end(), [&](const Device& d) { return d.kind == kind; }));
}

const Link& link_between(const Topology& topology, const std::string& from, const std::string& to) {
  const DeviceId target = topology.find_device(to);
  for (const LinkId link : topology.links_from(topology.find_device(from)))
    if (topology.links[link].to == target) return topology.links[link];
  throw std::runtime_error("no link " + from + " -> " + to);
}

std::string rank_devices(const Topology& topology) {
  std::string names;
  for (int rank = 0; rank < topology.rank_capacity(); ++rank)
    names += (rank > 0 ? " " : "") + topology.devices[topology.endpoint(rank)].name;
  return names;
}

TEST(TopologyFile, StarHasOneSwitchAndTheLinkOfTheFile) {
  const Topology star = read(
      "name: star\n"
      "generate:\n"
      "  star:\n"
      "    hosts: 3\n"
      "    switch_latency: 300ns\n"
      "    link: {bandwidth: 1Gbps, latency: 50us, burst: 64KiB, queue: 1MiB, mtu: 9000B, loss: 0.1%, duplex: half, "
      "kind: infiniband}\n");
  EXPECT_EQ(star.name, "star");
  EXPECT_EQ(star.file, "t.yaml");
  EXPECT_EQ(star.sha256.size(), 64U);
  EXPECT_EQ(rank_devices(star), "h0 h1 h2");
  ASSERT_EQ(star.links.size(), 6U);
  EXPECT_EQ(star.devices[star.find_device("s0")].latency, nanoseconds(300));
  EXPECT_EQ(star.find_device("h3"), no_id);
  const Link& link = link_between(star, "h1", "s0");
  EXPECT_EQ(link.bandwidth, 1_Gbps);
  EXPECT_EQ(link.latency, microseconds(50));
  EXPECT_EQ(link.burst, 64_KiB);
  EXPECT_EQ(link.queue, 1_MiB);
  EXPECT_EQ(link.mtu, 9000_B);
  EXPECT_DOUBLE_EQ(link.loss, 0.001);
  EXPECT_EQ(link.kind, LinkKind::infiniband);
  EXPECT_EQ(link.resource, link_between(star, "s0", "h1").resource)
      << "half duplex: both directions share one capacity";
  EXPECT_EQ(star.resource_count(), 3U);
}

TEST(TopologyFile, DuplexTakesFourWordsAndIsFullByDefault) {
  for (const auto& [word, resources] : std::vector<std::pair<std::string, std::uint32_t>>{
           {"", 2}, {", duplex: full", 2}, {", duplex: true", 2}, {", duplex: half", 1}, {", duplex: false", 1}}) {
    EXPECT_EQ(read("generate: {star: {hosts: 1, link: {bandwidth: 1Gbps" + word + "}}}").resource_count(), resources)
        << word;
  }
}

TEST(TopologyFile, PacketSizeFollowsTheKindUnlessGiven) {
  const auto mtu = [](const std::string& keys) {
    return read("generate: {star: {hosts: 1, link: {bandwidth: 1Gbps" + keys + "}}}").links[0].mtu;
  };
  EXPECT_EQ(mtu(""), 1500_B);
  EXPECT_EQ(mtu(", kind: infiniband"), 4096_B);
  EXPECT_EQ(mtu(", kind: infiniband, mtu: 2KiB"), 2048_B);
}

TEST(TopologyFile, NameDefaultsToThatOfTheFile) {
  const auto node = config::parse_text("nodes: [{name: a}]", "x");
  EXPECT_EQ(read_topology(node, "some/where/lonely.yaml").name, "lonely");
}

TEST(TopologyFile, RingHasASwitchForEveryHostOrSeveralHostsOnEach) {
  const Topology one = read("generate: {ring: {hosts: 5, link: {bandwidth: 1Gbps}}}");
  EXPECT_EQ(count(one, DeviceKind::network_switch), 5U);
  EXPECT_EQ(one.links.size(), 20U);
  const Topology several = read("generate: {ring: {switches: 3, hosts_per_switch: 4, link: {bandwidth: 1Gbps}}}");
  EXPECT_EQ(several.rank_capacity(), 12);
  EXPECT_EQ(several.links.size(), 2U * (12 + 3));
  EXPECT_EQ(link_between(several, "h7", "s1").bandwidth, 1_Gbps);
}

TEST(TopologyFile, UplinksOfALeafSpineFollowTheOversubscription) {
  // hosts per leaf x rate / (spines x oversubscription), rounded down to a bit per second.
  const auto uplink = [](const std::string& keys) {
    return link_between(
        read("generate: {leaf_spine: {" + keys + ", link: {bandwidth: 500Mbps, latency: 3us, mtu: 9000B}}}"), "leaf1",
        "spine0");
  };
  EXPECT_EQ(uplink("hosts: 8, leaves: 2, spines: 2").bandwidth, 1_Gbps);
  EXPECT_EQ(uplink("hosts: 8, leaves: 2, spines: 2, oversubscription: 2").bandwidth, 500_Mbps);
  EXPECT_EQ(uplink("hosts: 8, leaves: 2, spines: 2, oversubscription: 0.5").bandwidth, 2_Gbps);
  EXPECT_EQ(uplink("hosts: 8, leaves: 2, spines: 3, oversubscription: 1.1").bandwidth,
            Bandwidth::bits_per_second(606'060'606));
  EXPECT_EQ(uplink("hosts: 8, leaves: 2, spines: 3").latency, microseconds(3));
  EXPECT_EQ(uplink("hosts: 8, leaves: 2, spines: 3").mtu, 9000_B);
}

TEST(TopologyFile, LeafSpineOfHostsFillsLeavesInOrder) {
  const Topology network = read("generate: {leaf_spine: {hosts: 6, leaves: 3, spines: 2, link: {bandwidth: 1Gbps}}}");
  for (int host = 0; host < 6; ++host)
    EXPECT_NO_THROW(link_between(network, fmt::format("h{}", host), fmt::format("leaf{}", host / 2)));
  EXPECT_EQ(network.links.size(), 2U * (6 + 3 * 2));
}

TEST(TopologyFile, RailOptimisedNetworkJoinsNicRToLeafR) {
  const Topology network = load_topology(LOCKSTEP_SOURCE_DIR "/topologies/h100_rail_64.yaml");
  EXPECT_EQ(network.rank_capacity(), 64);
  EXPECT_EQ(network.nodes.size(), 8U);
  for (int node = 0; node < 8; ++node)
    for (int rail = 0; rail < 8; ++rail)
      EXPECT_EQ(link_between(network, fmt::format("node{}.nic{}", node, rail), fmt::format("leaf{}", rail)).bandwidth,
                400_Gbps);
  EXPECT_EQ(link_between(network, "leaf3", "spine2").bandwidth, 800_Gbps) << "8 nodes x 400 Gbps over 4 spines";
  EXPECT_EQ(network.devices[network.endpoint(9)].name, "node1.gpu1");
  EXPECT_EQ(network.node_of_rank(9), 1U);
}

TEST(TopologyFile, FatTreeHasTheCountsOfItsFormulas) {
  for (const int k : {2, 4, 6, 8, 12}) {
    const Topology tree = read(fmt::format("generate: {{fat_tree: {{k: {}, link: {{bandwidth: 1Gbps}}}}}}", k));
    EXPECT_EQ(tree.rank_capacity(), k * k * k / 4);
    EXPECT_EQ(count(tree, DeviceKind::network_switch), static_cast<std::size_t>(5 * k * k / 4));
    EXPECT_EQ(tree.links.size(), static_cast<std::size_t>(2 * 3 * k * k * k / 4));
    for (DeviceId device = 0; device < tree.devices.size(); ++device) {
      if (tree.devices[device].kind == DeviceKind::host) continue;
      EXPECT_EQ(tree.links_from(device).size(), static_cast<std::size_t>(k)) << "every port of a switch is cabled";
    }

    const Topology flat =
        read(fmt::format("generate: {{fat_tree: {{k: {}, tiers: 2, link: {{bandwidth: 1Gbps}}}}}}", k));
    EXPECT_EQ(flat.rank_capacity(), k * k / 2);
    EXPECT_EQ(count(flat, DeviceKind::network_switch), static_cast<std::size_t>(3 * k / 2));
  }
  const Topology part = read("generate: {fat_tree: {k: 4, hosts: 5, oversubscription: 4, link: {bandwidth: 1Gbps}}}");
  EXPECT_EQ(part.rank_capacity(), 5);
  EXPECT_EQ(count(part, DeviceKind::network_switch), 2U * 4 + 4) << "two of four pods, every core";
  EXPECT_EQ(link_between(part, "edge0", "agg1").bandwidth, 250_Mbps);
}

TEST(TopologyFile, GeneratorsCableEveryNicOfGpuNodes) {
  const Topology star = read("node: hgx_h100\ngenerate: {star: {hosts: 2, link: {bandwidth: 400Gbps}}}");
  EXPECT_EQ(star.links_from(star.find_device("s0")).size(), 16U);
  const Topology tree = read("node: hgx_h100\ngenerate: {fat_tree: {k: 8, link: {bandwidth: 400Gbps}}}");
  EXPECT_EQ(tree.nodes.size(), 16U) << "k^3/4 = 128 ports, 8 to a node";
}

TEST(TopologyFile, TemplatesHaveTheFiguresOfTheirCatalogue) {
  for (const auto& [name, nvlink, pcie] :
       std::vector<std::tuple<std::string, std::int64_t, std::int64_t>>{{"dgx_a100", 300, 28'200},
                                                                        {"hgx_h100", 450, 56'400},
                                                                        {"hgx_h200", 450, 56'400},
                                                                        {"hgx_b200", 900, 56'400}}) {
    const Topology node = read("nodes: [{name: n, kind: " + name + "}]");
    EXPECT_EQ(node.rank_capacity(), 8);
    EXPECT_EQ(link_between(node, "n.gpu7", "n.nvswitch").bandwidth, Bandwidth::bytes_per_second(nvlink * 1'000'000'000))
        << name;
    const std::string last = name == "dgx_a100" ? "n.pcie3" : "n.pcie7";
    EXPECT_EQ(link_between(node, "n.gpu7", last).bandwidth, Bandwidth::bytes_per_second(pcie * 1'000'000)) << name;
    EXPECT_EQ(link_between(node, last, "n.nic7").kind, LinkKind::pcie);
  }
}

TEST(TopologyFile, EveryTemplateBuildsWhatItsSizesSay) {
  for (const NodeTemplate& node : node_template_catalogue()) {
    Topology topology;
    const auto ports = node.build(topology, "n");
    topology.finish();
    EXPECT_EQ(static_cast<std::int64_t>(topology.devices.size()), node.devices) << node.name;
    EXPECT_EQ(static_cast<std::int64_t>(ports.size()), node.ports) << node.name;
    EXPECT_EQ(topology.rank_capacity(), node.ranks) << node.name;
    EXPECT_FALSE(node.description.empty());
  }
}

TEST(TopologyFile, NodeMayBeDescribedInTheFile) {
  const auto node = [](const std::string& keys) { return read("node: {" + keys + "}\nnodes: [{name: n}]"); };
  const Topology shared =
      node("gpus: 4, nvlink: 100GB/s, nics: 2, pcie: 25GB/s, nvlink_latency: 1us, pcie_latency: 200ns");
  EXPECT_EQ(link_between(shared, "n.gpu3", "n.pcie1").latency, nanoseconds(200)) << "two GPUs to a NIC";
  EXPECT_EQ(link_between(shared, "n.gpu1", "n.nvswitch").latency, microseconds(1));
  EXPECT_EQ(link_between(node("gpus: 2, nvlink: 100GB/s, nics: 4, pcie: 25GB/s"), "n.pcie1", "n.nic3").kind,
            LinkKind::pcie)
      << "two NICs to a GPU";
  EXPECT_EQ(link_between(node("gpus: 2, pcie: 25GB/s"), "n.pcie1", "n.root").bandwidth,
            Bandwidth::bytes_per_second(25'000'000'000))
      << "no NVLink";
}

TEST(TopologyFile, PlacementSetsTheOrderOfRanksAndWhoHasOne) {
  const Topology topology = read("generate: {star: {hosts: 4, link: {bandwidth: 1Gbps}}}\nplacement: [h3, h1]");
  EXPECT_EQ(rank_devices(topology), "h3 h1");
  EXPECT_EQ(topology.node_of_rank(0), 3U);
  const Topology gpus = read(
      "node: {gpus: 2, nvlink: 1GB/s, nics: 1, pcie: 1GB/s}\ngenerate: {star: {hosts: 2, link: {bandwidth: "
      "1Gbps}}}\nplacement: [node1, node0]");
  EXPECT_EQ(rank_devices(gpus), "node1.gpu0 node1.gpu1 node0.gpu0 node0.gpu1");
}

TEST(TopologyFile, ExplicitListsAddToAGeneratorAndMixKindsOfNodes) {
  const Topology topology = read(
      "generate: {star: {hosts: 2, link: {bandwidth: 1Gbps}}}\n"
      "nodes: [{name: store}, {name: edge, kind: switch, latency: 2us}, {name: big, kind: hgx_h100}]\n"
      "links:\n"
      "  - {between: [s0, edge], bandwidth: 10Gbps}\n"
      "  - {between: [store, edge], bandwidth: 10Gbps}\n"
      "  - {between: [big.nic0, edge], bandwidth: 400Gbps}\n");
  EXPECT_EQ(topology.rank_capacity(), 2 + 1 + 8);
  EXPECT_EQ(topology.devices[topology.find_device("edge")].latency, microseconds(2));
  EXPECT_EQ(link_between(topology, "edge", "big.nic0").bandwidth, 400_Gbps);
}

TEST(TopologyFile, ANodeWithOneNicNeedsNoNameForIt) {
  const Topology topology = read(
      "node: {gpus: 2, nvlink: 1GB/s, nics: 1, pcie: 1GB/s}\n"
      "nodes: [{name: a}, {name: b}]\n"
      "links: [{between: [a, b], bandwidth: 1Gbps}]\n");
  EXPECT_EQ(link_between(topology, "a.nic0", "b.nic0").bandwidth, 1_Gbps);
}

TEST(TopologyFile, HashIsOfTheContentAfterSettings) {
  auto first = config::parse_text("name: a\ngenerate: {star: {hosts: 2, link: {bandwidth: 1Gbps}}}", "t");
  const auto same =
      config::parse_text("# a comment\nname:   a\ngenerate:\n  star: {hosts: 2, link: {bandwidth: 1Gbps}}\n", "t");
  EXPECT_EQ(read_topology(first, "t").sha256, read_topology(same, "t").sha256);
  config::set_key(first, "generate.star.hosts", "3");
  EXPECT_NE(read_topology(first, "t").sha256, read_topology(same, "t").sha256);
  EXPECT_EQ(read_topology(first, "t").rank_capacity(), 3);
}

TEST(TopologyFile, EveryFileOfTheFolderLoadsAndStandsInItsIndex) {
  const std::filesystem::path folder = LOCKSTEP_SOURCE_DIR "/topologies";
  std::ostringstream index;
  index << std::ifstream(folder / "README.md").rdbuf();
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".yaml") continue;
    ++files;
    SCOPED_TRACE(entry.path());
    const Topology topology = load_topology(entry.path().string());
    EXPECT_EQ(topology.name, entry.path().stem());
    EXPECT_GE(topology.rank_capacity(), 2);
    EXPECT_GT(summarise(topology).bisection, Bandwidth{});
    EXPECT_NE(index.str().find("(" + entry.path().filename().string() + ")"), std::string::npos)
        << "not in topologies/README.md";
  }
  EXPECT_GE(files, 14);
}

TEST(TopologyFile, SchemaNamesEveryKeyGeneratorAndTemplate) {
  const auto schema = topology_schema();
  EXPECT_EQ(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
  EXPECT_EQ(schema["additionalProperties"], false);
  for (const char* key : {"name", "node", "generate", "nodes", "links", "placement", "routing", "failed", "degraded"})
    EXPECT_TRUE(schema["properties"].contains(key)) << key;
  for (const auto& generator : generator_catalogue()) {
    const auto& declared = schema["properties"]["generate"]["properties"];
    ASSERT_TRUE(declared.contains(generator.name));
    EXPECT_TRUE(declared[generator.name]["properties"]["link"]["properties"].contains("bandwidth"));
  }
  const std::string text = schema["properties"]["node"].dump();
  for (const auto& node : node_template_catalogue()) EXPECT_NE(text.find('"' + node.name + '"'), std::string::npos);
}

}  // namespace
}  // namespace lockstep
