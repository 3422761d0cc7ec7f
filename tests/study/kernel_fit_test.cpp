// Do fits of kernels find the rates that times were made with, and predict sizes that they have not seen?
#include "study/calibration/kernel_fit.hpp"

#include <gtest/gtest.h>

#include "core/base/error.hpp"
#include "core/base/hash.hpp"

namespace lockstep {
namespace {

// Up to 3% off, the same every time.
double noisy(double time, std::uint64_t seed) {
  return time * (0.97 + 0.06 * static_cast<double>(mix64(seed) >> 11) * 0x1p-53);
}

TEST(KernelFit, FindsCacheLevels) {
  std::vector<KernelMeasurement> measurements;
  std::uint64_t seed = 0;
  const auto add = [&](std::int64_t bytes, bool held_out) {
    const Kernel kernel{"add", ElementType::float32, {bytes / 12}};
    const auto traffic = static_cast<double>(kernel.traffic().count());
    const double time = bytes <= (1 << 20) ? 1e-7 + traffic / 40e9 : 5e-6 + traffic / 8e9;
    measurements.push_back({kernel, {noisy(time, ++seed), noisy(time, ++seed), noisy(time, ++seed)}, held_out});
  };
  for (std::int64_t bytes = 4096; bytes <= 1 << 28; bytes *= 2) add(bytes, false);
  for (std::int64_t bytes = 3 * 4096; bytes < 1 << 28; bytes *= 4) add(bytes, true);
  const KernelFit fit = fit_kernel(measurements);
  EXPECT_EQ(fit.name, "add float32");
  ASSERT_GE(fit.cost.traffic.size(), 2U);
  EXPECT_EQ(fit.cost.traffic.front().up_to, 1_MiB);
  EXPECT_NEAR(fit.cost.traffic.front().rate->bytes_per_second(), 40e9, 2e9);
  EXPECT_NEAR(fit.cost.traffic.back().rate->bytes_per_second(), 8e9, 0.4e9);
  const KernelErrors errors = errors_of({&fit, 1});
  EXPECT_EQ(errors.fitted.size(), 17U);
  EXPECT_EQ(errors.held_out.size(), 8U);
  for (const double error : errors.held_out) EXPECT_LT(error, 0.06);
  // The confidence intervals hold what the times were made with.
  const auto& slope = fit.fit.intervals.back().slope_s_per_byte;
  EXPECT_LE(slope.low, 1 / 8e9);
  EXPECT_GE(slope.high, 1 / 8e9);
  const std::string table = kernel_table({&fit, 1});
  EXPECT_NE(table.find("add float32"), std::string::npos);
  EXPECT_NE(table.find("1MiB"), std::string::npos);
  EXPECT_EQ(to_json(fit).at("held_out").at("sizes"), 8);
}

TEST(KernelFit, TellsTheArithmeticOfProductsFromTheirOperands) {
  std::vector<KernelMeasurement> measurements;
  const auto add = [&](std::int64_t m, std::int64_t n, std::int64_t k, bool held_out) {
    const Kernel kernel{"matmul", ElementType::float32, {m, n, k}};
    const double time = 1e-6 + static_cast<double>(kernel.flops().count()) / 60e9 +
                        static_cast<double>(kernel.traffic().count()) / 12e9;
    measurements.push_back({kernel, {noisy(time, static_cast<std::uint64_t>(m * 7 + n * 3 + k))}, held_out});
  };
  for (const std::int64_t size : {16, 32, 64, 128, 256, 512, 1024}) add(size, size, size, false);
  for (const std::int64_t thin : {1, 4, 16, 64}) {
    add(thin, 1024, 1024, false);
    add(1024, 1024, thin, false);
    add(thin, 2048, 512, true);
  }
  const KernelFit fit = fit_kernel(measurements);
  ASSERT_TRUE(fit.cost.memory.has_value());
  EXPECT_NEAR(fit.cost.memory->bytes_per_second(), 12e9, 3e9);
  EXPECT_NEAR(static_cast<double>(fit.cost.work.back().rate->per_second()), 60e9, 6e9);
  for (const double error : errors_of({&fit, 1}).held_out) EXPECT_LT(error, 0.15);
}

TEST(KernelFit, OfReductions) {
  std::vector<ReductionMeasurement> measurements;
  for (std::int64_t bytes = 4096; bytes <= 1 << 24; bytes *= 2)
    measurements.push_back(
        {Bytes{bytes}, {noisy(static_cast<double>(bytes) / 5e9, static_cast<std::uint64_t>(bytes))}, bytes == 1 << 20});
  const KernelFit fit = fit_reduction(measurements);
  EXPECT_NEAR(to_seconds(interval_time(fit.reduction, 16_MiB, 16_MiB)), 16.78e6 / 5e9, 2e-4);
  EXPECT_EQ(errors_of({&fit, 1}).held_out.size(), 1U);
}

TEST(KernelFit, TwoSizesAreTooFew) {
  const std::vector<KernelMeasurement> two{{{"copy", ElementType::float32, {8}}, {1e-6}, false},
                                           {{"copy", ElementType::float32, {80}}, {2e-6}, false},
                                           {{"copy", ElementType::float32, {800}}, {3e-6}, true}};
  EXPECT_THROW(fit_kernel(two), InputError);
}

}  // namespace
}  // namespace lockstep
