// Rates of copies and reductions, as calibration measures them.
#include "real/measure/memory_rates.hpp"

#include <gtest/gtest.h>

namespace lockstep::real {
namespace {

TEST(MemoryRates, ComeBySizeAndSoThatAProfileCanHoldThem) {
  const MemoryRates rates = measure_memory_rates(Bytes{64 << 10}, 2);
  for (const auto& intervals : {rates.reduction, rates.copies}) {
    ASSERT_EQ(intervals.size(), 5U);
    for (std::size_t i = 0; i < intervals.size(); ++i) {
      ASSERT_TRUE(intervals[i].rate);
      // Anything from a slow machine under a sanitizer to a fast cache.
      EXPECT_GT(intervals[i].rate->bytes_per_second(), 1e6);
      EXPECT_LT(intervals[i].rate->bytes_per_second(), 1e13);
      if (i + 1 < intervals.size())
        EXPECT_EQ(intervals[i].up_to, Bytes{std::int64_t{64 << 10} << (2 * i)});
      else
        EXPECT_FALSE(intervals[i].up_to);
    }
  }
}

}  // namespace
}  // namespace lockstep::real
