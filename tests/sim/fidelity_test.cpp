// One question, three fidelities: where nothing is congested they agree; where packets matter they differ, and which
// way.
#include <gtest/gtest.h>

#include <stdexcept>

#include "core/workload/rows.hpp"
#include "core/workload/workload.hpp"
#include "sim/simulate.hpp"
#include "tests/sim/networks.hpp"

namespace lockstep::test {
namespace {

struct Case {
  const char* name;
  const char* topology;
  const char* collective;
};

sim::Prediction prediction_of(const std::string& fidelity, const std::string& topology_text,
                              const std::string& collective, const Profile& profile = ideal_profile()) {
  const Topology topology = read_topology(config::parse_text(topology_text, "t.yaml"), "t.yaml");
  const Workload workload =
      read_workload(config::parse_text("name: w\ncollectives: [{" + collective + "}]\n", "w.yaml"), "w.yaml");
  const auto planned = plan_workload(workload, topology.rank_capacity());
  const Routing routing(topology);
  Timeline timeline;
  for (const auto& entry : sim::fidelity_catalogue())
    if (entry.name == fidelity) return entry.predict(topology, routing, profile, planned, timeline, {});
  throw std::invalid_argument(fidelity);
}

double time_of(const std::string& fidelity, const std::string& topology_text, const std::string& collective,
               const Profile& profile = ideal_profile()) {
  return prediction_of(fidelity, topology_text, collective, profile).collectives.front().time_s;
}

constexpr const char* star = "generate: {star: {hosts: 8, link: {bandwidth: 100Gbps, latency: 500ns, mtu: 4096B}}}";
constexpr const char* star4 = "generate: {star: {hosts: 4, link: {bandwidth: 100Gbps, latency: 500ns, mtu: 4096B}}}";
constexpr const char* tree = "generate: {fat_tree: {k: 4, link: {bandwidth: 100Gbps, latency: 500ns, mtu: 4096B}}}";
// Every flow its own way, so that nothing collides.
constexpr const char* railed =
    "generate: {fat_tree: {k: 4, link: {bandwidth: 100Gbps, latency: 500ns, mtu: 4096B}}}\nrouting: {mode: "
    "static_rail, "
    "pxn: false}";
constexpr const char* lossless =
    "generate: {fat_tree: {k: 4, link: {bandwidth: 200Gbps, latency: 300ns, kind: infiniband}}}";

class Agree : public testing::TestWithParam<Case> {};
TEST_P(Agree, WithinThreePercentWithoutCongestion) {
  const auto& [name, topology, collective] = GetParam();
  const double packet = time_of("packet", topology, collective);
  EXPECT_NEAR(time_of("flow", topology, collective), packet, 0.03 * packet);
  EXPECT_NEAR(time_of("analytic", topology, collective), packet, 0.03 * packet);
}
INSTANTIATE_TEST_SUITE_P(
    Uncongested, Agree,
    testing::Values(Case{"PairOnStar", star, "kind: send_recv, sizes: [1MiB]"},
                    Case{"PairOnTree", tree, "kind: send_recv, sizes: [1MiB]"},
                    Case{"PairOnInfiniband", lossless, "kind: send_recv, sizes: [16MiB]"},
                    Case{"RingOnStar", star, "kind: all_reduce, algorithm: ring, sizes: [8MiB]"},
                    Case{"RingOnTree", tree, "kind: all_reduce, algorithm: ring, sizes: [16MiB]"},
                    Case{"RingOnInfiniband", lossless, "kind: all_reduce, algorithm: ring, sizes: [16MiB]"},
                    Case{"TreeOnStar", star4, "kind: all_reduce, algorithm: tree, sizes: [64MiB], chunk: 1MiB"},
                    Case{"WholeTreeOnStar", star, "kind: all_reduce, algorithm: tree, sizes: [4MiB], chunk: 4MiB"},
                    Case{"WholeTreeOnTree", tree, "kind: all_reduce, algorithm: tree, sizes: [4MiB], chunk: 4MiB"},
                    Case{"BroadcastOnStar", star, "kind: broadcast, algorithm: tree, sizes: [64MiB], chunk: 1MiB"},
                    Case{"AllToAllOnStar", star, "kind: all_to_all, sizes: [8MiB]"},
                    Case{"AllToAllOnTree", railed, "kind: all_to_all, sizes: [16MiB]"},
                    Case{"HalvingOnStar", star, "kind: all_reduce, algorithm: halving_doubling, sizes: [16MiB]"}),
    [](const auto& test) { return std::string(test.param.name); });

constexpr const char* oversubscribed =
    "generate: {fat_tree: {k: 4, oversubscription: 4, link: {bandwidth: 100Gbps, latency: 500ns, mtu: 4096B}}}";
// Two rings of four, each over both leaves, share the links between them.
constexpr const char* shared_links =
    "generate: {leaf_spine: {hosts: 8, leaves: 2, spines: 1, oversubscription: 2, link: {bandwidth: 100Gbps, latency: "
    "500ns, mtu: 4096B}}}";

class Near : public testing::TestWithParam<Case> {};
TEST_P(Near, FlowsShareLinksAsPacketsDo) {
  const auto& [name, topology, collective] = GetParam();
  const double packet = time_of("packet", topology, collective);
  EXPECT_NEAR(time_of("flow", topology, collective), packet, 0.10 * packet);
}
INSTANTIATE_TEST_SUITE_P(
    Congested, Near,
    testing::Values(Case{"Ring", oversubscribed, "kind: all_reduce, algorithm: ring, sizes: [16MiB]"},
                    Case{"Tree", oversubscribed, "kind: all_reduce, algorithm: tree, sizes: [32MiB], chunk: 1MiB"},
                    Case{"Halving", oversubscribed, "kind: all_reduce, algorithm: halving_doubling, sizes: [32MiB]"},
                    Case{"AllToAll", oversubscribed, "kind: all_to_all, sizes: [16MiB]"},
                    Case{"TwoChannels", shared_links,
                         "kind: all_reduce, algorithm: ring, sizes: [32MiB], channels: 2"}),
    [](const auto& test) { return std::string(test.param.name); });

// --- Mixed: packets between machines, flows inside them ---

constexpr const char* gpus =
    "node: hgx_h100\ngenerate: {leaf_spine: {nodes: 2, rails: 8, spines: 4, link: {bandwidth: 400Gbps, latency: 500ns, "
    "kind: infiniband}}}\n";

TEST(Mixed, OfHostsIsPackets) {
  const char* row = "kind: all_to_all, sizes: [1MiB]";
  EXPECT_EQ(time_of("mixed", tree, row), time_of("packet", tree, row));
}

TEST(Mixed, InsideAMachineIsFlows) {
  const char* machine = "node: hgx_h100\ngenerate: {star: {hosts: 1, link: {bandwidth: 100Gbps}}}\n";
  for (const char* row : {"kind: all_reduce, algorithm: ring, sizes: [1MiB]", "kind: all_to_all, sizes: [64KiB]"}) {
    const auto mixed = prediction_of("mixed", machine, row);
    EXPECT_EQ(mixed.collectives.front().time_s, time_of("flow", machine, row));
    EXPECT_EQ(mixed.network["packets"], 0);
  }
}

TEST(Mixed, OfBothIsAsGoodAsPacketsWithFewerOfThem) {
  for (const char* row :
       {"kind: all_reduce, algorithm: hierarchical, ranks_per_node: 8, sizes: [16MiB]",
        "kind: all_reduce, algorithm: ring, sizes: [16MiB]", "kind: all_reduce, algorithm: tree, sizes: [16MiB]"}) {
    const auto mixed = prediction_of("mixed", gpus, row);
    const auto packets = prediction_of("packet", gpus, row);
    EXPECT_NEAR(mixed.collectives.front().time_s, packets.collectives.front().time_s,
                0.01 * packets.collectives.front().time_s)
        << row;
    EXPECT_LT(2 * mixed.network["packets"].get<double>(), packets.network["packets"].get<double>()) << row;
  }
}

TEST(Mixed, PacketsAreOfTheSwitchesThatAreNamed) {
  const auto one_rail = prediction_of("mixed", std::string(gpus) + "switching: {packets: [leaf3]}\n",
                                      "kind: all_reduce, algorithm: hierarchical, ranks_per_node: 8, sizes: [16MiB]");
  std::int64_t through = 0;
  for (const auto& link : one_rail.network["links"]) {
    const auto packets = link["packets"].get<std::int64_t>();
    if (link["from"] == "leaf3" || link["to"] == "leaf3") {
      through += packets;
    } else if (link["from"].get<std::string>().starts_with("leaf")) {
      EXPECT_EQ(packets, 0) << link["from"] << " -> " << link["to"];
    }
  }
  EXPECT_GT(through, 0);
}

// A slow rank and a slow link reach both halves.
TEST(Mixed, FaultsReachPacketsAndFlows) {
  const char* row = "kind: all_reduce, algorithm: hierarchical, ranks_per_node: 8, sizes: [16MiB]";
  const double whole = time_of("mixed", gpus, row);
  const auto disturbed = [&](const std::string& fault) {
    const Topology topology =
        read_topology(config::parse_text(std::string(gpus) + "faults: [" + fault + "]\n", "t.yaml"), "t.yaml");
    const Workload workload =
        read_workload(config::parse_text("name: w\ncollectives: [{" + std::string(row) + "}]\n", "w.yaml"), "w.yaml");
    const auto planned = plan_workload(workload, topology.rank_capacity());
    Timeline timeline;
    sim::Disturbances disturbances;
    disturbances.faults = resolve_faults(topology.faults, topology, topology.rank_capacity());
    for (const auto& entry : sim::fidelity_catalogue())
      if (entry.name == "mixed")
        return entry.predict(topology, Routing(topology), ideal_profile(), planned, timeline, disturbances)
            .collectives.front()
            .time_s;
    return 0.0;
  };
  EXPECT_GT(disturbed("{link: node0.nic0-leaf0, bandwidth: 10%}"), 1.5 * whole);
  EXPECT_GT(disturbed("{link: node0.gpu0-node0.nvswitch, bandwidth: 5%}"), 1.2 * whole);
}

// Small messages: packets are stored at every switch, which flows know nothing of.
TEST(Differ, SmallMessagesAreSlowerInPackets) {
  const char* row = "kind: all_reduce, algorithm: ring, sizes: [64KiB]";
  EXPECT_GT(time_of("packet", tree, row), 1.1 * time_of("flow", tree, row));
}

// DCQCN cuts rates for milliseconds after each collision; flows share fairly at once.
TEST(Differ, CollisionsUnderDcqcnCostMoreThanFairShares) {
  Profile dcqcn = ideal_profile();
  dcqcn.transport.congestion_control = CongestionControl::dcqcn;
  const char* row = "kind: all_reduce, algorithm: halving_doubling, sizes: [32MiB]";
  EXPECT_GT(time_of("packet", tree, row, dcqcn), 1.2 * time_of("flow", tree, row));
}

// Many to one into a shallow queue: TCP loses whole windows and waits for its timeouts.
TEST(Differ, IncastIntoAShallowQueueCostsTimeouts) {
  Profile tcp = ideal_profile();
  tcp.transport.kind = TransportKind::tcp;
  const char* shallow =
      "generate: {star: {hosts: 16, link: {bandwidth: 1Gbps, latency: 50us, queue: 32KiB}}}\nswitching: {flow_control: "
      "none}";
  const char* row = "kind: gather, sizes: [2MiB]";
  EXPECT_GT(time_of("packet", shallow, row, tcp), 2 * time_of("flow", shallow, row, tcp));
}

}  // namespace
}  // namespace lockstep::test
