// Question: does a disturbance do to a simulated run what docs/faults.md says, and nothing where it does not reach?
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.hpp"
#include "core/workload/rows.hpp"
#include "core/workload/workload.hpp"
#include "sim/executor.hpp"
#include "sim/simulate.hpp"
#include "tests/plans.hpp"
#include "tests/sim/networks.hpp"

namespace lockstep::sim {
namespace {

// One message of 1 Mbit from rank 0 to rank 1 over 1 Gbit/s: 1 ms, and 10 us of latency.
Plan message() {
  Plan plan;
  plan.name = "message";
  plan.ranks = 2;
  plan.groups = {test::everyone("world", 2)};
  const Span span{0, {}, Bytes{125'000}};
  Role from{"from", {{"data", span.bytes}}, {{"main", {Operation{"send", Send{Peer{0, false, 1}, 0, span}, {}}}}}};
  Role to{"to", {{"data", span.bytes}}, {{"main", {Operation{"receive", Receive{Peer{0, false, 0}, 0, span}, {}}}}}};
  plan.roles = {from, to};
  plan.role_ranges = {{0, 0, 0}, {1, 1, 1}};
  return plan;
}

Topology star(int hosts) { return test::star(hosts, 1_Gbps, microseconds(5)); }

std::int64_t end_us(const Plan& plan, const Topology& topology, const std::string& faults,
                    const Profile& profile = ideal_profile(), std::uint64_t seed = 1) {
  std::string text = "name: w\ncollectives: [{kind: barrier}]\n";
  if (!faults.empty()) text += "faults: " + faults + "\n";
  const Workload workload = read_workload(config::parse_text(text, "w.yaml"), "w.yaml");
  const Routing routing(topology);
  SimulationOptions options;
  options.disturbances = {resolve_faults(workload.faults, topology, plan.ranks), seed};
  SimulatedExecutor executor(topology, routing, profile, options);
  Timeline timeline;
  executor.execute(plan, timeline);
  return executor.statistics().end.count() / 1'000'000;
}

TEST(Faults, ADegradedLinkIsSlowerWhileTheFaultLasts) {
  EXPECT_EQ(end_us(message(), star(2), ""), 1010);
  EXPECT_EQ(end_us(message(), star(2), "[{link: h0-s0, bandwidth: 50%}]"), 2010);
  // Half a millisecond at half the rate: a quarter is through, the rest takes 0.75 ms.
  EXPECT_EQ(end_us(message(), star(2), "[{at: 0s, for: 500us, link: h0-s0, bandwidth: 50%}]"), 1260);
  EXPECT_EQ(end_us(message(), star(2), "[{at: 200us, for: 500us, node: h1, bandwidth: 50%}]"), 1260);
  EXPECT_EQ(end_us(message(), star(2), "[{at: 5ms, link: h0-s0, bandwidth: 50%}]"), 1010) << "too late to matter";
  // Shares multiply.
  EXPECT_EQ(end_us(message(), star(2), "[{link: h0-s0, bandwidth: 50%}, {link: h0-s0, bandwidth: 50%}]"), 4010);
  EXPECT_EQ(end_us(message(), star(3), "[{link: h2-s0, bandwidth: 1%}]"), 1010) << "not on the way";
}

TEST(Faults, ALinkThatIsDownHoldsItsFlows) {
  EXPECT_EQ(end_us(message(), star(2), "[{at: 400us, for: 300us, link: h0-s0, down: true}]"), 1310);
  EXPECT_EQ(end_us(message(), star(2), "[{at: 400us, for: 300us, node: h1, down: true}]"), 1310);
  EXPECT_THAT([] { end_us(message(), star(2), "[{at: 400us, link: h0-s0, down: true}]"); },
              testing::ThrowsMessage<RunFailure>(testing::HasSubstr("rank 0 waits in operation 'send'")));
}

TEST(Faults, JitterDelaysByADrawOfTheSeed) {
  const auto run = [](std::uint64_t seed) {
    return end_us(message(), star(2), "[{link: h0-s0, jitter: 400us}]", ideal_profile(), seed);
  };
  EXPECT_EQ(run(1), run(1));
  std::int64_t least = 1'000'000;
  std::int64_t most = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    least = std::min(least, run(seed));
    most = std::max(most, run(seed));
  }
  EXPECT_GE(least, 1010);
  EXPECT_LE(most, 1410);
  EXPECT_LT(least, 1110) << "of forty draws between 0 and 400 us some are small";
  EXPECT_GT(most, 1310) << "and some large";
}

TEST(Faults, ASlowRankTakesLongerForItsSoftware) {
  Profile profile = ideal_profile();
  profile.tcp.messages.resize(1);
  profile.tcp.messages[0].overhead = microseconds(20);
  profile.tcp.messages[0].receive_overhead = microseconds(30);
  EXPECT_EQ(end_us(message(), star(2), "", profile), 1060);
  EXPECT_EQ(end_us(message(), star(2), "[{rank: 0, slow: 3}]", profile), 1100);
  EXPECT_EQ(end_us(message(), star(2), "[{rank: 1, slow: 3}]", profile), 1120);
  EXPECT_EQ(end_us(message(), star(2), "[{rank: 1, slow: 3, for: 1ms}]", profile), 1060) << "it is over by then";
  EXPECT_EQ(end_us(message(), star(2), "[{rank: 0, slow: 3}]"), 1010) << "software is free in profile ideal";
}

TEST(Faults, AKilledRankFailsTheRunAtThatMoment) {
  EXPECT_THAT([] { end_us(message(), star(2), "[{at: 500us, rank: 1, kill: true}]"); },
              testing::ThrowsMessage<RunFailure>(testing::HasSubstr("rank 1 was killed at 500us")));
  EXPECT_EQ(end_us(message(), star(2), "[{at: 5ms, rank: 1, kill: true}]"), 1010) << "the plan is done by then";
}

TEST(Faults, RandomOnesAreTheSameForASeedAndSlowARingDown) {
  Workload workload;
  workload.name = "ring";
  CollectiveSpec spec;
  spec.algorithms = {"ring"};
  spec.sizes = {1_MiB};
  workload.collectives.push_back(spec);
  const Plan plan = plan_workload(workload, 8).plan;
  const Topology topology = star(8);
  const std::string flapping = "[{every: 3ms, for: 1ms, link: any, down: true}]";
  const std::int64_t undisturbed = end_us(plan, topology, "");
  bool differ = false;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const std::int64_t time = end_us(plan, topology, flapping, ideal_profile(), seed);
    EXPECT_EQ(time, end_us(plan, topology, flapping, ideal_profile(), seed));
    EXPECT_GT(time, undisturbed);
    differ = differ || time != end_us(plan, topology, flapping, ideal_profile(), seed + 100);
  }
  EXPECT_TRUE(differ);
}

// The clock of faults counts what lies between a common start and the next meeting, and nothing else: so that a real
// run, which has to fill buffers, meet and wait for quiet, can follow it.
TEST(Faults, HitTheIterationThatTheirTimeFallsInto) {
  Workload workload = read_workload(
      config::parse_text("name: w\niterations: 4\nwarmup: 1\ncollectives: [{kind: all_reduce, algorithm: ring, size: "
                         "1MiB}]\n",
                         "w.yaml"),
      "w.yaml");
  const Topology topology = star(4);
  const PlannedWorkload planned = plan_workload(workload, 4);
  for (const char* fidelity : {"flow", "packet"}) {
    const auto samples = [&](const std::string& faults) {
      const Workload with = read_workload(
          config::parse_text("name: w\ncollectives: [{kind: barrier}]\nfaults: " + faults + "\n", "w.yaml"), "w.yaml");
      const auto& catalogue = fidelity_catalogue();
      const auto entry =
          std::find_if(catalogue.begin(), catalogue.end(), [&](const Fidelity& one) { return one.name == fidelity; });
      Timeline timeline;
      const auto rows = entry
                            ->predict(topology, Routing(topology), ideal_profile(), planned, timeline,
                                      {resolve_faults(with.faults, topology, 4), 1})
                            .collectives;
      return rows.at(0).samples_s.empty() ? std::vector<double>(4, rows.at(0).time_s) : rows.at(0).samples_s;
    };
    // Always there: one iteration stands for all. 6 steps of 256 KiB.
    const double step = samples("[{link: h0-s0, bandwidth: 100%}]").front();
    EXPECT_NEAR(step, 6 * 262144 * 8 / 1e9, 0.05 * step) << fidelity;
    // Iteration 0 is the warm-up: half a step into the third of those that count.
    const auto at = static_cast<int>(3.5 * step * 1e6);
    const auto hit = samples("[{at: " + std::to_string(at) + "us, for: 5ms, link: h0-s0, down: true}]");
    ASSERT_EQ(hit.size(), 4U) << fidelity;
    for (const std::size_t other : {0U, 1U, 3U}) EXPECT_NEAR(hit[other], step, 0.02 * step) << fidelity << other;
    EXPECT_NEAR(hit[2], step + 0.005, 0.05 * step) << fidelity;
  }
}

}  // namespace
}  // namespace lockstep::sim
