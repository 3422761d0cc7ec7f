// A system's own correction is found again from times made with it.
#include "study/calibration/system_fit.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "core/base/error.hpp"

namespace lockstep {
namespace {

std::vector<SystemSample> samples_of(double offset, double scale, double latency, bool across) {
  std::vector<SystemSample> samples;
  double fixed = 20e-6;
  for (int i = 0; i < 12; ++i, fixed *= 2) {
    const double crossings = !across ? 0.0 : i < 6 ? 2.0 : 16.0;
    samples.push_back({fixed, crossings, offset + scale * (fixed + latency * crossings)});
  }
  return samples;
}

TEST(SystemFit, OffsetAndScaleOfOneNode) {
  const auto fit = fit_system(samples_of(3e-6, 1.05, 0, false), 20e-6);
  EXPECT_FALSE(fit.has_latency);
  EXPECT_NEAR(fit.offset_s, 3e-6, 1e-10);
  EXPECT_NEAR(fit.scale, 1.05, 1e-6);
  EXPECT_LT(fit.median_error, 1e-6);
}

TEST(SystemFit, LatencyWhereCrossingsDiffer) {
  const auto fit = fit_system(samples_of(3e-6, 0.9, 12e-6, true), 20e-6);
  EXPECT_TRUE(fit.has_latency);
  EXPECT_NEAR(fit.offset_s, 3e-6, 1e-9);
  EXPECT_NEAR(fit.scale, 0.9, 1e-5);
  EXPECT_NEAR(fit.latency_s, 12e-6, 1e-9);
}

TEST(SystemFit, TheSameNumberOfCrossingsTellsNoLatency) {
  auto samples = samples_of(3e-6, 1.1, 0, false);
  for (auto& sample : samples) sample.crossings = 4;
  for (auto& sample : samples) sample.measured_s = 3e-6 + 1.1 * (sample.fixed_s + 4 * 10e-6);
  const auto fit = fit_system(samples, 10e-6);
  EXPECT_FALSE(fit.has_latency);
  EXPECT_DOUBLE_EQ(fit.latency_s, 10e-6);
  EXPECT_NEAR(fit.offset_s, 3e-6, 1e-9);
  EXPECT_NEAR(fit.scale, 1.1, 1e-6);
}

TEST(SystemFit, ADisturbedSizeCountsLittle) {
  auto samples = samples_of(3e-6, 1.05, 0, false);
  samples[2].measured_s *= 5;
  const auto fit = fit_system(samples, 0);
  EXPECT_NEAR(fit.scale, 1.05, 0.02);
  EXPECT_LT(fit.median_error, 0.05);
}

TEST(SystemFit, AnOffsetIsNotNegative) {
  const auto fit = fit_system(samples_of(-10e-6, 1.0, 0, false), 0);
  EXPECT_EQ(fit.offset_s, 0);
  EXPECT_GT(fit.scale, 0);
}

TEST(SystemFit, RefusesTooLittle) {
  const std::vector<SystemSample> two{{1e-5, 0, 1e-5}, {2e-5, 0, 2e-5}};
  EXPECT_THAT([&] { fit_system(two, 0); },
              testing::ThrowsMessage<InputError>("a system's fit needs 3 sizes; there are 2"));
  const std::vector<SystemSample> zero{{1e-5, 0, 1e-5}, {2e-5, 0, 0}, {2e-5, 0, 1e-5}};
  EXPECT_THAT([&] { fit_system(zero, 0); }, testing::ThrowsMessage<InputError>("a system's fit needs times above 0"));
}

}  // namespace
}  // namespace lockstep
