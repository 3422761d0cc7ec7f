// Question: do kernels take the profile's time, on a core that others then have to wait for, in every fidelity and with
// and without shortcuts?
#include <gtest/gtest.h>

#include "core/base/catalogue.hpp"
#include "core/base/error.hpp"
#include "core/config/document.hpp"
#include "core/workload/rows.hpp"
#include "sim/compute/kernel_times.hpp"
#include "sim/simulate.hpp"
#include "tests/core/messages.hpp"
#include "tests/sim/networks.hpp"

namespace lockstep::sim {
namespace {

Profile profile_with(const std::string& keys) {
  return read_profile(config::parse_text("name: p\n" + keys, "p.yaml"), "p.yaml");
}

// 4 bytes of float32, read and written: 1000 elements take 1 us and the overhead.
const std::string copies = "compute: {copy: {float32: {bandwidth: 8GB/s, overhead: 2us}}}\n";

Prediction predict(const std::string& fidelity, const Profile& profile, const std::string& workload, int ranks,
                   const Disturbances& disturbances = {}) {
  const Workload read = read_workload(config::parse_text("name: w\n" + workload, "w.yaml"), "w.yaml");
  const PlannedWorkload planned = plan_workload(read, ranks);
  const Topology topology = test::star(ranks, 1_Gbps, microseconds(5));
  Timeline timeline;
  return get_from(fidelity_catalogue(), "fidelity", fidelity)
      .predict(topology, Routing(topology), profile, planned, timeline, disturbances);
}

double time_of(const Prediction& prediction, std::size_t kernel = 0) {
  for (const auto& row : prediction.operations)
    if (row.kernel && kernel-- == 0) return row.kernel->time_s;
  return -1;
}

TEST(SimulatedKernels, TakeTheProfilesTime) {
  const std::string workload = "kernels: [{kernel: copy, elements: [1000, 5000]}]\n";
  for (const char* fidelity : {"flow", "analytic", "packet"}) {
    const Prediction prediction = predict(fidelity, profile_with(copies), workload, 3);
    EXPECT_DOUBLE_EQ(time_of(prediction), 3e-6) << fidelity;
    EXPECT_DOUBLE_EQ(time_of(prediction, 1), 7e-6) << fidelity;
    EXPECT_DOUBLE_EQ(prediction.summary.compute_s, 10e-6) << fidelity;
    EXPECT_DOUBLE_EQ(prediction.summary.step_time_s, 10e-6) << fidelity;
    EXPECT_EQ(prediction.summary.exposed_communication_s, 0) << fidelity;
    EXPECT_DOUBLE_EQ(prediction.summary.per_rank_max_s, 10e-6) << fidelity;
  }
}

TEST(SimulatedKernels, WakingUpIsNoPartOfThem) {
  const Profile profile = profile_with(copies + "start_latency: 50us\nstart_overhead: 7us\n");
  EXPECT_DOUBLE_EQ(time_of(predict("flow", profile, "kernels: [{kernel: copy, elements: 1000}]\n", 2)), 3e-6);
}

TEST(SimulatedKernels, RanksThatShareCoresTakeTurns) {
  // 4,000,000 elements: 4 ms, two slices; 30 ms with 30,000,000 (ten slices).
  const std::string slow = "compute: {copy: {float32: {bandwidth: 8GB/s}}}\n";
  const std::string workload = "kernels: [{kernel: copy, elements: [1M, 30M]}]\n";
  for (const char* fidelity : {"flow", "analytic"}) {
    const auto times = [&](int ranks, int cores) {
      const Prediction prediction =
          predict(fidelity, profile_with(slow + "cores: " + std::to_string(cores) + "\n"), workload, ranks);
      return std::pair{time_of(prediction), time_of(prediction, 1)};
    };
    using Times = std::pair<double, double>;
    EXPECT_EQ(times(2, 2), Times(0.001, 0.03)) << fidelity;
    EXPECT_EQ(times(4, 2), Times(0.002, 0.06)) << fidelity;
    // Three short jobs are done one and a half by one and a half only where they take turns.
    EXPECT_EQ(times(3, 2), Times(0.002, 0.045)) << fidelity;
    EXPECT_EQ(times(4, 1), Times(0.004, 0.12)) << fidelity;
  }
}

TEST(SimulatedKernels, WhoSleepsNeedsNoCore) {
  Profile profile = profile_with(copies + "cores: 1\n");
  const std::string workload = "kernels: [{kernel: copy, elements: 1000}]\n";
  EXPECT_DOUBLE_EQ(time_of(predict("flow", profile, workload, 4)), 12e-6);
  profile.compute.asleep = true;
  EXPECT_DOUBLE_EQ(time_of(predict("flow", profile, workload, 4)), 3e-6);
  EXPECT_DOUBLE_EQ(time_of(predict("analytic", profile, workload, 4)), 3e-6);
}

TEST(SimulatedKernels, StandBesideCollectives) {
  const std::string both =
      "collectives: [{kind: all_reduce, algorithm: ring, size: 1MiB}]\nkernels: [{kernel: copy, elements: 1000}]\n";
  const Prediction alone =
      predict("flow", profile_with(copies), "collectives: [{kind: all_reduce, algorithm: ring, size: 1MiB}]\n", 4);
  const Prediction prediction = predict("flow", profile_with(copies), both, 4);
  EXPECT_EQ(prediction.collectives.at(0).time_s, alone.collectives.at(0).time_s);
  EXPECT_DOUBLE_EQ(prediction.summary.compute_s, 3e-6);
  EXPECT_DOUBLE_EQ(prediction.summary.step_time_s, alone.summary.step_time_s + 3e-6);
  EXPECT_DOUBLE_EQ(prediction.summary.exposed_communication_s, alone.summary.step_time_s);
}

TEST(SimulatedKernels, ASlowRankIsSlow) {
  const Workload read =
      read_workload(config::parse_text(
                        "name: w\nkernels: [{kernel: copy, elements: 1000}]\nfaults: [{rank: 1, slow: 3}]\n", "w.yaml"),
                    "w.yaml");
  const Topology topology = test::star(2, 1_Gbps, microseconds(5));
  const auto faults = resolve_faults(read.faults, topology, 2);
  EXPECT_DOUBLE_EQ(
      time_of(predict("flow", profile_with(copies), "kernels: [{kernel: copy, elements: 1000}]\n", 2, {faults, 1})),
      9e-6);
}

TEST(SimulatedKernels, ShortcutsChangeNothing) {
  const Workload read = read_workload(
      config::parse_text("name: w\ncollectives: [{kind: all_reduce, algorithm: ring, size: 1MiB}]\nkernels: [{kernel: "
                         "copy, elements: 1000}]\n",
                         "w.yaml"),
      "w.yaml");
  const PlannedWorkload planned = plan_workload(read, 8);
  const Topology topology = test::star(8, 1_Gbps, microseconds(5));
  const Routing routing(topology);
  const Profile profile = profile_with(copies);
  std::vector<double> times;
  for (const bool shortcuts : {false, true}) {
    SimulationOptions options;
    options.fold = options.replay = options.once = shortcuts;
    SimulatedExecutor executor(topology, routing, profile, options);
    Timeline timeline;
    executor.execute(planned.plan, timeline);
    EXPECT_EQ(executor.statistics().simulated_ranks, shortcuts ? 1U : 8U);
    const auto rows = operation_rows(planned, timeline, false);
    for (const auto& row : rows)
      if (row.kernel) times.push_back(row.kernel->time_s);
  }
  ASSERT_EQ(times.size(), 2U);
  EXPECT_EQ(times[0], times[1]);
}

TEST(SimulatedKernels, AProfileThatDoesNotKnowThemIsRefused) {
  for (const char* fidelity : {"flow", "analytic"})
    EXPECT_EQ(test::message_of<InputError>(
                  [&] { predict(fidelity, ideal_profile(), "kernels: [{kernel: add, elements: 8}]\n", 2); }),
              "the plan computes ('add:float32:8'), and the profile 'ideal' does not say how fast add of float32 is: "
              "measure it with 'lockstep calibrate --backend cpu -o PROFILE', and name that with -p")
        << fidelity;
}

TEST(SharedTime, IsWhatTurnsMake) {
  constexpr std::int64_t slice = time_slice.count();
  EXPECT_EQ(shared_time(slice / 3, 4, 2), 2 * (slice / 3));
  EXPECT_EQ(shared_time(10 * slice, 3, 2), 15 * slice);
  EXPECT_EQ(shared_time(10 * slice, 2, 2), 10 * slice);
  EXPECT_EQ(shared_time(10 * slice, 4, 0), 10 * slice);
}

}  // namespace
}  // namespace lockstep::sim
