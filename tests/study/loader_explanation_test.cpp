// Does the explanation name what binds a loader, and the number of workers that removes the stall?
#include "study/loader_explanation.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep {
namespace {

using testing::HasSubstr;

/// A loader by its closed form: steps of 60 ms of decoding over the workers, thinking for 10 ms.
LoaderOutcome closed_form(const LoaderSpec& spec) {
  const double storage_s = spec.storage.kind == "memory" ? 0 : 2e-3 / spec.readers.depth;
  const double worker_s = (60e-3 + storage_s) / spec.readers.workers;
  const double step_s = std::max(worker_s, 10e-3);
  LoaderOutcome outcome;
  outcome.steps = 100;
  outcome.samples = 1000;
  outcome.time_s = 100 * step_s;
  outcome.think_s = 1;
  outcome.stall_s = outcome.time_s - 1;
  outcome.stall_by_cause_s[static_cast<std::size_t>(StallCause::decode)] = 0.9 * outcome.stall_s;
  outcome.stall_by_cause_s[static_cast<std::size_t>(StallCause::storage)] = 0.1 * outcome.stall_s;
  return outcome;
}

TEST(LoaderExplanation, NamesTheWorkersThatRemoveTheStall) {
  LoaderSpec spec;
  spec.storage.kind = "memory";
  spec.readers.workers = 2;
  const auto explanation = explain_loader(spec, closed_form);
  EXPECT_EQ(explanation.bound, "decode");
  EXPECT_EQ(explanation.verdict, "decode bound: 6 workers instead of 2 would remove the stall; 9 would not help more");
  ASSERT_FALSE(explanation.changes.empty());
  EXPECT_EQ(explanation.changes.front().what, "6 workers instead of 2");
}

TEST(LoaderExplanation, SaysWhenNothingIsWrong) {
  LoaderSpec spec;
  spec.readers.workers = 8;
  const auto explanation = explain_loader(spec, closed_form);
  EXPECT_EQ(explanation.bound, "");
  EXPECT_EQ(explanation.verdict, "not waiting for data: 0.0% of the time");
  EXPECT_TRUE(to_json(explanation)["bound"].is_null());
}

TEST(LoaderExplanation, SaysWhenNoSettingHelps) {
  const auto stubborn = [](const LoaderSpec&) {
    LoaderSpec one;
    return closed_form(one);
  };
  const auto explanation = explain_loader(LoaderSpec{}, stubborn);
  EXPECT_THAT(explanation.verdict, HasSubstr("none of the settings alone would help"));
}

}  // namespace
}  // namespace lockstep
