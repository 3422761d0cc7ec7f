// Question: is a simulated ring what the closed form says, step by step, and is it quick?
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>

#include "core/profile/profile.hpp"
#include "core/topology/routing.hpp"
#include "core/workload/rows.hpp"
#include "core/workload/workload.hpp"
#include "sim/analytic.hpp"
#include "sim/executor.hpp"

namespace lockstep {
namespace {

Topology star(int hosts, Bandwidth bandwidth, Duration latency) {
  Topology topology;
  topology.name = "star";
  for (int h = 0; h < hosts; ++h) {
    const DeviceId id =
        topology.add_device({"h" + std::to_string(h), DeviceKind::host, static_cast<NodeId>(h), Duration{0}});
    topology.nodes.push_back({"h" + std::to_string(h), {id}, {id}});
  }
  const DeviceId middle = topology.add_device({"s0", DeviceKind::network_switch, no_id, Duration{0}});
  for (int h = 0; h < hosts; ++h) {
    Link link;
    link.from = static_cast<DeviceId>(h);
    link.to = middle;
    link.bandwidth = bandwidth;
    link.latency = latency;
    topology.add_duplex(link);
  }
  topology.finish();
  return topology;
}

PlannedWorkload ring(int ranks, Bytes size, Bytes slice = Bytes{0}) {
  Workload workload;
  workload.name = "ring";
  CollectiveSpec spec;
  spec.algorithms = {"ring"};
  spec.sizes = {size};
  spec.chunk = slice;
  workload.collectives.push_back(spec);
  return plan_workload(workload, ranks);
}

struct Outcome {
  Duration time{0};
  double cpu_s = 0;
  sim::SimulationStatistics statistics;
};

Outcome simulate_ring(int ranks, Bytes size, Bandwidth bandwidth, Duration latency, std::uint64_t shuffle = 0) {
  const Topology topology = star(ranks, bandwidth, latency);
  const Routing routing(topology);
  const Profile profile = ideal_profile();
  const auto planned = ring(ranks, size);
  const std::clock_t begin = std::clock();
  sim::SimulationOptions options;
  options.shuffle = shuffle;
  sim::SimulatedExecutor executor(topology, routing, profile, options);
  Timeline timeline;
  executor.execute(planned.plan, timeline);
  Outcome outcome;
  outcome.cpu_s = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  outcome.time = executor.statistics().end;
  outcome.statistics = executor.statistics();
  return outcome;
}

// 2(n-1) steps of alpha + c/B, c = ceil(elements / n) x 4 bytes; every step may round by one picosecond.
void expect_closed_form(int ranks, Bytes size, Bandwidth bandwidth, Duration latency) {
  const Outcome outcome = simulate_ring(ranks, size, bandwidth, latency);
  const std::int64_t elements = size.count() / 4;
  const Bytes chunk{(elements + ranks - 1) / ranks * 4};
  const std::int64_t steps = 2 * (ranks - 1);
  const Duration expected = (2 * latency + transfer_time(chunk, bandwidth)) * steps;
  EXPECT_LE(std::abs((outcome.time - expected).count()), steps) << ranks << " ranks, " << size.count() << " bytes";
  EXPECT_EQ(outcome.statistics.messages,
            static_cast<std::uint64_t>(steps) * static_cast<std::uint64_t>(std::min<std::int64_t>(elements, ranks)));
}

TEST(SimulatedRing, EqualsItsClosedForm) {
  expect_closed_form(2, 1_MiB, 1_Gbps, microseconds(50));
  expect_closed_form(3, 1000000_B, 1_Gbps, microseconds(50));
  expect_closed_form(4, 16_MiB, 100_Mbps, microseconds(0));
  expect_closed_form(7, 4_B, 1_Gbps, microseconds(1));
  expect_closed_form(12, 999996_B, 400_Gbps, nanoseconds(500));
  expect_closed_form(64, 1_GiB, Bandwidth::bytes_per_second(30'000'000'000), nanoseconds(500));
  expect_closed_form(1000, 1_GiB, Bandwidth::bytes_per_second(30'000'000'000), nanoseconds(500));
  expect_closed_form(1024, 1_GiB, 1_Gbps, microseconds(50));
}

TEST(SimulatedRing, DoesNotDependOnTheOrderOfSimultaneousStarts) {
  const Outcome plain = simulate_ring(33, 1_MiB, 1_Gbps, microseconds(3));
  for (const std::uint64_t seed : {1, 2, 3}) {
    const Outcome shuffled = simulate_ring(33, 1_MiB, 1_Gbps, microseconds(3), seed);
    EXPECT_EQ(plain.time, shuffled.time);
    EXPECT_EQ(plain.statistics.events, shuffled.statistics.events);
  }
}

TEST(SimulatedRing, MoreBandwidthIsFasterAndMoreLatencySlower) {
  const auto base = simulate_ring(8, 1_MiB, 1_Gbps, microseconds(50)).time;
  EXPECT_LT(simulate_ring(8, 1_MiB, 2_Gbps, microseconds(50)).time, base);
  EXPECT_GT(simulate_ring(8, 1_MiB, 1_Gbps, microseconds(60)).time, base);
}

// Of k slices a step, each sigma on the wire, the first goes on alpha after it has left: a period is what is longer,
// all on the wire or one and its latency. Where each message has a connection of its own they share the link and come
// together. The analytic model says the same.
TEST(SimulatedRing, SlicesGoOnWhileTheOthersCome) {
  const int ranks = 6;
  const std::int64_t steps = 10;
  for (const int slices : {1, 2, 5, 16})
    for (const Duration latency : {microseconds(0), microseconds(3), microseconds(50)}) {
      const Bytes size{6LL * 80'000};
      const Topology topology = star(ranks, 10_Gbps, latency);
      const Routing routing(topology);
      const auto planned = ring(ranks, size, Bytes{80'000 / slices});
      const Duration sigma = transfer_time(Bytes{80'000 / slices}, 10_Gbps);
      const Duration alpha = 2 * latency;
      for (const bool ordered : {false, true}) {
        Profile profile = ideal_profile();
        profile.tcp.ordered = ordered;
        sim::SimulatedExecutor executor(topology, routing, profile, {});
        Timeline timeline;
        executor.execute(planned.plan, timeline);
        const Duration period = ordered ? std::max(sigma + alpha, sigma * slices) : alpha + sigma * slices;
        const Duration expected = period * (steps - 1) + alpha + sigma * slices;
        EXPECT_LE(std::abs((executor.statistics().end - expected).count()), steps * slices)
            << slices << " slices, " << latency.count() << " ps, " << (ordered ? "ordered" : "not ordered");
        EXPECT_EQ(executor.statistics().messages, static_cast<std::uint64_t>(steps * ranks * slices));
        const double closed =
            sim::predict_analytic(topology, routing, profile, planned, timeline).collectives[0].time_s;
        EXPECT_NEAR(closed, to_seconds(expected), 1e-9 * closed + 1e-12);
      }
    }
}

// Software costs come as often as there are slices: what hides behind a processor is wire, not the other way round.
TEST(SimulatedRing, SlicesCostTheirSoftware) {
  const Topology topology = star(8, 100_Gbps, microseconds(1));
  const Routing routing(topology);
  for (const int slices : {1, 4, 16})
    for (const bool ordered : {false, true}) {
      const auto planned = ring(8, 1_MiB, Bytes{131072 / slices});
      Profile profile = ideal_profile();
      profile.tcp.ordered = ordered;
      MessageCost cost;
      cost.overhead = cost.receive_overhead = microseconds(5);
      profile.tcp.messages = {cost};
      sim::SimulatedExecutor executor(topology, routing, profile, {});
      Timeline timeline;
      executor.execute(planned.plan, timeline);
      const double flow = to_seconds(executor.statistics().end);
      const double closed = sim::predict_analytic(topology, routing, profile, planned, timeline).collectives[0].time_s;
      EXPECT_NEAR(closed, flow, 0.1 * flow) << slices << (ordered ? " ordered" : "");
    }
}

// A buffer is copied once, as fast as one copy is.
TEST(SimulatedRing, SlicesAreCopiedOneAfterAnother) {
  Workload workload;
  workload.name = "ring";
  CollectiveSpec spec;
  spec.algorithms = {"ring"};
  spec.sizes = {1_MiB};
  spec.in_place = false;
  const Topology topology = star(2, 100_Gbps, microseconds(1));
  const Routing routing(topology);
  Profile profile = ideal_profile();
  profile.copies = at_bandwidth(Bandwidth::bytes_per_second(1'000'000'000));
  for (const Bytes chunk : {Bytes{0}, 64_KiB}) {
    spec.chunk = chunk;
    workload.collectives = {spec};
    sim::SimulatedExecutor executor(topology, routing, profile, {});
    Timeline timeline;
    executor.execute(plan_workload(workload, 2).plan, timeline);
    EXPECT_GT(to_seconds(executor.statistics().end), 1048576e-9);
  }
}

}  // namespace
}  // namespace lockstep
