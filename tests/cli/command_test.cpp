// Do the tests of this folder see what a program says, how it ends, and what it leaves behind?
#include "tests/cli/command.hpp"

#include <gtest/gtest.h>

#include <csignal>

namespace lockstep::test {
namespace {

TEST(Command, OutputErrorsAndExitCodeAreKeptApart) {
  const Folder folder;
  folder.write("here", "it is\n");
  const Outcome outcome =
      Process({"sh", "-c", "cat here; echo $WORD >&2; exit 7"}, {folder.path(), {{"WORD", "wrong"}}}).wait();
  EXPECT_EQ(outcome.output, "it is\n");
  EXPECT_EQ(outcome.errors, "wrong\n");
  EXPECT_EQ(outcome.code, 7);
  EXPECT_FALSE(outcome.timed_out);
  EXPECT_FALSE(outcome.left_behind);
}

TEST(Command, WhatHangsIsKilledAndWhatIsLeftIsSeen) {
  const Outcome hung = Process({"sleep", "60"}, {}).wait(std::chrono::milliseconds(50));
  EXPECT_TRUE(hung.timed_out);
  EXPECT_EQ(hung.code, 128 + SIGKILL);
  const Outcome leaving = Process({"sh", "-c", "sleep 4 & exit 0"}, {}).wait();
  EXPECT_EQ(leaving.code, 0);
  EXPECT_TRUE(leaving.left_behind);
}

TEST(Command, LinesAreSplitAtBlanks) { EXPECT_EQ(words("a  'b c' ''"), (std::vector<std::string>{"a", "b c", ""})); }

}  // namespace
}  // namespace lockstep::test
