#include "real/library/shared_library.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.hpp"

namespace lockstep::real {
namespace {

TEST(SharedLibrary, TheFirstThatIsThere) {
  const SharedLibrary library({"libnothing_of_this_name.so.7", "libm.so.6"});
  ASSERT_TRUE(library.is_open());
  EXPECT_EQ(library.name(), "libm.so.6");
  EXPECT_EQ(library.error(), "");
  EXPECT_DOUBLE_EQ(library.need<double(double)>("floor")(2.5), 2);
  EXPECT_EQ(library.find<double(double)>("no_such_function"), nullptr);
  EXPECT_THAT([&] { static_cast<void>(library.need<int()>("no_such_function")); },
              testing::ThrowsMessage<RunFailure>("libm.so.6 has no function no_such_function"));
}

TEST(SharedLibrary, NoneIsThere) {
  const SharedLibrary library({"libnothing_of_this_name.so.7"});
  EXPECT_FALSE(library.is_open());
  EXPECT_THAT(library.error(), testing::HasSubstr("libnothing_of_this_name.so.7"));
  EXPECT_EQ(library.find<int()>("x"), nullptr);
  EXPECT_THAT([&] { static_cast<void>(library.need<int()>("x")); },
              testing::ThrowsMessage<RunFailure>(testing::HasSubstr("libnothing_of_this_name.so.7")));
}

}  // namespace
}  // namespace lockstep::real
