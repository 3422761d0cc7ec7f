// Is a plan that another process reads the plan that was written?
#include <gtest/gtest.h>

#include <filesystem>

#include "core/base/error.hpp"
#include "core/collective/custom.hpp"
#include "core/workload/workload.hpp"
#include "tests/plans.hpp"

namespace lockstep {
namespace {

void expect_the_same(const Plan& plan) {
  SCOPED_TRACE(plan.name);
  const std::string text = plan_exchange(plan);
  const Plan read = read_plan(text, "plan");
  EXPECT_EQ(plan_exchange(read), text);
  EXPECT_EQ(plan_hash(read), plan_hash(plan));
  EXPECT_EQ(read.groups, plan.groups);
  EXPECT_EQ(read.role_ranges, plan.role_ranges);
}

TEST(PlanExchange, PlansOfManyKinds) {
  for (const Plan& plan : {test::ping_pong(), test::pipeline(), test::two_streams(4, 1000, true),
                           test::plan_of(test::varied_collectives(5, test::odd_counts(5)), 5)}) {
    expect_the_same(plan);
    EXPECT_EQ(read_plan(plan_exchange(plan), "plan"), plan);
  }
}

TEST(PlanExchange, PlansOfEveryWorkloadFile) {
  int plans = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(LOCKSTEP_SOURCE_DIR "/workloads")) {
    if (entry.path().extension() != ".yaml") continue;
    const Workload workload = load_workload(entry.path().string());
    if (workload.loader) continue;  // no plan
    expect_the_same(plan_workload(workload, workload.ranks.value_or(4), {}, AutoRows::keep).plan);
    ++plans;
  }
  EXPECT_GT(plans, 3);
}

TEST(PlanExchange, AnAlgorithmFileThatHasChangedIsNoticed) {
  const std::string file = testing::TempDir() + "exchanged_ring.yaml";
  std::filesystem::copy_file(LOCKSTEP_SOURCE_DIR "/algorithms/ring.yaml", file,
                             std::filesystem::copy_options::overwrite_existing);
  Workload workload;
  workload.name = "custom";
  CollectiveSpec spec;
  spec.algorithms = {"file:" + file};
  spec.sizes = {4_KiB};
  workload.collectives = {spec};
  const Plan plan = plan_workload(workload, 4).plan;
  expect_the_same(plan);
  const std::string text = plan_exchange(plan);
  std::filesystem::copy_file(LOCKSTEP_SOURCE_DIR "/algorithms/two_way_ring.yaml", file,
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_THROW(read_plan(text, "plan"), InputError);
  std::filesystem::remove(file);
}

TEST(PlanExchange, WrongTextNamesThePlace) {
  const std::string good = plan_exchange(test::ping_pong());
  const auto refusal = [](const std::string& text) {
    try {
      read_plan(text, "plan");
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  EXPECT_NE(refusal(good.substr(0, good.size() / 2)).find("not valid JSON"), std::string::npos);
  EXPECT_NE(refusal(with("lockstep.plan/1", "lockstep.plan/9")).find("this is no plan"), std::string::npos);
  EXPECT_NE(refusal(with("\"action\":\"send\"", "\"action\":\"sing\"")).find("unknown action 'sing'"),
            std::string::npos);
  EXPECT_NE(refusal(with("\"last\":", "\"last\":9")).find("role_ranges"), std::string::npos);
}

}  // namespace
}  // namespace lockstep
