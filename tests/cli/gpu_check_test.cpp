// The program that is carried to machines with a GPU: what it says where there is none, and our kernels where there is
// one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/cli/command.hpp"

namespace lockstep::test {
namespace {

#ifdef LOCKSTEP_GPU_CHECK
using testing::HasSubstr;

Outcome gpu_check(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), LOCKSTEP_GPU_CHECK);
  return Process(arguments, {}).wait();
}

// Whether or not cuBLASLt and NCCL are where the dynamic linker looks.
bool has_gpu() { return gpu_check({"--sections", "device"}).code != 3; }

TEST(GpuCheck, SaysWhatIsMissing) {
  if (has_gpu()) GTEST_SKIP() << "this machine has a GPU";
  const Folder folder;
  const auto outcome = Process({LOCKSTEP_GPU_CHECK}, {"", {{"TMPDIR", folder.path()}}}).wait();
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.errors, testing::StartsWith("error: no GPU to measure: "));
  EXPECT_EQ(outcome.output, "");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path())) << "it left a folder behind";
}

TEST(GpuCheck, WrongUsage) {
  const auto outcome = gpu_check({"--sections", "prodcuts"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.errors, HasSubstr("unknown section 'prodcuts'; did you mean 'products'?"));
  EXPECT_EQ(gpu_check({"--no-such-flag"}).code, 2);
  EXPECT_EQ(gpu_check({"--help"}).code, 0);
}

TEST(GpuCheck, KernelsEqualTheHost) {
  if (!has_gpu()) GTEST_SKIP() << "no GPU on this machine";
  const auto outcome = gpu_check({"--sections", "checks"});
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
}
#else
TEST(GpuCheck, NeedsTheCudaToolkit) { GTEST_SKIP() << "built without the CUDA toolkit, or without bench/"; }
#endif

}  // namespace
}  // namespace lockstep::test
