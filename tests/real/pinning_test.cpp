// Which core a rank is on.
#include "real/launch/pinning.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <thread>

namespace lockstep::real {
namespace {

cpu_set_t allowed() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  EXPECT_EQ(::sched_getaffinity(0, sizeof cores, &cores), 0);
  return cores;
}

// In threads of their own: a test's main thread stays free.

TEST(Pinning, AVisitLeavesTheChoiceOfCoresAsItWas) {
  std::thread([] {
    const cpu_set_t before = allowed();
    for (int rank = 0; rank < 4; ++rank) {
      visit_core(rank);
      const cpu_set_t after = allowed();
      EXPECT_TRUE(CPU_EQUAL(&before, &after)) << "rank " << rank;
    }
  }).join();
}

TEST(Pinning, APinnedRankStaysAlsoThroughAVisit) {
  std::thread([] {
    const int core = pin_rank(1);
    visit_core(0);
    const cpu_set_t after = allowed();
    EXPECT_EQ(CPU_COUNT(&after), 1);
    EXPECT_TRUE(CPU_ISSET(core, &after));
    EXPECT_EQ(::sched_getcpu(), core);
  }).join();
}

}  // namespace
}  // namespace lockstep::real
