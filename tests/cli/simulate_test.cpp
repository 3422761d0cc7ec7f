// Does `simulate` say which keys did nothing, draw every run anew, and refuse faults of what is not there?
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/command.hpp"

namespace lockstep::test {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

class Simulate : public testing::Test {
 protected:
  Simulate() {
    folder_.write("t.yaml",
                  "name: two_level\ngenerate: {leaf_spine: {hosts: 8, leaves: 2, spines: 2, link: {bandwidth: 1Gbps, "
                  "latency: 1us}}}\n");
    folder_.write("w.yaml", "name: w\ncollectives: [{kind: all_to_all, algorithm: pairwise, sizes: [1MiB]}]\n");
  }
  [[nodiscard]] Outcome run(const std::string& options) const {
    return lockstep_line("simulate -t t.yaml -w w.yaml " + options, {folder_.path(), {}});
  }
  const Folder folder_;
};

TEST_F(Simulate, NamesKeysThatDidNothing) {
  const Outcome outcome =
      run("--set topology.generate.leaf_spine.link.loss=1% --set profile.reduction.bandwidth=1GB/s --json r.json");
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
  const std::string loss =
      "--set topology.generate.leaf_spine.link.loss=1%: has no effect: fidelity 'flow' knows no packets, so it loses "
      "none";
  EXPECT_THAT(outcome.errors, HasSubstr("warning: " + loss));
  EXPECT_THAT(outcome.errors,
              HasSubstr("warning: --set profile.reduction.bandwidth=1GB/s: has no effect: no collective "
                        "of the workload combines data"));
  const Json result = Json::parse(folder_.read("r.json"));
  ASSERT_EQ(result["warnings"].size(), 2U);
  EXPECT_EQ(result["warnings"][0], loss);
}

TEST_F(Simulate, SeveralRunsDrawRoutesAnew) {
  const auto result = [&](const std::string& options) {
    const Outcome outcome = run("-q --json - " + options);
    EXPECT_EQ(outcome.code, 0) << outcome.errors;
    return Json::parse(outcome.output)["collectives"][0];
  };
  const Json rows = result("--runs 9 --seed 3");
  ASSERT_EQ(rows["samples_s"].size(), 9U);
  EXPECT_EQ(rows["iterations"], 9);
  for (int i = 0; i < 9; ++i)
    EXPECT_EQ(rows["samples_s"][i], result("--seed " + std::to_string(3 + i))["time_s"]) << "seed " << 3 + i;
  EXPECT_LE(rows["min_s"], rows["p5_s"]);
  EXPECT_LE(rows["p5_s"], rows["time_s"]);
  EXPECT_LE(rows["time_s"], rows["p95_s"]);
  EXPECT_LT(rows["p5_s"], rows["p95_s"]) << "colliding routes make some runs slower";
  EXPECT_THAT(run("--runs 3 -q").output, HasSubstr("p95 (us)"));
}

TEST_F(Simulate, FaultsOfWhatIsNotThere) {
  folder_.write("w.yaml",
                "name: w\ncollectives: [{kind: barrier}]\nfaults:\n  - {link: leaf0-spine7, down: true}\n  - {rank: 8, "
                "slow: 2}\n");
  const Outcome outcome = run("");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.errors,
            "error: w.yaml:4:5: no link 'leaf0-spine7'; did you mean 'leaf0-spine0'?\n"
            "w.yaml:5:5: there is no rank 8: the run has ranks 0 to 7\n");
}

}  // namespace
}  // namespace lockstep::test
