// Does a profile say how long kernels and reductions take as its page says, and never less for more?
#include "core/profile/compute_profile.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "tests/core/profiles.hpp"

namespace lockstep {
namespace {

using test::profile_error;
using test::profile_in;

const char* const full =
    "name: p\n"
    "reduction: {intervals: [{up_to: 64KiB, bandwidth: 8GB/s}, {overhead: 1us, bandwidth: 4GB/s}]}\n"
    "compute:\n"
    "  matmul:\n"
    "    float32:\n"
    "      memory: 1GB/s\n"
    "      intervals:\n"
    "        - {up_to: 1Mflop, overhead: 2us, rate: 1Gflop/s}\n"
    "        - {rate: 2Gflop/s}\n"
    "  copy:\n"
    "    float64: {bandwidth: 4GB/s, overhead: 1us}\n"
    "  adam:\n"
    "    float32:\n"
    "      intervals: [{up_to: 1600B, bandwidth: 28GB/s}, {bandwidth: 2.8GB/s}]\n";

Duration time_of(const Profile& profile, const std::string& kernel) {
  return kernel_time(profile.compute, parse_kernel(kernel), profile.name);
}

TEST(ComputeProfile, TimesFollowTheirFormulas) {
  const Profile profile = profile_in(full);
  // 2 * 10 * 10 * 10 = 2000 flops at 1 Gflop/s; 1200 bytes at 1 GB/s.
  EXPECT_EQ(time_of(profile, "matmul:float32:10x10x10"), microseconds(2) + microseconds(2) + nanoseconds(1200));
  // 2 Mflop at 2 Gflop/s would be 1 ms: as long as 1 Mflop takes, at least (1 ms and 2 us).
  EXPECT_EQ(time_of(profile, "matmul:float32:100x100x100"), milliseconds(1) + microseconds(2) + microseconds(120));
  EXPECT_EQ(time_of(profile, "matmul:float32:1000x100x100"), milliseconds(10) + nanoseconds(840'000));
  EXPECT_EQ(time_of(profile, "copy:float64:1000"), microseconds(1) + microseconds(4));
  EXPECT_EQ(time_of(profile, "adam:float32:100"), nanoseconds(100));
  EXPECT_EQ(time_of(profile, "adam:float32:1000"), nanoseconds(10'000));
}

TEST(ComputeProfile, SaysWhatIsMissingAndHowToGetIt) {
  EXPECT_EQ(
      test::message_of<InputError>([] { time_of(profile_in(full), "copy:float32:8"); }),
      "the plan computes ('copy:float32:8'), and the profile 'p' does not say how fast copy of float32 is: measure "
      "it with 'lockstep calibrate --backend cpu -o PROFILE', and name that with -p");
}

TEST(ComputeProfile, KeysBesideIntervalsReplaceThemInEach) {
  const Profile profile = profile_in(full, {{"compute.matmul.float32.rate", "4Gflop/s"},
                                            {"compute.adam.float32.bandwidth", "1GB/s"},
                                            {"reduction.bandwidth", "1GB/s"}});
  EXPECT_EQ(time_of(profile, "matmul:float32:10x10x10"), microseconds(2) + nanoseconds(500) + nanoseconds(1200));
  EXPECT_EQ(time_of(profile, "adam:float32:1000"), microseconds(28));
  EXPECT_EQ(profile.reduction.time_of(1000_B), microseconds(1));
  EXPECT_EQ(profile.reduction.time_of(1_MiB), microseconds(1) + picoseconds(1'048'576'000));
}

TEST(ComputeProfile, ReductionsGoByTheirSize) {
  const Profile profile = profile_in(full);
  EXPECT_EQ(profile.reduction.time_of(8000_B), microseconds(1));
  EXPECT_EQ(profile.reduction.time_of(Bytes{400'000}), microseconds(101));
  // A piece is as slow as the data that it is a piece of.
  EXPECT_EQ(profile.reduction.time_of_piece(Bytes{40'000}, Bytes{400'000}), microseconds(11));
  EXPECT_EQ(profile_in("name: p\nreduction: {bandwidth: 4GB/s}\n").reduction.time_of(8000_B), microseconds(2));
  EXPECT_FALSE(ideal_profile().reduction.costs());
  EXPECT_EQ(ideal_profile().reduction.time_of(1_GiB), Duration{0});
}

TEST(ComputeProfile, SurvivesBeingWritten) {
  const Profile profile = profile_in(full);
  const std::string text = to_yaml(profile);
  const Profile again = profile_in(text);
  EXPECT_EQ(to_yaml(again), text);
  for (const char* kernel :
       {"matmul:float32:10x10x10", "matmul:float32:1000x100x100", "adam:float32:1000", "copy:float64:7"})
    EXPECT_EQ(time_of(again, kernel), time_of(profile, kernel)) << kernel;
  EXPECT_EQ(again.reduction.time_of(Bytes{400'000}), profile.reduction.time_of(Bytes{400'000}));
}

TEST(ComputeProfile, WrongOnesAreRefused) {
  EXPECT_EQ(profile_error("name: p\ncompute: {matmull: {}}\n"),
            "p.yaml:2:11: unknown compute key 'matmull'; did you mean 'matmul'? known: matmul, copy, scale, add, gelu, "
            "softmax, layer_norm, adam, adam_unfused");
  EXPECT_EQ(profile_error("name: p\ncompute: {copy: {int32: {}}}\n"),
            "p.yaml:2:18: unknown copy key 'int32'; known: float32, float64");
  EXPECT_EQ(profile_error("name: p\ncompute: {copy: {float32: {rate: 1Gflop/s}}}\n"),
            "p.yaml:2:28: unknown kernel key 'rate'; known: bandwidth, overhead, intervals");
  EXPECT_EQ(profile_error("name: p\ncompute: {matmul: {float32: {rate: 1GB/s}}}\n"),
            "p.yaml:2:36: '1GB/s' is a bandwidth, not a rate of floating-point operations; a rate of floating-point "
            "operations takes flop/s, kflop/s, Mflop/s, Gflop/s, Tflop/s or Pflop/s");
  EXPECT_EQ(profile_error("name: p\ncompute: {matmul: {float32: {rate: 0flop/s}}}\n"),
            "p.yaml:2:36: must be positive, is 0flop/s");
  EXPECT_EQ(profile_error("name: p\ncompute: {copy: {float32: {intervals: [{up_to: 1KiB}, {up_to: 1B}]}}}\n"),
            "p.yaml:2:55: the last interval has no 'up_to': it holds for all larger ones");
  EXPECT_EQ(
      profile_error("name: p\ncompute: {matmul: {float32: {intervals: [{up_to: 2Mflop}, {up_to: 1Mflop}, {}]}}}\n"),
      "p.yaml:2:59: 'up_to' must ascend: 1Mflop after 2Mflop");
  EXPECT_EQ(profile_error("name: p\nreduction: {intervals: [{}, {}]}\n"),
            "p.yaml:2:25: only the last interval may go without 'up_to'");
  EXPECT_EQ(profile_error("name: p\ncompute: [1]\n"), "p.yaml:2:10: expected a map of kernels, got a list");
}

// Any intervals, however wild.
std::vector<TrafficInterval> wild_intervals() {
  std::vector<TrafficInterval> intervals;
  std::int64_t end = 0;
  const int count = *rc::gen::inRange(1, 5);
  for (int i = 0; i < count; ++i) {
    TrafficInterval interval;
    end += *rc::gen::inRange<std::int64_t>(1, 1'000'000);
    if (i + 1 < count) interval.up_to = Bytes{end};
    interval.overhead = Duration{*rc::gen::inRange<std::int64_t>(0, 1'000'000'000)};
    if (*rc::gen::inRange(0, 4) != 0)
      interval.rate = Bandwidth::bits_per_second(*rc::gen::inRange<std::int64_t>(1, 1'000'000'000'000));
    intervals.push_back(interval);
  }
  return intervals;
}

TEST(ComputeProfile, MoreNeverTakesLessTime) {
  EXPECT_TRUE(rc::check("kernels of vectors, and reductions", [] {
    KernelCost cost;
    cost.kernel = *rc::gen::elementOf(std::vector<std::string>{"copy", "add", "adam", "adam_unfused", "gelu"});
    cost.traffic = wild_intervals();
    const auto less = *rc::gen::inRange<std::int64_t>(1, 1'000'000);
    const auto more = less + *rc::gen::inRange<std::int64_t>(0, 100'000);
    RC_ASSERT(cost.time_of({cost.kernel, cost.type, {less}}) <= cost.time_of({cost.kernel, cost.type, {more}}));
    const ReductionProfile reduction{cost.traffic, Bytes{0}};
    RC_ASSERT(reduction.time_of(Bytes{less}) <= reduction.time_of(Bytes{more}));
    RC_ASSERT(reduction.time_of_piece(Bytes{less}, Bytes{more}) <= reduction.time_of(Bytes{more}));
  }));
  EXPECT_TRUE(rc::check("products and rows, in every dimension", [] {
    KernelCost cost;
    cost.kernel = *rc::gen::elementOf(std::vector<std::string>{"matmul", "softmax", "layer_norm"});
    for (const auto& interval : wild_intervals()) {
      WorkInterval work{std::nullopt, interval.overhead, std::nullopt};
      if (interval.up_to) work.up_to = Flops{interval.up_to->count()};
      if (interval.rate) work.rate = FlopRate::per_second(interval.rate->bits_per_second());
      cost.work.push_back(work);
    }
    cost.traffic = wild_intervals();
    if (*rc::gen::arbitrary<bool>())
      cost.memory = Bandwidth::bits_per_second(*rc::gen::inRange<std::int64_t>(1, 1'000'000'000));
    Kernel kernel{cost.kernel, cost.type, {}};
    for (std::size_t d = 0; d < kernel.kind().dimensions.size(); ++d) kernel.shape.push_back(*rc::gen::inRange(1, 200));
    Kernel larger = kernel;
    larger.shape[*rc::gen::inRange<std::size_t>(0, larger.shape.size())] += *rc::gen::inRange(0, 50);
    RC_ASSERT(cost.time_of(kernel) <= cost.time_of(larger));
  }));
}

}  // namespace
}  // namespace lockstep
