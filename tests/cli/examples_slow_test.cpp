// Does the example that every command's help shows work as written? Slow: those of check and calibrate measure.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/cli/command.hpp"

namespace lockstep::test {
namespace {

TEST(Examples, WorkAsWritten) {
  // A folder that looks like the repository's root, so that what an example writes does not stay in the repository.
  const Folder root;
  for (const auto& entry : std::filesystem::directory_iterator(LOCKSTEP_SOURCE_DIR))
    if (entry.is_directory())
      std::filesystem::create_symlink(entry.path(), root.path() + "/" + entry.path().filename().string());
  const Surroundings here{root.path(), {{"XDG_CACHE_HOME", root.path()}}};  // no profile of another day
  // What the example of `compare` lays side by side.
  ASSERT_EQ(
      lockstep_line("simulate -t topologies/lab_star4.yaml -w workloads/quickstart.yaml --json predicted.json", here)
          .code,
      0);
  ASSERT_EQ(lockstep_line("run -w workloads/quickstart.yaml --ranks 4 --json measured.json", here).code, 0);
  std::string refused;
  for (const auto& name : command_names()) {
    const std::string example = example_of(lockstep_line(name + " --help").output);
    const Outcome outcome = lockstep_line(example, here, std::chrono::seconds(240));
    if (outcome.errors.find("this machine refuses them") != std::string::npos) {
      refused += example + ": " + outcome.errors;
      continue;
    }
    // A comparison may find that prediction and machine differ: the command has worked all the same.
    const bool compares = name == "compare" || name == "check" || name == "bench";
    EXPECT_TRUE(outcome.code == 0 || (compares && outcome.code == 1)) << example << "\n" << outcome.errors;
    EXPECT_NE(outcome.output + outcome.errors, "") << example;
    EXPECT_FALSE(outcome.timed_out) << example;
    EXPECT_FALSE(outcome.left_behind) << example;
  }
  if (!refused.empty()) GTEST_SKIP() << refused;
}

}  // namespace
}  // namespace lockstep::test
