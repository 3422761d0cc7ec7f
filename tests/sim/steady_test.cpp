// Question: are steps of packets that are not simulated as long as they would have been, and is that a gain?
#include <gtest/gtest.h>

#include <string>

#include "core/base/catalogue.hpp"
#include "core/config/document.hpp"
#include "core/profile/profile.hpp"
#include "core/topology/topology.hpp"
#include "core/workload/rows.hpp"
#include "sim/executor.hpp"
#include "sim/network/packet/settings.hpp"
#include "sim/simulate.hpp"

namespace lockstep {
namespace {

struct Found {
  double time_s = 0;
  sim::SimulationStatistics statistics;
};

Topology topology_of(const std::string& text) {
  return read_topology(config::parse_text("name: t\n" + text + "\n", "t.yaml"), "t.yaml");
}

Profile profile_of(const std::string& transport) {
  return read_profile(config::parse_text("name: p\ntcp: {framing: {packet_header: 40B, frame_header: 38B, "
                                         "acknowledgement: 64B}}\ntransport: {" +
                                             transport + "}\n",
                                         "p.yaml"),
                      "p.yaml");
}

std::string unsteady_reason(const std::string& topology, const std::string& transport) {
  return sim::packet::unsteady(topology_of(topology), profile_of(transport));
}

Found simulate(const std::string& topology_text, const std::string& transport, const std::string& collective,
               double steady) {
  const Topology topology = topology_of(topology_text);
  const Profile profile = profile_of(transport);
  const Workload workload =
      read_workload(config::parse_text("name: w\ncollectives: [{" + collective + "}]\n", "w.yaml"), "w.yaml");
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

std::string fat_tree(int k, const std::string& more = "") {
  return "generate: {fat_tree: {k: " + std::to_string(k) + more + ", " + link + "}}";
}
std::string star(int hosts) { return "generate: {star: {hosts: " + std::to_string(hosts) + ", " + link + "}}"; }
std::string leaf_spine(const std::string& more) {
  return std::string("generate: {leaf_spine: {hosts: 64, leaves: 8, spines: 2, ") + link + "}}" + more;
}
constexpr const char* ring = "kind: all_reduce, algorithm: ring, size: 8640000B";
constexpr const char* even_ring = "kind: all_reduce, algorithm: ring, size: 16MiB";

struct Case {
  const char* name;
  std::string topology;
  const char* collective;
  double gain;  // at least so many times fewer events; 0: steps need not repeat
};
void PrintTo(const Case& one, std::ostream* stream) { *stream << one.name; }

class SteadySteps : public testing::TestWithParam<Case> {};
TEST_P(SteadySteps, TakeAsLongAsSimulatedOnes) {
  const Case& one = GetParam();
  const Found all = simulate(one.topology, "kind: rdma", one.collective, 0);
  const Found some = simulate(one.topology, "kind: rdma", one.collective, share);
  EXPECT_EQ(all.statistics.replayed_steps, 0U);
  EXPECT_NEAR(some.time_s, all.time_s, 0.01 * all.time_s);
  EXPECT_EQ(some.statistics.messages, all.statistics.messages);
  EXPECT_EQ(some.statistics.payload_bytes, all.statistics.payload_bytes);
  EXPECT_GE(static_cast<double>(all.statistics.events), one.gain * static_cast<double>(some.statistics.events));
  EXPECT_EQ(some.statistics.replayed_steps > 0, one.gain > 1);
}
INSTANTIATE_TEST_SUITE_P(
    All, SteadySteps,
    testing::Values(
        Case{"Star", star(24), ring, 1.3}, Case{"StarOf64", star(64), even_ring, 2},
        Case{"FatTreeOf54", fat_tree(6), ring, 1.5},
        Case{"Oversubscribed", fat_tree(6, ", oversubscription: 3"), ring, 1.5},
        Case{"LeafSpine", leaf_spine(""), even_ring, 1.2},
        Case{"Gather", fat_tree(6), "kind: all_gather, algorithm: ring, size: 17280000B", 1.5},
        Case{"Scatter", fat_tree(6), "kind: reduce_scatter, algorithm: ring, size: 17280000B", 1.5},
        Case{"Channels", star(64), "kind: all_reduce, algorithm: ring, size: 64MiB, channels: 8", 1.5},
        Case{"Slices", fat_tree(6), "kind: all_reduce, algorithm: ring, size: 8640000B, chunk: 64KiB", 1.5},
        Case{"Credits", "generate: {fat_tree: {k: 6, link: {bandwidth: 200Gbps, latency: 300ns, kind: infiniband}}}",
             ring, 1.5},
        Case{"Spray", fat_tree(6) + "\nrouting: {mode: spray}", ring, 1.5},
        Case{"Adaptive", fat_tree(6) + "\nrouting: {mode: adaptive}", ring, 1.5},
        // What is slow somewhere reaches the others a rank per step.
        Case{"OneSlowCable", star(64) + "\ndegraded: [{between: [h9, s0], bandwidth: 90%}]", even_ring, 1.3},
        Case{"OneHardlySlowCable", star(64) + "\ndegraded: [{between: [h9, s0], bandwidth: 99%}]", even_ring, 1.5},
        Case{
            "SlowUplinks",
            leaf_spine(
                "\ndegraded: [{between: [leaf3, spine0], bandwidth: 95%}, {between: [leaf3, spine1], bandwidth: 95%}]"),
            even_ring, 1.5},
        Case{"Uneven", fat_tree(6), "kind: all_reduce, algorithm: ring, size: 8000036B", 0},
        Case{"Pairwise", fat_tree(4), "kind: all_to_all, size: 17280000B", 0},
        Case{"Tree", fat_tree(4), "kind: all_reduce, algorithm: tree, size: 8640000B", 0}),
    [](const auto& one) { return std::string(one.param.name); });

// What recent steps do not show decides: every step is simulated, and the reason is said.
TEST(SteadyStepsOf, NetworksThatRememberAreSimulated) {
  struct Restless {
    std::string topology, transport, reason;
  };
  const std::string plain = star(64);
  for (const Restless& one :
       {Restless{plain, "kind: tcp", "tcp remembers what became of earlier packets"},
        Restless{plain, "kind: sender_based", "sender_based remembers what became of earlier packets"},
        Restless{plain, "congestion_control: dcqcn", "DCQCN goes on to change rates"},
        Restless{plain + "\nswitching: {flow_control: none}", "kind: rdma", "full switches drop packets"},
        Restless{"generate: {star: {hosts: 64, link: {bandwidth: 100Gbps, loss: 0.01%}}}", "kind: rdma",
                 "links lose packets"},
        Restless{"generate: {star: {hosts: 64, link: {bandwidth: 100Gbps, burst: 2MiB}}}", "kind: rdma",
                 "token buckets run empty"}}) {
    EXPECT_EQ(simulate(one.topology, one.transport, "kind: all_reduce, algorithm: ring, size: 1MiB", share)
                  .statistics.replayed_steps,
              0U)
        << one.reason;
    EXPECT_EQ(unsteady_reason(one.topology, one.transport), one.reason);
  }
  EXPECT_EQ(unsteady_reason(plain, "kind: rdma"), "");
}

// The check of lower bounds knows how exact such a time is.
TEST(SteadyStepsOf, AFidelityPassItsInvariants) {
  const Topology topology = topology_of(star(64));
  const Workload workload = read_workload(
      config::parse_text("name: w\ncollectives: [{kind: all_reduce, algorithm: ring, size: 64MiB, channels: 8}]\n",
                         "w.yaml"),
      "w.yaml");
  const PlannedWorkload planned = plan_workload(workload, 64);
  const auto& packet = get_from(sim::fidelity_catalogue(), "fidelity", "packet");
  Timeline timeline;
  sim::Disturbances disturbances;
  disturbances.steady = share;
  const auto row =
      packet.predict(topology, Routing(topology), ideal_profile(), planned, timeline, disturbances).collectives.front();
  EXPECT_NEAR(row.time_s, 2 * 63 * 1048576 * 8 / 100e9, 0.02 * row.time_s);
}

}  // namespace
}  // namespace lockstep
