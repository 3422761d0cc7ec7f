// One question, three fidelities: where nothing is congested they agree; where packets matter they differ, and which
// way.
#include <gtest/gtest.h>

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

double time_of(const std::string& fidelity, const std::string& topology_text, const std::string& collective,
               const Profile& profile = ideal_profile()) {
  const Topology topology = read_topology(config::parse_text(topology_text, "t.yaml"), "t.yaml");
  const Workload workload =
      read_workload(config::parse_text("name: w\ncollectives: [{" + collective + "}]\n", "w.yaml"), "w.yaml");
  const auto planned = plan_workload(workload, topology.rank_capacity());
  const Routing routing(topology);
  Timeline timeline;
  for (const auto& entry : sim::fidelity_catalogue())
    if (entry.name == fidelity)
      return entry.predict(topology, routing, profile, planned, timeline).collectives.front().time_s;
  ADD_FAILURE() << fidelity;
  return 0;
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
