// Which core a rank is on.
#include "real/launch/pinning.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <cstdlib>
#include <thread>
#include <vector>

#include "tests/real/ranks.hpp"

namespace lockstep::real {
namespace {

int core_at(int place, const cpu_set_t& cores) {
  std::vector<int> list;
  for (int core = 0; core < CPU_SETSIZE; ++core)
    if (CPU_ISSET(core, &cores)) list.push_back(core);
  return list[static_cast<std::size_t>(place) % list.size()];
}

cpu_set_t allowed() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  EXPECT_EQ(::sched_getaffinity(0, sizeof cores, &cores), 0);
  return cores;
}

// In threads of their own: a test's main thread stays free.

TEST(Pinning, AVisitMovesAndLeavesTheChoiceOfCoresAsItWas) {
  std::thread([] {
    const cpu_set_t before = allowed();
    for (int place = 0; place < 4; ++place) {
      int times_there = 0;
      const int expected = core_at(place, before);
      for (int i = 0; i < 20; ++i) {  // the scheduler may move it on at once
        visit_core(place);
        times_there += ::sched_getcpu() == expected ? 1 : 0;
      }
      EXPECT_GT(times_there, 10) << "place " << place;
      const cpu_set_t after = allowed();
      EXPECT_TRUE(CPU_EQUAL(&before, &after)) << "place " << place;
    }
  }).join();
}

TEST(Pinning, RanksOfOneMachineKnowTheirPlaces) {
  // Whatever a launcher has left in the environment.
  ::setenv("SLURM_LOCALID", "0", 1);
  run_ranks(3, [](Control& control) {
    const RanksHere here = find_ranks_here(control);
    require(here.count == 3 && here.place == control.rank(), "{} of {}", here.place, here.count);
    const cpu_set_t cores = allowed();
    require(!here.own_cores || CPU_COUNT(&cores) >= 3, "three ranks on {} cores", CPU_COUNT(&cores));
    return std::string();
  });
  ::unsetenv("SLURM_LOCALID");
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
