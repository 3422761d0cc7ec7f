// Question: does the clock of faults run exactly from a common start until the last rank has come to the next meeting?
#include "real/lab/section_clock.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <thread>

namespace lockstep::real {
namespace {

using namespace std::chrono_literals;

void in_child(const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
}

TEST(SectionClock, StandsStillUntilTheFirstStart) {
  const SectionClock clock(2);
  std::this_thread::sleep_for(2ms);
  EXPECT_FALSE(clock.read().start.has_value());
  EXPECT_EQ(clock.read().at(WallClock::now()), 0ns);
}

TEST(SectionClock, RunsFromTheCommonInstantUntilTheLastHasArrived) {
  SectionClock clock(2);
  const auto start = WallClock::now() + 5ms;
  in_child([&] { clock.begin(start); });
  clock.begin(start);
  ASSERT_TRUE(clock.read().start.has_value());
  EXPECT_EQ(*clock.read().start, start);
  EXPECT_EQ(clock.read().at(start - 1ms), 0ns) << "not before the instant";
  EXPECT_EQ(clock.read().at(start + 3ms), 3ms);
  EXPECT_EQ(clock.read().instant(7ms), start + 7ms);

  std::this_thread::sleep_until(start + 2ms);
  clock.arrive();
  EXPECT_TRUE(clock.read().start.has_value()) << "one is still under way";
  std::this_thread::sleep_for(3ms);
  const auto before = WallClock::now() - start;
  in_child([&] { clock.arrive(); });
  const auto after = WallClock::now() - start;
  const auto first = clock.read();
  EXPECT_FALSE(first.start.has_value());
  EXPECT_GE(first.before, before);
  EXPECT_LE(first.before, after);

  std::this_thread::sleep_for(10ms);  // filling, checking, meeting
  EXPECT_EQ(clock.read().at(WallClock::now()), first.before);

  const auto again = WallClock::now();
  clock.begin(again);
  EXPECT_EQ(clock.read().at(again + 4ms), first.before + 4ms) << "it goes on where it stood";
  EXPECT_EQ(clock.read().instant(first.before + 4ms), again + 4ms);
}

TEST(SectionClock, WakesWhoWaits) {
  SectionClock clock(1);
  const auto seen = clock.read();
  const auto begin = WallClock::now();
  clock.wait(seen, begin + 20ms);
  EXPECT_GE(WallClock::now() - begin, 20ms) << "nothing happened: until the instant";

  const pid_t child = ::fork();
  if (child == 0) {
    std::this_thread::sleep_for(20ms);
    clock.begin(WallClock::now());
    ::_exit(0);
  }
  while (!clock.read().start) clock.wait(seen, WallClock::now() + 10s);
  EXPECT_LT(WallClock::now() - begin, 5s) << "well before the instant";
  ::waitpid(child, nullptr, 0);
  const auto now = WallClock::now();
  clock.wait(seen, now + 10s);
  EXPECT_LT(WallClock::now() - now, 5s) << "what has changed since is not waited for";
}

}  // namespace
}  // namespace lockstep::real
