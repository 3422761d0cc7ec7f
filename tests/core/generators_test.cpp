// Do generators make the networks of their papers: counts, degrees, bisection, distances?
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/topology/describe.hpp"
#include "core/topology/routing.hpp"

namespace lockstep {
namespace {

Topology read(const std::string& text) { return read_topology(config::parse_text(text, "t.yaml"), "t.yaml"); }

std::size_t switches(const Topology& topology) {
  return static_cast<std::size_t>(
      std::count_if(topology.devices.begin(), topology.devices.end(),
                    [](const auto& device) { return device.kind == DeviceKind::network_switch; }));
}

/// Cables from a device to switches, and how many different ones.
std::pair<std::size_t, std::size_t> switch_degree(const Topology& topology, DeviceId device) {
  std::set<DeviceId> others;
  std::size_t cables = 0;
  for (const LinkId link : topology.links_from(device)) {
    const DeviceId to = topology.links[link].to;
    if (topology.devices[to].kind != DeviceKind::network_switch) continue;
    others.insert(to);
    ++cables;
  }
  return {cables, others.size()};
}

std::string list(const std::vector<int>& numbers) {
  std::string text;
  for (const int number : numbers) text += (text.empty() ? "" : ", ") + std::to_string(number);
  return "[" + text + "]";
}

rc::Gen<std::vector<int>> dimensions(int most) {
  return rc::gen::exec([most] {
    std::vector<int> sizes;
    const int count = *rc::gen::inRange(1, 4);
    for (int d = 0; d < count; ++d) sizes.push_back(*rc::gen::inRange(2, most));
    return sizes;
  });
}

int product(const std::vector<int>& sizes) {
  int all = 1;
  for (const int size : sizes) all *= size;
  return all;
}

/// Coordinates of a switch from its name, "s1-0-2".
std::vector<int> coordinates(const std::string& name) {
  std::vector<int> values(1, 0);
  for (const char c : name.substr(1)) {
    if (c == '-')
      values.push_back(0);
    else
      values.back() = values.back() * 10 + (c - '0');
  }
  return values;
}

TEST(Generators, TorusHasItsCountsDegreesAndDistances) {
  EXPECT_TRUE(rc::check([] {
    const auto sizes = *dimensions(5);
    const bool wrap = *rc::gen::arbitrary<bool>();
    const Topology torus = read("generate: {torus: {dimensions: " + list(sizes) +
                                ", wrap: " + (wrap ? "true" : "false") + ", link: {bandwidth: 1Gbps}}}");
    RC_ASSERT(static_cast<int>(switches(torus)) == product(sizes));
    RC_ASSERT(torus.rank_capacity() == product(sizes));
    const Routing routing(torus);
    for (DeviceId a = 0; a < torus.devices.size(); ++a) {
      if (torus.devices[a].kind != DeviceKind::network_switch) continue;
      const auto from = coordinates(torus.devices[a].name);
      std::size_t degree = 0;
      for (std::size_t d = 0; d < sizes.size(); ++d) {
        const int size = sizes[d];
        degree += (from[d] > 0 || (wrap && size > 2)) + (from[d] + 1 < size || (wrap && size > 2));
      }
      RC_ASSERT(switch_degree(torus, a) == std::make_pair(degree, degree));
      const DeviceId b = 0;
      const auto to = coordinates(torus.devices[b].name);
      int expected = 0;
      for (std::size_t d = 0; d < sizes.size(); ++d) {
        const int apart = std::abs(from[d] - to[d]);
        expected += wrap ? std::min(apart, sizes[d] - apart) : apart;
      }
      RC_ASSERT(routing.distance(a, b) == expected);
    }
  }));
}

TEST(Generators, HyperXJoinsAllThatDifferInOneCoordinate) {
  EXPECT_TRUE(rc::check([] {
    const auto sizes = *dimensions(5);
    const Topology network = read("generate: {hyperx: {dimensions: " + list(sizes) + ", link: {bandwidth: 1Gbps}}}");
    std::size_t degree = 0;
    for (const int size : sizes) degree += static_cast<std::size_t>(size - 1);
    RC_ASSERT(static_cast<int>(switches(network)) == product(sizes));
    RC_ASSERT(network.links.size() == product(sizes) * (degree + 2));
    const Routing routing(network);
    for (DeviceId a = 0; a < network.devices.size(); ++a) {
      if (network.devices[a].kind != DeviceKind::network_switch) continue;
      RC_ASSERT(switch_degree(network, a) == std::make_pair(degree, degree));
      const auto from = coordinates(network.devices[a].name);
      const auto to = coordinates(network.devices[0].name);
      int differ = 0;
      for (std::size_t d = 0; d < sizes.size(); ++d) differ += from[d] != to[d];
      RC_ASSERT(routing.distance(a, 0) == differ);
    }
  }));
}

TEST(Generators, FullMeshIsOneHopWideAndItsBisectionIsKnown) {
  for (const int n : {2, 4, 7, 10}) {
    const Topology mesh = read(fmt::format(
        "generate: {{full_mesh: {{switches: {}, link: {{bandwidth: 100Gbps}}, switch_link: {{bandwidth: 1Gbps}}}}}}",
        n));
    EXPECT_EQ(mesh.links.size(), static_cast<std::size_t>(n * (n - 1) + 2 * n));
    const auto summary = summarise(mesh);
    EXPECT_EQ(summary.diameter_links, 3);
    EXPECT_EQ(summary.bisection, Bandwidth::bits_per_second(std::int64_t{n / 2} * (n - n / 2) * 1'000'000'000));
  }
}

TEST(Generators, BisectionOfATorusIsTwoCablesOfEveryRow) {
  const auto bisection = [](const std::string& keys) {
    return summarise(
               read("generate: {torus: {" + keys + ", link: {bandwidth: 100Gbps}, switch_link: {bandwidth: 1Gbps}}}"))
        .bisection;
  };
  EXPECT_EQ(bisection("dimensions: [4, 4]"), 8_Gbps) << "2 x 4 rows";
  EXPECT_EQ(bisection("dimensions: [4, 4], wrap: false"), 4_Gbps);
  EXPECT_EQ(bisection("dimensions: [4, 3, 3]"), 18_Gbps) << "2 x 9 rows";
  EXPECT_EQ(bisection("dimensions: [2, 4]"), 4_Gbps) << "a dimension of two has one cable a row";
}

TEST(Generators, DragonflyJoinsEveryPairOfGroupsAlike) {
  EXPECT_TRUE(rc::check([] {
    const int a = *rc::gen::inRange(1, 6), h = *rc::gen::inRange(1, 4);
    const int g = *rc::gen::inRange(2, a * h + 2), p = *rc::gen::inRange(1, 3);
    const Topology network = read(fmt::format(
        "generate: {{dragonfly: {{groups: {}, switches: {}, global_links: {}, hosts_per_switch: {}, link: {{bandwidth: "
        "1Gbps}}, global_link: {{bandwidth: 2Gbps}}}}}}",
        g, a, h, p));
    RC_ASSERT(static_cast<int>(switches(network)) == g * a);
    RC_ASSERT(network.rank_capacity() == g * a * p);
    const auto group = [&](DeviceId device) {
      const std::string& name = network.devices[device].name;
      return std::stoi(name.substr(1, name.find('-') - 1));
    };
    std::map<std::pair<int, int>, int> between;
    std::map<DeviceId, int> global_ports;
    std::set<std::pair<DeviceId, DeviceId>> inside;
    for (const Link& link : network.links) {
      if (network.devices[link.from].kind != DeviceKind::network_switch ||
          network.devices[link.to].kind != DeviceKind::network_switch)
        continue;
      if (group(link.from) == group(link.to)) {
        RC_ASSERT(inside.emplace(link.from, link.to).second);
        RC_ASSERT(link.bandwidth == 1_Gbps);
      } else {
        ++between[{group(link.from), group(link.to)}];
        ++global_ports[link.from];
        RC_ASSERT(link.bandwidth == 2_Gbps);
      }
    }
    RC_ASSERT(static_cast<int>(inside.size()) == g * a * (a - 1));
    RC_ASSERT(static_cast<int>(between.size()) == g * (g - 1));
    for (const auto& [pair, cables] : between) RC_ASSERT(cables == a * h / (g - 1));
    for (const auto& [device, ports] : global_ports) RC_ASSERT(ports <= h);
    RC_ASSERT(summarise(network).diameter_links <= 5);  // host, local, global, local, host
  }));
}

TEST(Generators, FullDragonflyUsesEveryPort) {
  const Topology network = read(
      "generate: {dragonfly: {groups: 9, switches: 4, global_links: 2, hosts_per_switch: 2, link: {bandwidth: "
      "1Gbps}}}");
  for (DeviceId device = 0; device < network.devices.size(); ++device)
    if (network.devices[device].kind == DeviceKind::network_switch) {
      EXPECT_EQ(switch_degree(network, device), std::make_pair(std::size_t{5}, std::size_t{5}));
    }
}

TEST(Generators, RailOnlyHasNoSpinesAndPodsHaveLeavesOfTheirOwn) {
  const Topology rails =
      read("node: hgx_h100\ngenerate: {leaf_spine: {nodes: 4, rails: 8, spines: 0, link: {bandwidth: 400Gbps}}}");
  EXPECT_EQ(switches(rails), 8U);
  for (const Link& link : rails.links)
    EXPECT_FALSE(rails.devices[link.from].kind == DeviceKind::network_switch &&
                 rails.devices[link.to].kind == DeviceKind::network_switch);
  const Topology pods = read(
      "node: hgx_h100\ngenerate: {leaf_spine: {nodes: 8, rails: 4, pods: 2, spines: 4, link: {bandwidth: 400Gbps}}}");
  EXPECT_EQ(switches(pods), 2U * 4 + 4);
  const auto leaf_of = [&](const std::string& nic) {
    for (const LinkId link : pods.links_from(pods.find_device(nic)))
      if (pods.devices[pods.links[link].to].kind == DeviceKind::network_switch)
        return pods.devices[pods.links[link].to].name;
    return std::string();
  };
  EXPECT_EQ(leaf_of("node3.nic6"), "leaf2");
  EXPECT_EQ(leaf_of("node4.nic6"), "leaf6");
  for (const LinkId link : pods.links_from(pods.find_device("leaf5")))
    if (pods.devices[pods.links[link].to].name == "spine0") {
      EXPECT_EQ(pods.links[link].bandwidth, 800_Gbps) << "4 nodes x 2 NICs x 400 Gbps over 4 spines";
    }
}

TEST(Generators, KindsOfNodesMixByTheirCounts) {
  const Topology mixed = read(
      "node: [{kind: hgx_h100, count: 2}, {kind: dgx_a100, count: 1}, {kind: {gpus: 2, nvlink: 100GB/s, nics: 8, pcie: "
      "28.2GB/s}, count: 1}]\n"
      "generate: {leaf_spine: {nodes: 4, rails: 8, spines: 2, link: {bandwidth: 400Gbps}}}");
  ASSERT_EQ(mixed.nodes.size(), 4U);
  EXPECT_EQ(mixed.rank_capacity(), 8 + 8 + 8 + 2);
  EXPECT_EQ(mixed.nodes[1].kind, "hgx_h100");
  EXPECT_EQ(mixed.nodes[2].kind, "dgx_a100");
  EXPECT_EQ(mixed.nodes[3].kind, "inline");
  EXPECT_EQ(mixed.nodes[3].name, "node3");
  EXPECT_EQ(mixed.devices[mixed.find_device("node2.gpu0")].model, "a100_sxm");
  const Topology star = read(
      "node: [{kind: hgx_h100, count: 1}, {kind: host, count: 3}]\ngenerate: {star: {hosts: 4, link: {bandwidth: "
      "400Gbps}}}");
  EXPECT_EQ(star.rank_capacity(), 8 + 3);
  EXPECT_NE(star.find_device("h3"), no_id);
}

}  // namespace
}  // namespace lockstep
