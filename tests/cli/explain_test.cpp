// Does explain say what NCCL would choose and where the choice flips, and refuse what it cannot explain?
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/command.hpp"

namespace lockstep::test {
namespace {

using testing::HasSubstr;

const std::string node = LOCKSTEP_SOURCE_DIR "/topologies/h100_node.yaml";
const std::string sweep = LOCKSTEP_SOURCE_DIR "/workloads/nccl_sweep.yaml";

TEST(Explain, NcclsCandidatesAndFlips) {
  const auto outcome = lockstep_line("explain -t " + node + " -w " + sweep + " -p nccl --json -");
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  const auto json = nlohmann::json::parse(outcome.output);
  EXPECT_EQ(json["schema"], "lockstep.explanation/1");
  ASSERT_EQ(json["rows"].size(), 10U);
  int chosen = 0;
  for (const auto& candidate : json["rows"][0]["candidates"]) chosen += candidate["chosen"].get<bool>() ? 1 : 0;
  EXPECT_EQ(chosen, 1);
  EXPECT_EQ(json["choices"][0]["choices"][0]["choice"], "ring LL");
  EXPECT_EQ(json["choices"][0]["choices"][1]["choice"], "nvls Simple");
}

TEST(Explain, AResultNamesItsFiles) {
  const Folder folder;
  const std::string file = folder.path() + "/r.json";
  ASSERT_EQ(lockstep_line("simulate -t " + node + " -w " + sweep + " -p nccl --json " + file).code, 0);
  const auto outcome = lockstep_line("explain " + file);
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_THAT(outcome.output, HasSubstr("profile nccl"));
  EXPECT_THAT(outcome.output, HasSubstr("the size flips the choice"));
}

TEST(Explain, OwnAlgorithmsByTheClosedForms) {
  const auto outcome =
      lockstep_line("explain -t " LOCKSTEP_SOURCE_DIR "/topologies/lab_star8.yaml -w " + sweep + " -p ideal");
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_THAT(outcome.output, HasSubstr("halving_doubling"));
}

TEST(Explain, Refusals) {
  EXPECT_EQ(lockstep_line("explain -t " + node).code, 2);
  const auto host =
      lockstep_line("explain -t " LOCKSTEP_SOURCE_DIR "/topologies/lab_star4.yaml -w " + sweep + " -p nccl");
  EXPECT_EQ(host.code, 2);
  EXPECT_THAT(host.errors, HasSubstr("topology 'lab_star4': NCCL's model does not apply: rank 0 (h0) is no GPU"));
}

TEST(Bench, ATableOfNcclsChoices) {
  const auto outcome = lockstep_line("bench all_reduce -b 8 -e 1G -f 4 -t " + node + " -p nccl");
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_THAT(outcome.output, HasSubstr("algorithm auto"));
  EXPECT_THAT(outcome.output, HasSubstr("nvls"));
  EXPECT_THAT(outcome.output, HasSubstr("LL"));
}

}  // namespace
}  // namespace lockstep::test
