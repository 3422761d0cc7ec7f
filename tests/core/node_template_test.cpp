// Do node templates have the inside of the machines they are named after?
#include "core/topology/node_template.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "core/base/catalogue.hpp"
#include "core/topology/describe.hpp"
#include "core/topology/gpu_model.hpp"
#include "core/topology/routing.hpp"

namespace lockstep {
namespace {

Topology read(const std::string& text) { return read_topology(config::parse_text(text, "t.yaml"), "t.yaml"); }
Topology node(const std::string& kind) { return read("nodes: [{name: n, kind: " + kind + "}]"); }

std::string hops(const Topology& topology, const std::string& from, const std::string& to) {
  std::string text = from;
  for (const LinkId link : Routing(topology).route(topology.find_device(from), topology.find_device(to)))
    text += " " + topology.devices[topology.links[link].to].name.substr(2);
  return text;
}

/// Sum of the rates of a device's links of a kind, one direction.
Bandwidth rate(const Topology& topology, const std::string& device, LinkKind kind) {
  Bandwidth sum;
  for (const LinkId link : topology.links_from(topology.find_device(device)))
    if (topology.links[link].kind == kind)
      sum = Bandwidth::bits_per_second(sum.bits_per_second() + topology.links[link].bandwidth.bits_per_second());
  return sum;
}

std::int64_t GB(Bandwidth bandwidth) { return bandwidth.bits_per_second() / 8'000'000'000; }

TEST(NodeTemplates, GpusHaveTheLinksOfTheirDataSheets) {
  // Per GPU and direction, GB/s: NVLink 2 150, 3 300, 4 450, 5 900; MI300X 7 x 64.
  const std::map<std::string, std::int64_t> expected{
      {"dgx_v100", 150}, {"dgx_a100", 300}, {"hgx_h100", 450},    {"hgx_h200", 450}, {"hgx_b200", 900},
      {"gh200_x4", 450}, {"p4d", 300},      {"gb200_nvl72", 900}, {"p5", 450},       {"p5en", 450}};
  for (const auto& [name, rate_GB] : expected) {
    const Topology machine = node(name);
    for (const DeviceId gpu : machine.nodes[0].endpoints)
      EXPECT_EQ(GB(rate(machine, machine.devices[gpu].name, LinkKind::nvlink)), rate_GB) << name;
  }
  EXPECT_EQ(GB(rate(node("mi300x"), "n.gpu5", LinkKind::xgmi)), 448);
}

TEST(NodeTemplates, EveryNodeSaysWhatItIs) {
  for (const NodeTemplate& known : node_template_catalogue()) {
    const Topology machine = node(known.name);
    EXPECT_EQ(machine.nodes[0].kind, known.name);
    for (const DeviceId device : machine.nodes[0].endpoints) {
      if (machine.devices[device].kind != DeviceKind::gpu) continue;
      const std::string& model = machine.devices[device].model;
      EXPECT_NE(find_in(gpu_models(), model), nullptr) << known.name << " of '" << model << "'";
    }
  }
}

TEST(NodeTemplates, EveryPartIsLinkedAndEveryRankReachesEveryPort) {
  for (const NodeTemplate& known : node_template_catalogue()) {
    const Topology machine = node(known.name);
    if (machine.devices.size() == 1) continue;
    const Routing routing(machine);
    for (DeviceId device = 0; device < machine.devices.size(); ++device) {
      EXPECT_FALSE(machine.links_from(device).empty()) << machine.devices[device].name << " of " << known.name;
      if (machine.devices[device].kind == DeviceKind::nic) {
        EXPECT_GT(routing.distance(machine.endpoint(0), device), 0) << known.name;
      }
    }
  }
}

TEST(NodeTemplates, HybridCubeMeshHasSixLinksAGpuAndIsSymmetric) {
  const Topology v100 = node("dgx_v100");
  EXPECT_EQ(hops(v100, "n.gpu0", "n.gpu4"), "n.gpu0 gpu4");
  EXPECT_EQ(hops(v100, "n.gpu0", "n.gpu1"), "n.gpu0 gpu1");
  EXPECT_EQ(hops(v100, "n.gpu0", "n.gpu7"), "n.gpu0 pcie0 cpu0 cpu1 pcie3 gpu7")
      << "no NVLink joins them, and GPUs do not forward";
  const Routing routing(v100);
  const auto link = [&](int a, int b) {
    const auto route = routing.route(v100.endpoint(a), v100.endpoint(b));
    return route.size() == 1 ? GB(v100.links[route[0]].bandwidth) : 0;
  };
  for (int a = 0; a < 8; ++a) {
    int neighbours = 0;
    for (int b = 0; b < 8; ++b) {
      if (a == b) continue;
      EXPECT_EQ(link(a, b), link(b, a));
      neighbours += link(a, b) > 0 ? 1 : 0;
    }
    EXPECT_EQ(neighbours, 4);
  }
}

TEST(NodeTemplates, GpusUseTheNicNearestToThem) {
  const auto route_out = [](const std::string& kind, const std::string& from, const std::string& to) {
    const Topology pair = read("node: " + kind + "\ngenerate: {star: {hosts: 2, link: {bandwidth: 100Gbps}}}");
    std::string text;
    for (const LinkId link : Routing(pair).route(pair.find_device("node0." + from), pair.find_device("node1." + to)))
      text += pair.devices[pair.links[link].to].name + " ";
    return text;
  };
  EXPECT_EQ(route_out("p4d", "gpu3", "gpu6"), "node0.pcie1 node0.nic1 s0 node1.nic3 node1.pcie3 node1.gpu6 ");
  EXPECT_EQ(route_out("gh200_x4", "gpu2", "gpu1"), "node0.cpu2 node0.nic2 s0 node1.nic1 node1.cpu1 node1.gpu1 ");
  EXPECT_EQ(route_out("pcie_8gpu", "gpu2", "gpu0"),
            "node0.pcie1 node0.cpu0 node0.pcie0 node0.nic0 s0 node1.nic0 node1.pcie0 node1.gpu0 ")
      << "the NIC is on the other switch of the socket";
}

TEST(NodeTemplates, PcieBoxesTalkOverTheirSwitchOrTheirCpus) {
  const Topology box = node("pcie_8gpu");
  EXPECT_EQ(hops(box, "n.gpu0", "n.gpu1"), "n.gpu0 pcie0 gpu1");
  EXPECT_EQ(hops(box, "n.gpu0", "n.gpu2"), "n.gpu0 pcie0 cpu0 pcie1 gpu2");
  EXPECT_EQ(hops(box, "n.gpu0", "n.gpu7"), "n.gpu0 pcie0 cpu0 cpu1 pcie3 gpu7");
  EXPECT_EQ(summarise(box).bisection, Bandwidth::bytes_per_second(16'000'000'000)) << "the link between the sockets";
}

TEST(NodeTemplates, WithoutGpudirectDataAreStagedInTheMemoryOfTheCpu) {
  const std::string keys = "gpus: 2, nics: 1, pcie: 28GB/s, sockets: 1";
  const auto out = [&](const std::string& more) {
    const Topology pair = read("node: {" + keys + more + "}\ngenerate: {star: {hosts: 2, link: {bandwidth: 100Gbps}}}");
    std::string text;
    for (const LinkId link : Routing(pair).route(pair.endpoint(0), pair.endpoint(3)))
      text += pair.devices[pair.links[link].to].name + " ";
    return text;
  };
  EXPECT_EQ(out(""), "node0.pcie0 node0.nic0 s0 node1.nic0 node1.pcie0 node1.gpu1 ");
  EXPECT_EQ(out(", gpudirect: false"),
            "node0.pcie0 node0.cpu0 node0.pcie0 node0.nic0 s0 node1.nic0 node1.pcie0 node1.cpu0 node1.pcie0 "
            "node1.gpu1 ");
}

TEST(NodeTemplates, ANodeMayBeGivenPartByPart) {
  const Topology machine = read(
      "node:\n"
      "  parts:\n"
      "    - {name: gpu0, kind: gpu, model: h100_sxm}\n"
      "    - {name: cpu0, kind: cpu}\n"
      "    - {name: mlx5_0, kind: nic}\n"
      "  links:\n"
      "    - {between: [cpu0, gpu0], bandwidth: 56.4GB/s, latency: 100ns, kind: pcie}\n"
      "    - {between: [cpu0, mlx5_0], bandwidth: 28.2GB/s, kind: pcie, duplex: half}\n"
      "generate: {star: {hosts: 2, link: {bandwidth: 100Gbps}}}\n");
  EXPECT_EQ(machine.rank_capacity(), 2);
  EXPECT_EQ(machine.devices[machine.endpoint(1)].name, "node1.gpu0");
  EXPECT_EQ(machine.devices[machine.endpoint(1)].model, "h100_sxm");
  EXPECT_EQ(Routing(machine).route(machine.endpoint(0), machine.endpoint(1)).size(), 6U);
  const Topology sockets = read(
      "node: {parts: [{name: a, kind: cpu, rank: true}, {name: b, kind: cpu, rank: true}], links: [{between: [a, b], "
      "bandwidth: 20GB/s, kind: socket}]}\nnodes: [{name: n}]");
  EXPECT_EQ(sockets.rank_capacity(), 2) << "a rank on each socket";
  EXPECT_EQ(to_text(sockets, summarise(sockets)).substr(0, 22), "t: 1 host, 0 switches,");
}

}  // namespace
}  // namespace lockstep
