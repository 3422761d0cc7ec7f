// Question: are steps of packets that are not simulated as long as they would have been, and is that a gain?
#include <gtest/gtest.h>

#include <string>

#include "core/config/document.hpp"
#include "core/profile/profile.hpp"
#include "core/topology/topology.hpp"
#include "core/workload/rows.hpp"
#include "sim/executor.hpp"
#include "sim/simulate.hpp"

namespace lockstep {
namespace {

struct Found {
  double time_s = 0;
  sim::SimulationStatistics statistics;
};

Found simulate(const std::string& topology_text, const std::string& transport, const std::string& collective,
               double steady) {
  const Topology topology = read_topology(config::parse_text("name: t\n" + topology_text + "\n", "t.yaml"), "t.yaml");
  const Workload workload =
      read_workload(config::parse_text("name: w\ncollectives: [{" + collective + "}]\n", "w.yaml"), "w.yaml");
  const Profile profile = read_profile(
      config::parse_text("name: p\ntcp: {framing: {packet_header: 40B, frame_header: 38B, acknowledgement: "
                         "64B}}\ntransport: {" +
                             transport + "}\n",
                         "p.yaml"),
      "p.yaml");
  const PlannedWorkload planned = plan_workload(workload, topology.rank_capacity());
  sim::SimulationOptions options;
  options.packets = sim::SimulationOptions::Packets::all;
  options.disturbances.steady = steady;
  const Routing routing(topology);
  sim::SimulatedExecutor executor(topology, routing, profile, options);
  Timeline timeline;
  executor.execute(planned.plan, timeline);
  return {to_seconds(executor.statistics().end), executor.statistics()};
}

constexpr double share = 0.002;
constexpr const char* link = "link: {bandwidth: 100Gbps, latency: 500ns, mtu: 4096B}";

struct Case {
  const char* name;
  std::string topology;
  const char* transport;
  const char* collective;
  double gain;  // at least; 1: none is promised, as where packets draw their ways
};
void PrintTo(const Case& one, std::ostream* stream) { *stream << one.name; }

std::string fat_tree(int k, const std::string& more = "") {
  return "generate: {fat_tree: {k: " + std::to_string(k) + more + ", " + link + "}}";
}

class SteadySteps : public testing::TestWithParam<Case> {};
TEST_P(SteadySteps, TakeAsLongAsSimulatedOnes) {
  const Case& one = GetParam();
  const Found all = simulate(one.topology, one.transport, one.collective, 0);
  const Found some = simulate(one.topology, one.transport, one.collective, share);
  EXPECT_EQ(all.statistics.replayed_steps, 0U);
  EXPECT_NEAR(some.time_s, all.time_s, 0.01 * all.time_s);
  EXPECT_EQ(some.statistics.messages, all.statistics.messages);
  EXPECT_EQ(some.statistics.payload_bytes, all.statistics.payload_bytes);
  EXPECT_GE(static_cast<double>(all.statistics.events), one.gain * static_cast<double>(some.statistics.events));
}
const std::string star = std::string("generate: {star: {hosts: 24, ") + link + "}}";
const std::string lossless =
    "generate: {fat_tree: {k: 4, link: {bandwidth: 200Gbps, latency: 300ns, kind: infiniband}}}";
constexpr const char* ring = "kind: all_reduce, algorithm: ring, size: 8640000B";
INSTANTIATE_TEST_SUITE_P(
    All, SteadySteps,
    testing::Values(
        Case{"Star", star, "kind: rdma", ring, 1.5}, Case{"FatTree", fat_tree(4), "kind: rdma", ring, 1},
        Case{"FatTreeOf54", fat_tree(6), "kind: rdma", ring, 2},
        Case{"Oversubscribed", fat_tree(6, ", oversubscription: 3"), "kind: rdma", ring, 1.5},
        Case{"Channels", fat_tree(6), "kind: rdma", "kind: all_reduce, algorithm: ring, size: 8640000B, channels: 2",
             1},
        Case{"Gather", fat_tree(6), "kind: rdma", "kind: all_gather, algorithm: ring, size: 17280000B", 1.5},
        Case{"Scatter", fat_tree(6), "kind: rdma", "kind: reduce_scatter, algorithm: ring, size: 17280000B", 1.5},
        Case{"Uneven", fat_tree(6), "kind: rdma", "kind: all_reduce, algorithm: ring, sizes: [8000036B]", 1},
        Case{"Slices", fat_tree(6), "kind: rdma", "kind: all_reduce, algorithm: ring, size: 8640000B, chunk: 64KiB", 1},
        Case{"Credits", lossless, "kind: rdma", ring, 1},
        Case{"Spray", fat_tree(6) + "\nrouting: {mode: spray}", "kind: rdma", ring, 1},
        Case{"Adaptive", fat_tree(6) + "\nrouting: {mode: adaptive}", "kind: rdma", ring, 1},
        Case{"Dcqcn", fat_tree(6, ", oversubscription: 3"), "kind: rdma, congestion_control: dcqcn", ring, 1},
        Case{"Tcp", fat_tree(4), "kind: tcp", ring, 1}, Case{"SenderBased", fat_tree(4), "kind: sender_based", ring, 1},
        Case{"Pairwise", fat_tree(4), "kind: rdma", "kind: all_to_all, size: 17280000B", 1},
        Case{"Tree", fat_tree(4), "kind: rdma", "kind: all_reduce, algorithm: tree, size: 8640000B", 1}),
    [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace lockstep
