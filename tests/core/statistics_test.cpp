#include "core/base/statistics.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "core/base/error.hpp"

namespace lockstep {
namespace {

TEST(Statistics, MedianOfOddAndEvenCounts) {
  EXPECT_EQ(median(std::vector<double>{3, 1, 2}), 2);
  EXPECT_EQ(median(std::vector<double>{4, 1, 2, 3}), 2.5);
  EXPECT_EQ(median(std::vector<double>{7}), 7);
}

TEST(Statistics, PercentilesInterpolateLinearly) {
  const std::vector<double> samples{10, 20, 30, 40, 50};
  EXPECT_EQ(percentile(samples, 0), 10);
  EXPECT_EQ(percentile(samples, 0.25), 20);
  EXPECT_NEAR(percentile(samples, 0.95), 48, 1e-12);  // position 3.8
  EXPECT_EQ(percentile(samples, 1), 50);
}

TEST(Statistics, NoSamplesAreABrokenInvariant) { EXPECT_THROW(median({}), BrokenInvariant); }

}  // namespace
}  // namespace lockstep
