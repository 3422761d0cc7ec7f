// Is the job of every launcher recognised, and are contradictions refused?
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "tests/real/ranks.hpp"

extern char** environ;

namespace lockstep::real {
namespace {

/// The environment holds these launcher variables and no others while this lives (the tests themselves may run under a
/// launcher).
class Environment {
 public:
  explicit Environment(const std::map<std::string, std::string>& variables) {
    for (char** entry = environ; *entry != nullptr; ++entry) {
      const std::string text = *entry;
      const auto name = text.substr(0, text.find('='));
      for (const char* prefix : {"RANK", "WORLD_SIZE", "MASTER_", "OMPI_", "PMI", "SLURM_", "MPI_"})
        if (name.starts_with(prefix)) before_[name] = text.substr(name.size() + 1);
    }
    for (const auto& [name, value] : before_) ::unsetenv(name.c_str());
    for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
    variables_ = variables;
  }
  ~Environment() {
    for (const auto& [name, value] : variables_) ::unsetenv(name.c_str());
    for (const auto& [name, value] : before_) ::setenv(name.c_str(), value.c_str(), 1);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  std::map<std::string, std::string> before_, variables_;
};

std::string job(const std::map<std::string, std::string>& variables) {
  const Environment environment(variables);
  std::string text;
  const std::string failure = failure_of([&] {
    const auto found = job_from_environment();
    text = found ? fmt::format("{} {}/{} {}:{}", found->launcher, found->rank, found->size, found->master_address,
                               found->master_port)
                 : "none";
  });
  return failure == "none" ? text : failure;
}

TEST(JobFromEnvironment, NobodyLaunched) { EXPECT_EQ(job({}), "none"); }

TEST(JobFromEnvironment, Torchrun) {
  EXPECT_EQ(job({{"RANK", "3"}, {"WORLD_SIZE", "4"}, {"MASTER_ADDR", "10.0.0.1"}, {"MASTER_PORT", "29500"}}),
            "torchrun 3/4 10.0.0.1:29500");
  EXPECT_EQ(job({{"RANK", "0"}, {"WORLD_SIZE", "1"}}), "torchrun 0/1 127.0.0.1:0");
}

TEST(JobFromEnvironment, OpenMpi) {
  const std::map<std::string, std::string> base{{"OMPI_COMM_WORLD_RANK", "1"}, {"OMPI_COMM_WORLD_SIZE", "2"}};
  auto variables = base;
  variables["OMPI_MCA_orte_hnp_uri"] = "1234567890.0;tcp://10.1.2.3,192.168.0.1:41111";
  const std::string there = job(variables);
  EXPECT_TRUE(there.starts_with("OpenMPI 1/2 10.1.2.3:")) << there;
  const int port = std::stoi(there.substr(there.rfind(':') + 1));
  EXPECT_GE(port, 20000);
  EXPECT_LT(port, 32000);
  variables["OMPI_COMM_WORLD_RANK"] = "0";
  EXPECT_EQ(job(variables), fmt::format("OpenMPI 0/2 10.1.2.3:{}", port)) << "all ranks of a job find the same port";
  variables["OMPI_COMM_WORLD_LOCAL_SIZE"] = "2";
  EXPECT_EQ(job(variables), fmt::format("OpenMPI 0/2 127.0.0.1:{}", port));
  variables["MASTER_ADDR"] = "h1";
  variables["MASTER_PORT"] = "5000";
  EXPECT_EQ(job(variables), "OpenMPI 0/2 h1:5000");
  EXPECT_EQ(job(base),
            "InputError: OpenMPI started 2 ranks but does not say where rank 0 is: set MASTER_ADDR to the address of "
            "its host, and MASTER_PORT to a free port");
}

TEST(JobFromEnvironment, Pmi) {
  EXPECT_EQ(job({{"PMI_RANK", "1"}, {"PMI_SIZE", "2"}, {"MASTER_ADDR", "h1"}, {"MASTER_PORT", "5000"}}),
            "PMI 1/2 h1:5000");
  EXPECT_EQ(job({{"PMI_RANK", "1"}, {"PMI_SIZE", "2"}, {"MASTER_ADDR", "h1"}}),
            "InputError: PMI started 2 ranks but MASTER_PORT is not set: set it to a port that is free on the host of "
            "rank 0");
}

TEST(JobFromEnvironment, Slurm) {
  const std::map<std::string, std::string> base{
      {"SLURM_PROCID", "5"}, {"SLURM_NTASKS", "8"}, {"SLURM_JOB_ID", "77"}, {"SLURM_STEP_ID", "0"}};
  const auto with = [&](const std::string& name, const std::string& value) {
    auto variables = base;
    variables[name] = value;
    const std::string text = job(variables);
    return text.substr(0, text.rfind(':'));
  };
  EXPECT_EQ(with("SLURM_STEP_NODELIST", "node[03-07,9]"), "Slurm 5/8 node03");
  EXPECT_EQ(with("SLURM_STEP_NODELIST", "gpu,node[03-07]"), "Slurm 5/8 gpu");
  EXPECT_EQ(with("SLURM_STEP_NODELIST", "alone"), "Slurm 5/8 alone");
  EXPECT_EQ(with("SLURM_LAUNCH_NODE_IPADDR", "10.0.0.9"), "Slurm 5/8 10.0.0.9");
  EXPECT_EQ(with("SLURM_STEP_NUM_NODES", "1"), "Slurm 5/8 127.0.0.1");
  EXPECT_EQ(job({{"SLURM_JOB_ID", "77"}, {"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "8"}}), "none")
      << "a batch script is no rank";
  EXPECT_EQ(job({{"SLURM_JOB_ID", "77"},
                 {"SLURM_STEP_ID", "1"},
                 {"SLURM_PROCID", "0"},
                 {"SLURM_NTASKS", "8"},
                 {"SLURM_STEP_NUM_TASKS", "1"}}),
            "Slurm 0/1 127.0.0.1:0")
      << "a step may be smaller than the job";
}

TEST(JobFromEnvironment, ContradictionsAreRefused) {
  EXPECT_EQ(job({{"RANK", "4"}, {"WORLD_SIZE", "4"}}), "InputError: RANK=4 but WORLD_SIZE=4: ranks count from 0 to 3");
  EXPECT_EQ(job({{"RANK", "x"}, {"WORLD_SIZE", "4"}}), "InputError: RANK=x is not a whole number of at least 0");
  EXPECT_EQ(job({{"RANK", "0"}, {"WORLD_SIZE", "0"}}), "InputError: WORLD_SIZE=0 is not a whole number of at least 1");
  EXPECT_EQ(job({{"RANK", "0"}}),
            "InputError: RANK=0 is set but WORLD_SIZE is not: set both, or neither to run without a launcher");
  EXPECT_EQ(job({{"WORLD_SIZE", "2"}}),
            "InputError: WORLD_SIZE=2 is set but RANK is not: set both, or neither to run without a launcher");
  EXPECT_EQ(job({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "h"}, {"MASTER_PORT", "70000"}}),
            "InputError: MASTER_PORT=70000 is not a whole number from 1 to 65535");
}

}  // namespace
}  // namespace lockstep::real
