// NCCL's choice: the worked examples of its cost model, settings, and what a topology is to it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.hpp"
#include "core/config/document.hpp"
#include "core/nccl/choices.hpp"
#include "core/nccl/tuning.hpp"

namespace lockstep::nccl {
namespace {

Topology topology_of(const std::string& yaml) { return read_topology(config::parse_text(yaml, "t.yaml"), "t.yaml"); }

System one_node(const std::string& kind, const NcclProfile& settings = {}) {
  const Topology topology = topology_of("name: t\nnodes: [{name: n, kind: " + kind + "}]\n");
  return system_of(topology, topology.rank_capacity(), settings);
}

System nodes_of(int nodes, const std::string& kind, const std::string& link, const NcclProfile& settings = {}) {
  const Topology topology = topology_of(
      "name: t\nnode: " + kind + "\ngenerate:\n  star: {hosts: " + std::to_string(nodes) + ", link: {" + link + "}}\n");
  return system_of(topology, topology.rank_capacity(), settings);
}

const std::string ndr = "bandwidth: 400Gbps, latency: 500ns, kind: infiniband";

double latency_of(const System& system, CollectiveKind kind, Algorithm algorithm, Protocol protocol,
                  std::int64_t bytes = 8) {
  for (const auto& candidate : candidates(system, kind, bytes))
    if (candidate.algorithm == algorithm && candidate.protocol == protocol) return candidate.latency_us;
  ADD_FAILURE() << to_string(algorithm) << " " << to_string(protocol) << " is no candidate";
  return 0;
}

// Worked by hand from tuning.cc: 6.6 + 14 x 0.6, 14 + 14 x 1.9, 8.4 + 14 x 3.4.
TEST(NcclTuning, LatenciesOfARingOfEight) {
  const System system = one_node("hgx_h100");
  EXPECT_NEAR(latency_of(system, CollectiveKind::all_reduce, Algorithm::ring, Protocol::ll), 15.0, 0.01);
  EXPECT_NEAR(latency_of(system, CollectiveKind::all_reduce, Algorithm::ring, Protocol::ll128), 40.6, 0.01);
  EXPECT_NEAR(latency_of(system, CollectiveKind::all_reduce, Algorithm::ring, Protocol::simple), 56.0, 0.01);
  EXPECT_NEAR(latency_of(system, CollectiveKind::all_gather, Algorithm::ring, Protocol::ll), 10.8, 0.01);
  EXPECT_NEAR(latency_of(system, CollectiveKind::broadcast, Algorithm::ring, Protocol::ll), 7.2, 0.01);
  EXPECT_NEAR(latency_of(system, CollectiveKind::all_reduce, Algorithm::nvls, Protocol::simple), 25.0, 0.01);
}

// 56 hops inside (1 us of posting where NVLink's 0.6 is less) and 6 between nodes.
TEST(NcclTuning, LatenciesOfFourNodesOfEight) {
  const System system = nodes_of(4, "hgx_h100", ndr);
  const auto all_reduce = CollectiveKind::all_reduce;
  EXPECT_NEAR(latency_of(system, all_reduce, Algorithm::ring, Protocol::ll), 79, 0.5);
  EXPECT_NEAR(latency_of(system, all_reduce, Algorithm::ring, Protocol::ll128), 144, 0.6);
  EXPECT_NEAR(latency_of(system, all_reduce, Algorithm::ring, Protocol::simple), 283, 0.5);
  EXPECT_NEAR(latency_of(system, all_reduce, Algorithm::tree, Protocol::ll), 35, 0.5);
  EXPECT_NEAR(latency_of(system, all_reduce, Algorithm::tree, Protocol::ll128), 66, 0.5);
  EXPECT_NEAR(latency_of(system, all_reduce, Algorithm::tree, Protocol::simple), 120, 0.5);
  EXPECT_NEAR(latency_of(system, all_reduce, Algorithm::nvls_tree, Protocol::simple), 25 + 4 * 20.9, 0.01);
  // From 64 B per rank and channel on, the plateau of the ring: 1.4 times.
  EXPECT_NEAR(latency_of(system, all_reduce, Algorithm::ring, Protocol::simple, 1 << 24), 282.8 * 1.4, 0.5);
}

TEST(NcclTuning, WhatANicReportsCountsTwiceForSimple) {
  const std::string efa = "bandwidth: 400Gbps, latency: 500ns, kind: efa";
  NcclProfile intel;
  intel.cpu = NcclProfile::Cpu::intel;
  const System with = nodes_of(2, "hgx_h100", efa, intel), without = nodes_of(2, "hgx_h100", ndr, intel);
  const auto difference = [&](Protocol protocol) {
    return latency_of(with, CollectiveKind::all_reduce, Algorithm::tree, protocol) -
           latency_of(without, CollectiveKind::all_reduce, Algorithm::tree, protocol);
  };
  EXPECT_NEAR(difference(Protocol::ll), 2 * 75, 0.01);
  EXPECT_NEAR(difference(Protocol::simple), 2 * 2 * 75, 0.01);
}

// 12 channels of 20 GB/s on A100; 12 of 30 on H100; 16 of 45 on B200; heads of NVLS share a link with one more.
TEST(NcclTuning, ChannelsOfANode) {
  const Graph a100 = graph_of(one_node("dgx_a100"));
  EXPECT_EQ(a100.channels, 12);
  EXPECT_DOUBLE_EQ(a100.rate, 20);
  EXPECT_EQ(a100.running_channels, 24);
  EXPECT_EQ(a100.nvls_rate, 0);
  const Graph h100 = graph_of(one_node("hgx_h100"));
  EXPECT_DOUBLE_EQ(h100.channels * h100.rate, 360);
  EXPECT_EQ(h100.running_channels, 24);
  EXPECT_DOUBLE_EQ(h100.nvls_rate, 40);
  EXPECT_EQ(h100.nvls_channels, 16);
  const Graph b200 = graph_of(one_node("hgx_b200"));
  EXPECT_DOUBLE_EQ(b200.channels * b200.rate, 720);
  EXPECT_DOUBLE_EQ(b200.nvls_rate, 80);
  EXPECT_EQ(b200.nvls_channels, 24);
}

// Crossings of the estimates, worked by hand: 15 + S/80.6 = 25 + S/272 at 1.14 MB.
TEST(NcclTuning, ChoicesOfAnAllReduceOnEightH100) {
  const auto found = choices(one_node("hgx_h100"), CollectiveKind::all_reduce, 8, std::int64_t{16} << 30);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].algorithm, Algorithm::ring);
  EXPECT_EQ(found[0].protocol, Protocol::ll);
  EXPECT_EQ(found[1].algorithm, Algorithm::nvls);
  EXPECT_NEAR(static_cast<double>(found[1].from_bytes), 1.14e6, 0.02e6);
}

