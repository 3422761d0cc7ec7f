// Does the job of a real mpirun come together, with nothing said about where rank 0 is?
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "tests/real/ranks.hpp"

namespace lockstep::real {
namespace {

std::string output_of(const std::string& command, int& status) {
  std::string text;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("popen");
  std::array<char, 4096> part;
  while (std::fgets(part.data(), part.size(), pipe) != nullptr) text += part.data();
  status = ::pclose(pipe);
  return text;
}

/// What every process of the launched job does: this very program again, with the filter below.
TEST(UnderALauncher, DISABLED_RanksMeet) {
  const auto environment = job_from_environment();
  ASSERT_TRUE(environment.has_value());
  const auto control = connect_control(*environment, "the same", std::chrono::seconds(20));
  const auto all = control->all_gather(std::to_string(control->rank()));
  ASSERT_EQ(all, (std::vector<std::string>{"0", "1", "2"}));
}

TEST(Launchers, OpenMpiStartsAJob) {
  int status = 0;
  const std::string version = output_of("mpirun --version", status);
  if (status != 0) GTEST_SKIP() << "no mpirun here: " << version;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string output = output_of(
      fmt::format("env OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun --oversubscribe -n 3 '{}' "
                  "--gtest_also_run_disabled_tests --gtest_filter=UnderALauncher.DISABLED_RanksMeet",
                  self),
      status);
  EXPECT_EQ(status, 0) << output;
}

}  // namespace
}  // namespace lockstep::real
