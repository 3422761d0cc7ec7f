// Does every kernel compute what it should, is a wrong one noticed, and are fused and unfused optimisers the same to
// the bit?
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/base/error.hpp"
#include "real/compute/blas.hpp"
#include "real/compute/exponential.hpp"
#include "real/compute/kernel_body.hpp"
#include "real/compute/measure_kernels.hpp"
#include "real/compute/rank_kernels.hpp"

namespace lockstep::real {
namespace {

std::vector<Kernel> kernels() {
  std::vector<Kernel> all;
  for (const KernelKind& kind : kernel_catalogue())
    for (const ElementType type : kernel_types()) {
      if (kind.name == "matmul" && !Blas::why_not().empty()) continue;
      // Lengths that leave ends over, and one that is more than is checked one by one.
      std::vector<std::vector<std::int64_t>> shapes{{1}, {7}, {1000}, {300'001}};
      if (kind.dimensions.size() == 2) shapes = {{1, 1}, {3, 17}, {5, 1000}, {2, 40'000}, {700, 513}};
      if (kind.dimensions.size() == 3)
        shapes = {{1, 1, 1}, {3, 5, 7}, {64, 1, 300}, {1, 64, 300}, {129, 130, 131}, {40, 600, 2000}};
      for (auto& shape : shapes) all.push_back({kind.name, type, std::move(shape)});
    }
  return all;
}

TEST(Kernels, ComputeWhatTheyShould) {
  AlignedBuffer memory;
  for (const Kernel& kernel : kernels()) {
    const auto body = make_kernel(kernel, memory);
    body->fill();
    EXPECT_GT(body->wrong(), 0) << to_text(kernel) << ": before it runs its result is right";
    body->run();
    EXPECT_EQ(body->wrong(), 0) << to_text(kernel);
  }
}

TEST(Kernels, AWrongResultIsNoticed) {
  AlignedBuffer memory;
  for (const Kernel& kernel : kernels()) {
    if (kernel.working_set() > 1_MiB) continue;  // every element is checked
    const auto body = make_kernel(kernel, memory);
    body->fill();
    body->run();
    // A thousandth more than it should be, in the last element.
    const auto result = body->result();
    if (kernel.type == ElementType::float32) {
      float last = 0;
      std::byte* at = result.data() + result.size() - sizeof last;
      std::memcpy(&last, at, sizeof last);
      last = last * 1.001F + 0.0005F;
      std::memcpy(at, &last, sizeof last);
    } else {
      double last = 0;
      std::byte* at = result.data() + result.size() - sizeof last;
      std::memcpy(&last, at, sizeof last);
      last = last * 1.001 + 0.0005;
      std::memcpy(at, &last, sizeof last);
    }
    EXPECT_EQ(body->wrong(), 1) << to_text(kernel);
  }
}

TEST(Kernels, FusedAndUnfusedAdamAreTheSame) {
  for (const ElementType type : kernel_types()) {
    AlignedBuffer one;
    AlignedBuffer other;
    const auto fused = make_kernel({"adam", type, {5003}}, one);
    const auto unfused = make_kernel({"adam_unfused", type, {5003}}, other);
    fused->fill();
    unfused->fill();
    for (int step = 0; step < 3; ++step) {
      fused->run();
      unfused->run();
      const auto a = fused->result();
      const auto b = unfused->result();
      EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end())) << to_string(type) << ", step " << step;
    }
  }
}

TEST(Kernels, ExponentialIsExactToAFewBits) {
  for (double x = -80; x <= 80; x += 0.0173) {
    EXPECT_NEAR(exponential(x) / std::exp(x), 1, 1e-15) << x;
    const auto single = static_cast<float>(x);
    EXPECT_NEAR(static_cast<double>(exponential(single)) / std::exp(static_cast<double>(single)), 1, 4e-7) << x;
  }
  EXPECT_EQ(exponential(0.0), 1.0);
}

TEST(RankKernels, OneIsReadyAtATime) {
  RankKernels kernels;
  EXPECT_EQ(kernels.prepare("add:float32:1000"), 0);
  kernels.run("add:float32:1000");
  kernels.run("adam:float64:10");
  EXPECT_EQ(kernels.prepare("softmax:float32:3x5"), 0);
  EXPECT_THROW(kernels.run("softmax:float32:3"), InputError);
  kernels.run("add:float32:1000");  // a failure leaves it usable
}

TEST(Kernels, WhatDoesNotFitIsNamed) {
  AlignedBuffer memory;
  try {
    // 80 GiB, of which nothing is touched.
    const auto body = make_kernel({"adam_unfused", ElementType::float64, {2147483647}}, memory);
    GTEST_SKIP() << "this machine has the memory, or promises it";
  } catch (const RunFailure& failure) {
    EXPECT_EQ(std::string(failure.what()), "adam_unfused:float64:2147483647 needs 80GiB of memory, more than there is");
  }
}

TEST(MeasureKernels, GivesSamplesOfEach) {
  KernelTiming timing;
  timing.passes = 2;
  timing.samples = 3;
  std::vector<std::string> told;
  const auto times = measure_kernels({{"copy", ElementType::float32, {1000}}, {"adam", ElementType::float32, {1000}}},
                                     timing, [&](const std::string& kernel) { told.push_back(kernel); });
  ASSERT_EQ(times.size(), 2U);
  for (const auto& one : times) {
    EXPECT_EQ(one.samples_s.size(), 6U);
    EXPECT_EQ(one.wrong, 0);
    for (const double sample : one.samples_s) EXPECT_GT(sample, 0);
  }
  EXPECT_EQ(told, (std::vector<std::string>{"copy:float32:1000", "adam:float32:1000"}));
  const auto reductions = measure_reductions({4_KiB, 64_KiB}, timing);
  ASSERT_EQ(reductions.size(), 2U);
  EXPECT_EQ(reductions[1].samples_s.size(), 6U);
}

}  // namespace
}  // namespace lockstep::real