TEST(NcclTuning, ChoicesAreTheChoicesOfTheirSizes) {
  const System system = nodes_of(2, "hgx_h100", ndr);
  const auto found = choices(system, CollectiveKind::all_reduce, 8, std::int64_t{1} << 34);
  ASSERT_GT(found.size(), 2U);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto at = choose(system, CollectiveKind::all_reduce, found[i].from_bytes);
    EXPECT_EQ(at.algorithm, found[i].algorithm);
    EXPECT_EQ(at.protocol, found[i].protocol);
    if (i == 0) continue;
    const auto before = choose(system, CollectiveKind::all_reduce, found[i].from_bytes - 1);
    EXPECT_TRUE(before.algorithm != at.algorithm || before.protocol != at.protocol) << found[i].from_bytes;
  }
}

TEST(NcclTuning, SettingsRestrictTheChoice) {
  NcclProfile settings;
  settings.algorithms = {"ring"};
  settings.protocols = {"LL128", "Simple"};
  const System system = one_node("hgx_h100", settings);
  for (const auto& candidate : candidates(system, CollectiveKind::all_reduce, 1 << 20)) {
    EXPECT_EQ(candidate.algorithm, Algorithm::ring);
    EXPECT_NE(candidate.protocol, Protocol::ll);
  }
  settings.nvls = false;
  settings.algorithms = {"nvls"};
  const System none = one_node("hgx_h100", settings);
  EXPECT_THAT([&] { candidates(none, CollectiveKind::all_reduce, 8); },
              testing::ThrowsMessage<InputError>(
                  "profile: nccl.algorithms and nccl.protocols leave nothing that does all_reduce here"));
}

