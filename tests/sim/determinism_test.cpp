// Question: is the same input the same result, to the last digit, whatever order simultaneous acts are taken in?
#include <gtest/gtest.h>

#include "core/workload/workload.hpp"
#include "sim/executor.hpp"
#include "sim/simulate.hpp"
#include "tests/plans.hpp"
#include "tests/sim/networks.hpp"

namespace lockstep::sim {
namespace {

std::vector<Topology> networks() {
  std::vector<Topology> all;
  all.push_back(test::star(8, 1_Gbps, microseconds(5)));
  all.push_back(test::star(8, 100_Mbps, microseconds(1), 16_KiB));
  for (const auto mode : {RoutingMode::ecmp, RoutingMode::spray, RoutingMode::adaptive}) {
    all.push_back(test::leaf_spine(4, 1_Gbps, microseconds(2)));
    all.back().routing.mode = mode;
  }
  return all;
}

std::vector<Profile> profiles() {
  Profile unordered = test::laden_profile();
  unordered.name = "unordered";
  unordered.tcp.ordered = false;
  unordered.tcp.eager_threshold.reset();
  unordered.cores = 3;
  Profile buffered = test::laden_profile();
  buffered.name = "buffered";
  buffered.tcp.ordered = true;
  buffered.tcp.send_buffer = Bytes{2000};
  buffered.tcp.switch_overhead = microseconds(1);
  return {ideal_profile(), test::laden_profile(), unordered, buffered};
}

Timeline simulate(const Plan& plan, const Topology& topology, const Profile& profile, std::uint64_t shuffle) {
  const Routing routing(topology);
  SimulationOptions options;
  options.once = false;
  options.fold = options.replay = false;
  options.shuffle = shuffle;
  Timeline timeline;
  SimulatedExecutor(topology, routing, profile, options).execute(plan, timeline);
  timeline.sort();
  return timeline;
}

void expect_equal(const Timeline& a, const Timeline& b, const std::string& what) {
  ASSERT_EQ(a.operations.size(), b.operations.size()) << what;
  for (std::size_t i = 0; i < a.operations.size(); ++i) {
    const auto& x = a.operations[i];
    const auto& y = b.operations[i];
    ASSERT_TRUE(x.rank == y.rank && x.stream == y.stream && x.ordinal == y.ordinal && x.start == y.start &&
                x.end == y.end)
        << what << ": rank " << x.rank << ", number " << x.ordinal << " at " << x.start.count() << ".." << x.end.count()
        << " ps against rank " << y.rank << ", number " << y.ordinal << " at " << y.start.count() << ".."
        << y.end.count() << " ps";
  }
}

TEST(Determinism, TheOrderOfSimultaneousStartsChangesNothing) {
  std::vector<Plan> plans;
  for (const int ranks : {3, 5, 8})
    plans.push_back(test::plan_of(test::varied_collectives(ranks, {1, ranks + 1, 1021, 76'801}), ranks));
  plans.push_back(test::two_streams(8, 5'003, false));
  plans.push_back(test::two_streams(7, 50'003, true));
  for (const Topology& topology : networks())
    for (const Profile& profile : profiles())
      for (const Plan& plan : plans) {
        const Timeline plain = simulate(plan, topology, profile, 0);
        for (const std::uint64_t seed : {1, 2, 3})
          expect_equal(plain, simulate(plan, topology, profile, seed),
                       fmt::format("{} on {} with {}, {} ranks, seed {}", plan.name, topology.name, profile.name,
                                   plan.ranks, seed));
      }
}

std::string result_of(const PlannedWorkload& planned, const Topology& topology, const Profile& profile,
                      const Fidelity& fidelity) {
  const Routing routing(topology);
  Timeline timeline;
  const Prediction prediction = fidelity.predict(topology, routing, profile, planned, timeline);
  Result result;
  result.ranks = planned.plan.ranks;
  result.fidelity = fidelity.name;
  result.summary = prediction.summary;
  result.collectives = prediction.collectives;
  result.operations = prediction.operations;
  Json json = to_json(result);
  json.erase("run");
  return json.dump() + chrome_trace(planned.plan, timeline);
}

TEST(Determinism, TheSameInputIsTheSameResult) {
  Workload workload;
  workload.name = "all";
  for (const auto& algorithm : algorithm_catalogue())
    for (const auto kind : algorithm.kinds) {
      CollectiveSpec spec;
      spec.kind = kind;
      spec.algorithms = {algorithm.name};
      spec.sizes = {Bytes{4}, Bytes{100'000}};
      spec.channels = 2;
      workload.collectives.push_back(spec);
    }
  const auto planned = plan_workload(workload, 8, {4});
  for (const Topology& topology : networks())
    for (const Profile& profile : profiles())
      for (const auto& fidelity : fidelity_catalogue()) {
        const std::string first = result_of(planned, topology, profile, fidelity);
        EXPECT_NE(first.find("\"algorithm\":\"dissemination\""), std::string::npos);
        EXPECT_EQ(first, result_of(planned, topology, profile, fidelity)) << fidelity.name;
      }
}

}  // namespace
}  // namespace lockstep::sim
