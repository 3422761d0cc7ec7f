// Does calibration recover known constants from synthetic measurements with noise and outliers, and do its intervals
// tell the truth?
#include <gtest/gtest.h>

#include <cmath>

#include "core/base/error.hpp"
#include "core/base/hash.hpp"
#include "core/profile/message_cost.hpp"
#include "study/calibration/message_costs.hpp"

namespace lockstep {
namespace {

/// Fixed noise: the sum of twelve uniform numbers less six is normal enough (Irwin-Hall), and the same everywhere.
class Noise {
 public:
  explicit Noise(std::uint64_t seed) : state_(seed) {}
  double uniform() { return static_cast<double>(mix64(state_++) >> 11) * 0x1.0p-53; }
  double normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += uniform();
    return sum;
  }

 private:
  std::uint64_t state_;
};

struct Truth {
  double network_latency = 100e-6;
  double network_per_byte = 8e-9;
  double small_a = 20e-6, small_b = 2e-9;     // up to 64 KiB
  double large_a = 120e-6, large_b = 0.5e-9;  // above
  [[nodiscard]] double network(double s) const { return network_latency + network_per_byte * s; }
  [[nodiscard]] double software(double s) const { return s <= 65536 ? small_a + small_b * s : large_a + large_b * s; }
};

std::vector<MessageMeasurement> measure(const Truth& truth, std::uint64_t seed, double noise,
                                        double outlier_share = 0) {
  Noise random(seed * 1000003);
  std::vector<MessageMeasurement> measurements;
  for (std::int64_t size = 1; size <= (std::int64_t{1} << 26); size *= 2) {
    const double s = static_cast<double>(size);
    MessageMeasurement m{.size = Bytes{size}, .samples_s = {}, .network_s = truth.network(s)};
    for (int i = 0; i < 15; ++i) {
      const double time = truth.network(s) + truth.software(s);
      m.samples_s.push_back(time * (1 + noise * random.normal()) * (random.uniform() < outlier_share ? 8 : 1));
    }
    measurements.push_back(m);
  }
  return measurements;
}

TEST(MessageFit, RecoversTwoIntervalsExactlyWithoutNoise) {
  const Truth truth;
  const MessageFit fit = fit_messages(measure(truth, 1, 0));
  ASSERT_EQ(fit.intervals.size(), 2U);
  EXPECT_EQ(fit.intervals[0].up_to, Bytes{65536});
  EXPECT_EQ(fit.intervals[1].up_to, std::nullopt);
  EXPECT_NEAR(fit.intervals[0].intercept_s.value, 20e-6, 1e-9);
  EXPECT_NEAR(fit.intervals[0].slope_s_per_byte.value, 2e-9, 1e-13);
  EXPECT_NEAR(fit.intervals[1].intercept_s.value, 120e-6, 1e-8);
  EXPECT_NEAR(fit.intervals[1].slope_s_per_byte.value, 0.5e-9, 1e-13);
  EXPECT_LT(fit.max_error, 1e-6);
}

TEST(MessageFit, OneLineIsOneInterval) {
  Truth truth;
  truth.large_a = truth.small_a;
  truth.large_b = truth.small_b;
  for (std::uint64_t seed = 1; seed <= 10; ++seed)
    EXPECT_EQ(fit_messages(measure(truth, seed, 0.02)).intervals.size(), 1U) << seed;
}

TEST(MessageFit, NoiseAndOutliersLeaveThePredictionWithinTwoPercent) {
  const Truth truth;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    auto measurements = measure(truth, seed, 0.02, 0.15);
    // Two whole sizes disturbed, more than the median of the samples can mend.
    for (double& sample : measurements[5].samples_s) sample *= 2.5;
    for (double& sample : measurements[21].samples_s) sample *= 1.8;
    const MessageFit fit = fit_messages(measurements);
    for (const auto& m : measurements) {
      const double s = static_cast<double>(m.size.count());
      const double expected = truth.network(s) + truth.software(s);
      EXPECT_NEAR((m.network_s + fit.software_s(m.size)) / expected, 1, s > 16384 && s < 262144 ? 0.06 : 0.025)
          << "seed " << seed << " size " << s;
    }
  }
}

TEST(MessageFit, IntervalsCoverTheTruth) {
  Truth truth;
  truth.large_a = truth.small_a;
  truth.large_b = truth.small_b;
  int covered_a = 0;
  int covered_b = 0;
  constexpr int trials = 200;
  for (int trial = 0; trial < trials; ++trial) {
    const MessageFit fit = fit_messages(measure(truth, static_cast<std::uint64_t>(trial) + 100, 0.02));
    const auto& first = fit.intervals.front();
    covered_a += first.intercept_s.low <= truth.small_a && truth.small_a <= first.intercept_s.high ? 1 : 0;
    covered_b += first.slope_s_per_byte.low <= truth.small_b && truth.small_b <= first.slope_s_per_byte.high ? 1 : 0;
  }
  // 95% of 200 is 190; three standard deviations are 9.2.
  EXPECT_GE(covered_a, 180);
  EXPECT_GE(covered_b, 180);
}