TEST(NcclSystem, OfTopologies) {
  const System h100 = nodes_of(2, "hgx_h100", ndr);
  EXPECT_EQ(h100.generation, Generation::hopper);
  EXPECT_EQ(h100.nodes, 2);
  EXPECT_EQ(h100.gpus_per_node, 8);
  EXPECT_EQ(h100.nics, 8);
  EXPECT_DOUBLE_EQ(h100.nic_GBps, 50);
  EXPECT_NEAR(h100.nvlink_GBps, 370.8, 0.01);
  EXPECT_TRUE(h100.nvls);
  EXPECT_EQ(h100.fabric, Fabric::infiniband);
  // 32 NICs of 100 Gb/s are four for each GPU: one of their joint rate.
  const System p5 = nodes_of(2, "{gpus: 8, nvlink: 450GB/s, nics: 32, pcie: 56.4GB/s}",
                             "bandwidth: 100Gbps, latency: 1us, kind: efa");
  EXPECT_EQ(p5.nics, 8);
  EXPECT_DOUBLE_EQ(p5.nic_GBps, 50);
  EXPECT_EQ(p5.cpu, NcclProfile::Cpu::amd);
  EXPECT_EQ(one_node("dgx_a100").generation, Generation::ampere);
  EXPECT_FALSE(one_node("dgx_a100").nvls);
  EXPECT_EQ(one_node("hgx_b200").generation, Generation::blackwell);
}

TEST(NcclSystem, RefusesWhatItDoesNotKnow) {
  const auto refusal = [](const std::string& yaml, int ranks) {
    try {
      system_of(topology_of(yaml), ranks, {});
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("no refusal");
  };
  EXPECT_EQ(refusal("name: t\ngenerate:\n  star: {hosts: 2, link: {bandwidth: 1Gbps}}\n", 2),
            "topology 't': NCCL's model does not apply: rank 0 (h0) is no GPU");
  EXPECT_EQ(refusal("name: t\nnodes: [{name: n, kind: hgx_h100}]\n", 1),
            "topology 't': NCCL's model does not apply: it needs at least 2 ranks");
  EXPECT_EQ(
      refusal("name: t\nnode: hgx_h100\ngenerate:\n  star: {hosts: 2, link: {bandwidth: 400Gbps, kind: roce}}\n", 12),
      "topology 't': NCCL's model does not apply: node0 has 8 ranks and node1 has 4; it knows equal nodes only");
  EXPECT_EQ(refusal("name: t\nnode: {gpus: 2, pcie: 28.2GB/s}\nnodes: [{name: n}]\n", 2),
            "topology 't': NCCL's model does not apply: n.gpu0 has no NVLink");
}

TEST(NcclGeneration, ByModelAndByNvlink) {
  EXPECT_EQ(generation_of_model("A100-SXM4-80GB"), Generation::ampere);
  EXPECT_EQ(generation_of_model("gb200"), Generation::blackwell);
  EXPECT_EQ(generation_of_model("rtx4090"), std::nullopt);
  EXPECT_EQ(generation_of_nvlink(150), Generation::volta);
  EXPECT_EQ(generation_of_nvlink(300), Generation::ampere);
  EXPECT_EQ(generation_of_nvlink(450), Generation::hopper);
  EXPECT_EQ(generation_of_nvlink(900), Generation::blackwell);
}

}  // namespace
}  // namespace lockstep::nccl
