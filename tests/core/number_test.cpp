// Is only a whole text a number, and does the clock tell the time of now?
#include "core/base/number.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>

#include "core/base/clock.hpp"

namespace lockstep {
namespace {

TEST(WholeNumberIn, TakesTheWholeText) {
  EXPECT_EQ(whole_number_in<int>("42"), 42);
  EXPECT_EQ(whole_number_in<int>("-7"), -7);
  EXPECT_EQ(whole_number_in<std::uint64_t>("ff", 16), 255U);
  EXPECT_EQ(whole_number_in<std::uint64_t>("18446744073709551615"), UINT64_MAX);
}

TEST(WholeNumberIn, TakesNothingElse) {
  for (const char* text : {"", " 1", "1 ", "1.5", "x", "0x10", "+1", "99999999999"})
    EXPECT_EQ(whole_number_in<int>(text), std::nullopt) << text;
  EXPECT_EQ(whole_number_in<std::uint16_t>("65536"), std::nullopt);
  EXPECT_EQ(whole_number_in<std::uint64_t>("-1"), std::nullopt);
}

TEST(Clock, GoesOnAndHasADate) {
  const double before = monotonic_s();
  EXPECT_GE(monotonic_s(), before);
  EXPECT_THAT(utc_date(), testing::MatchesRegex("2[0-9]{3}-[0-1][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]Z"));
}

}  // namespace
}  // namespace lockstep