TEST(MessageFit, HeldOutSizesArePredicted) {
  const MessageFit fit = fit_messages(measure(Truth{}, 3, 0.01));
  ASSERT_TRUE(fit.held_out_median_error && fit.held_out_max_error);
  EXPECT_LT(*fit.held_out_median_error, 0.02);
  EXPECT_LE(*fit.held_out_median_error, *fit.held_out_max_error);
}

TEST(MessageFit, CostNeverFalls) {
  Truth truth;
  truth.large_a = 0;  // the larger messages look cheaper: not a cost of software
  truth.large_b = 0.1e-9;
  const MessageFit fit = fit_messages(measure(truth, 5, 0.01));
  double before = 0;
  for (std::int64_t size = 1; size <= (std::int64_t{1} << 26); size += size / 2 + 1) {
    const double now = fit.software_s(Bytes{size});
    EXPECT_GE(now, before * (1 - 1e-9)) << size;
    before = now;
  }
}

TEST(MessageFit, TheOrderOfMeasurementsDoesNotMatter) {
  auto measurements = measure(Truth{}, 9, 0.03);
  const Json forward = to_json(fit_messages(measurements));
  std::reverse(measurements.begin(), measurements.end());
  EXPECT_EQ(forward.dump(), to_json(fit_messages(measurements)).dump());
}

TEST(MessageFit, BadInput) {
  auto measurements = measure(Truth{}, 1, 0);
  measurements.resize(2);
  EXPECT_THROW(fit_messages(measurements), InputError);
  measurements = measure(Truth{}, 1, 0);
  measurements[3].samples_s.clear();
  EXPECT_THROW(fit_messages(measurements), InputError);
  measurements[3].samples_s = {0};
  EXPECT_THROW(fit_messages(measurements), InputError);
}

TEST(StudentQuantile, AgreesWithTables) {
  EXPECT_NEAR(student_975(3), 3.182, 0.03);
  EXPECT_NEAR(student_975(10), 2.228, 0.002);
  EXPECT_NEAR(student_975(1000), 1.962, 0.001);
}

TEST(MessageCosts, PartsAddUpToTheFit) {
  const MessageFit messages = fit_messages(measure(Truth{}, 1, 0));
  const auto costs = message_costs(messages, 6e-6);
  ASSERT_EQ(costs.size(), 2U);
  EXPECT_EQ(costs[0].up_to, Bytes{65536});
  EXPECT_EQ(costs[0].latency, nanoseconds(6000));
  EXPECT_EQ(costs[0].overhead, costs[0].receive_overhead);
  EXPECT_NEAR(to_seconds(costs[0].overhead + costs[0].receive_overhead + costs[0].latency), 20e-6, 2e-9);
  EXPECT_NEAR(costs[0].send_bandwidth->bytes_per_second(), 1e9, 1e6);
  EXPECT_FALSE(costs[1].up_to);
  // Waiting is never more than there is.
  EXPECT_NEAR(to_seconds(message_costs(messages, 1.0)[0].latency), 20e-6, 2e-9);
  EXPECT_EQ(message_costs(messages, 1.0)[0].overhead, Duration{0});
}

TEST(MessageCosts, CopiesTakeProcessorsTime) {
  TransportProfile transport;
  MessageCost cost;
  cost.overhead = microseconds(1);
  cost.receive_overhead = microseconds(2);
  cost.send_bandwidth = Bandwidth::bytes_per_second(1'000'000'000);
  cost.receive_bandwidth = Bandwidth::bytes_per_second(2'000'000'000);
  transport.messages = {cost};
  EXPECT_EQ(MessageCosts(transport).send_time(1000, 0), microseconds(1).count());
  EXPECT_EQ(MessageCosts(transport).send_rate(), Bandwidth::bytes_per_second(1'000'000'000));
  transport.copied = true;
  EXPECT_EQ(MessageCosts(transport).send_time(1000, 0), microseconds(2).count());
  EXPECT_EQ(MessageCosts(transport).receive_time(1000), nanoseconds(2500).count());
  EXPECT_EQ(MessageCosts(transport).send_rate(), std::nullopt);
  EXPECT_EQ(MessageCosts(transport).receive_rate(), std::nullopt);
}

TEST(MessageCosts, BeyondTheSizesFittedAMessageCostsTheSameWhateverItsSize) {
  MessageCost only;
  only.overhead = only.receive_overhead = microseconds(5);
  only.send_bandwidth = only.receive_bandwidth = Bandwidth::bytes_per_second(1'000'000'000);
  const auto costs = message_costs_beyond({only}, Bytes{20'000}, 64_KiB);
  ASSERT_EQ(costs.size(), 2U);
  EXPECT_EQ(costs[0].up_to, Bytes{20'000});
  EXPECT_FALSE(costs[1].up_to);
  EXPECT_FALSE(costs[1].send_bandwidth);
  EXPECT_EQ(costs[1].overhead, microseconds(25));
  EXPECT_EQ(costs[1].receive_overhead, microseconds(25));
  EXPECT_EQ(message_costs_beyond({only}, 1_MiB, Bytes{10'000})[1].overhead, microseconds(15));
}

}  // namespace
}  // namespace lockstep
