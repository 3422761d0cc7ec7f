// One workload file, byte for byte the same, through every backend: is every element right, and does a run that cannot
// be say so?
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <thread>

#include "tests/cli/command.hpp"

namespace lockstep::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using Json = nlohmann::json;

const std::string workloads = LOCKSTEP_SOURCE_DIR "/workloads/";
constexpr const char* leaf_spine =
    "name: leaf_spine\ngenerate: {leaf_spine: {hosts: 4, leaves: 2, spines: 2, link: {bandwidth: 500Mbps, latency: "
    "50us}}}\n";

/// What doctor finds; several with '+' between.
bool can(const std::string& what) {
  if (const auto plus = what.find('+'); plus != std::string::npos)
    return can(what.substr(0, plus)) && can(what.substr(plus + 1));
  const Json found = Json::parse(lockstep({"doctor", "--json", "-"}).output).at("findings");
  for (const Json& one : found)
    if (one.at("name") == what) return one.at("ok").get<bool>();
  return false;
}

struct Way {
  std::string backend;  ///< with its options
  std::string needs;    ///< of doctor's findings; empty: nothing
  int ranks;
};

void PrintTo(const Way& way, std::ostream* out) { *out << way.backend << ", " << way.ranks << " ranks"; }

class Backends : public testing::TestWithParam<Way> {};

TEST_P(Backends, EveryAlgorithmMovesItsDataRightly) {
  const Way& run = GetParam();
  if (!run.needs.empty() && !can(run.needs)) GTEST_SKIP() << "no " << run.needs << " here";
  const Folder folder;
  folder.write("t.yaml", leaf_spine);
  const Outcome outcome = lockstep(words("run -w " + workloads + "every_algorithm.yaml --json r.json --backend " +
                                         run.backend + " --ranks " + std::to_string(run.ranks)),
                                   {folder.path(), {}}, 120s);
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_FALSE(outcome.left_behind);
  const Json result = Json::parse(folder.read("r.json"));
  ASSERT_GT(result.at("collectives").size(), 50U);
  for (const Json& row : result.at("collectives")) EXPECT_EQ(row.at("wrong"), 0) << row;
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"r.json", "t.yaml"}));
}

INSTANTIATE_TEST_SUITE_P(OneHost, Backends,
                         testing::Values(Way{"tcp", "", 5}, Way{"ucx", "UCX", 5},
                                         Way{"ucx --transport ucx_put", "UCX", 5}, Way{"mpi", "MPI", 2},
                                         Way{"mpi", "MPI", 3}, Way{"mpi", "MPI", 5}, Way{"mpi", "MPI", 8},
                                         Way{"nccl", "NCCL", 2}, Way{"nccl", "NCCL", 4}));
INSTANTIATE_TEST_SUITE_P(AcrossHosts, Backends,
                         testing::Values(Way{"lab -t t.yaml", "namespaces", 4},
                                         Way{"lab -t t.yaml --transport mpi", "namespaces+MPI", 4},
                                         Way{"lab -t t.yaml --transport ucx", "namespaces+UCX", 4},
                                         Way{"lab -t t.yaml --transport ucx_put", "namespaces+UCX", 3}));

// Hours of work: a run that ends within a test has failed.
constexpr const char* endless =
    "name: endless\niterations: 1000000\ncollectives: [{kind: all_reduce, algorithm: ring, size: 1MiB}]\n";

/// The processes at the ends of the tree below `id` that have worked: the ranks, once they do.
std::vector<int> workers(int id) {
  std::vector<int> found;
  for (const int child : children_of(id)) {
    const auto below = workers(child);
    found.insert(found.end(), below.begin(), below.end());
    if (children_of(child).empty() && Process::cpu_s(child) > 0.1) found.push_back(child);
  }
  return found;
}

/// The rank that measures. Who starts ranks himself starts them in order.
int rank_zero(int id) {
  const auto all = workers(id);
  for (const int worker : all) {
    std::ifstream file(fmt::format("/proc/{}/environ", worker));
    const std::string environment((std::istreambuf_iterator<char>(file)), {});
    if (environment.find(std::string("OMPI_COMM_WORLD_RANK=0") + '\0') != std::string::npos) return worker;
  }
  return all.front();
}

class Failures : public testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    if (!GetParam().needs.empty() && !can(GetParam().needs)) GTEST_SKIP() << "no " << GetParam().needs << " here";
    folder_.write("t.yaml", leaf_spine);
    folder_.write("w.yaml", endless);
  }
  /// A run whose ranks are all at work.
  [[nodiscard]] std::unique_ptr<Process> start(const std::string& options) const {
    auto process =
        std::make_unique<Process>(command(words("run -w w.yaml --json r.json --backend " + GetParam().backend + " " +
                                                options + " --ranks " + std::to_string(GetParam().ranks))),
                                  Surroundings{folder_.path(), {}});
    EXPECT_TRUE(eventually([&] { return static_cast<int>(workers(process->id()).size()) >= GetParam().ranks; }));
    return process;
  }
  /// There is a part of a result, and it says why it is no more.
  void expect_partial(const std::string& why, const Outcome& outcome) const {
    ASSERT_NE(folder_.read("r.json"), "") << outcome.errors;
    const Json result = Json::parse(folder_.read("r.json"));
    EXPECT_THAT(result.at("run").at("partial").get<std::string>(), HasSubstr(why));
    ASSERT_EQ(result.at("collectives").size(), 1U);
    EXPECT_GT(result.at("collectives")[0].at("iterations"), 0);
    EXPECT_LT(result.at("collectives")[0].at("iterations"), 1000000);
  }
  const Folder folder_;
};

TEST_P(Failures, AKilledRankEndsTheRunAndLeavesAPartialResult) {
  const auto process = start("");
  std::this_thread::sleep_for(1s);  // beyond the warm-up
  ::kill(workers(process->id()).back(), SIGKILL);
  const Outcome outcome = process->wait(20s);
  EXPECT_EQ(outcome.code, 3) << outcome.errors;
  EXPECT_FALSE(outcome.left_behind);
  EXPECT_THAT(outcome.errors, testing::ContainsRegex("rank [1-9] (was killed by signal 9|died)"));
  EXPECT_EQ(outcome.output, "");
  expect_partial("rank", outcome);
}

TEST_P(Failures, WhatRankZeroHasSeenOutlivesIt) {
  const auto process = start("");
  std::this_thread::sleep_for(1s);
  ::kill(rank_zero(process->id()), SIGKILL);
  const Outcome outcome = process->wait(20s);
  EXPECT_EQ(outcome.code, 3) << outcome.errors;
  EXPECT_FALSE(outcome.left_behind);
  expect_partial("rank 0", outcome);
}

TEST_P(Failures, AStoppedRankIsNamedAndNothingStays) {
  const auto process = start("--timeout 1s");
  const int stopped = workers(process->id()).back();
  ::kill(stopped, SIGSTOP);
  const Outcome outcome = process->wait(30s);
  EXPECT_EQ(outcome.code, 3) << outcome.errors;
  EXPECT_FALSE(outcome.left_behind);
  EXPECT_THAT(outcome.errors,
              testing::ContainsRegex("has made no progress for 1 s in operation 'collective0'|waited 1 s in"));
}

TEST_P(Failures, AnInterruptEndsAllOfIt) {
  const auto process = start("");
  std::this_thread::sleep_for(1s);
  process->send(SIGINT);
  const Outcome outcome = process->wait(20s);
  EXPECT_NE(outcome.code, 0);
  EXPECT_FALSE(outcome.left_behind);
  expect_partial("interrupted", outcome);
}

INSTANTIATE_TEST_SUITE_P(Everywhere, Failures,
                         testing::Values(Way{"tcp", "", 3}, Way{"ucx", "UCX", 3}, Way{"mpi", "MPI", 3},
                                         Way{"lab -t t.yaml", "namespaces", 3},
                                         Way{"lab -t t.yaml --transport mpi", "namespaces+MPI", 3},
                                         Way{"lab -t t.yaml --transport ucx_put", "namespaces+UCX", 3}));

TEST(Mpi, ItsOwnCollectivesAreRight) {
  if (!can("MPI")) GTEST_SKIP() << "no MPI here";
  const Folder folder;
  for (const char* ranks : {"2", "3", "4"}) {
    const Outcome outcome =
        lockstep(words("run -w " + workloads + "every_native.yaml --backend mpi --json r.json --ranks " + ranks),
                 {folder.path(), {}}, 120s);
    ASSERT_EQ(outcome.code, 0) << outcome.errors;
    for (const Json& row : Json::parse(folder.read("r.json")).at("collectives")) EXPECT_EQ(row.at("wrong"), 0) << row;
  }
}

TEST(Mpi, ItsOwnCollectivesEndWithARankThatDiesOrStops) {
  if (!can("MPI")) GTEST_SKIP() << "no MPI here";
  for (const int signal : {SIGKILL, SIGSTOP}) {
    const Folder folder;
    folder.write("w.yaml",
                 "name: w\niterations: 1000000\ncollectives: [{kind: all_reduce, algorithm: native, size: 1MiB}]\n");
    Process process(command(words("run -w w.yaml --backend mpi --ranks 3 --timeout 1s --json r.json")),
                    {folder.path(), {}});
    ASSERT_TRUE(eventually([&] { return workers(process.id()).size() == 3; }));
    std::this_thread::sleep_for(1s);
    ::kill(workers(process.id()).back(), signal);
    const Outcome outcome = process.wait(30s);
    EXPECT_EQ(outcome.code, 3) << outcome.errors;
    EXPECT_FALSE(outcome.left_behind);
    EXPECT_THAT(outcome.errors,
                testing::ContainsRegex(signal == SIGKILL ? "rank [0-9] (was killed by signal 9|died)"
                                                         : "error: rank [0-9] has waited 1 s in MPI_Allreduce|"
                                                           "error: rank [0-9] waited 1 s in [a-z_]+; missing: rank"));
    EXPECT_THAT(Json::parse(folder.read("r.json")).at("run").at("partial").get<std::string>(), HasSubstr("rank"));
  }
}

TEST(Mpi, AnMpirunThatStartsNothingIsEnded) {
  if (!can("MPI")) GTEST_SKIP() << "no MPI here";
  const Folder folder;
  folder.write("mpirun", "#!/bin/sh\nexec sleep 1000\n");
  std::filesystem::permissions(folder.path() + "/mpirun", std::filesystem::perms::owner_all);
  folder.write("w.yaml", endless);
  const Outcome outcome = lockstep(words("run -w w.yaml --backend mpi --ranks 2 --rendezvous-timeout 1s"),
                                   {folder.path(), {{"PATH", folder.path() + ":/usr/bin:/bin"}}}, 20s);
  EXPECT_EQ(outcome.code, 3);
  EXPECT_FALSE(outcome.left_behind);
  EXPECT_THAT(outcome.errors, HasSubstr("mpirun started no rank within 1 s (--rendezvous-timeout waits longer)"));
}

TEST(Calibrate, WhatItWritesCanBeRead) {
  for (const auto& [backend, needs] : {std::pair("tcp", ""), std::pair("mpi", "MPI"), std::pair("ucx", "UCX")}) {
    SCOPED_TRACE(backend);
    if (*needs != '\0' && !can(needs)) continue;
    const Folder folder;
    folder.write("w.yaml", "name: w\ncollectives: [{kind: all_reduce, algorithm: ring, sizes: [16MiB, 64MiB]}]\n");
    folder.write("t.yaml", "name: here\ngenerate: {star: {hosts: 2, link: {bandwidth: 10000Gbps, latency: 0us}}}\n");
    const Surroundings here{folder.path(), {{"XDG_CACHE_HOME", folder.path()}}};
    const Outcome fitted =
        lockstep(words(fmt::format("calibrate --backend {} --ranks 2 --largest 1MiB -o p.yaml", backend)), here);
    ASSERT_EQ(fitted.code, 0) << fitted.errors;
    const Outcome predicted = lockstep(words("simulate -t t.yaml -w w.yaml -p p.yaml --json r.json"), here);
    ASSERT_EQ(predicted.code, 0) << predicted.errors;
    const Json rows = Json::parse(folder.read("r.json")).at("collectives");
    // A library that copies moves a message as time of processors, and so do larger ones than were measured.
    EXPECT_EQ(folder.read("p.yaml").find("copied: true") != std::string::npos, std::string(backend) != "tcp");
    EXPECT_GT(rows[1].at("time_s").get<double>(), 3 * rows[0].at("time_s").get<double>());
  }
}

TEST(Mpi, AJobOfMpirunGivesOneResult) {
  if (!can("MPI")) GTEST_SKIP() << "no MPI here";
  const Folder folder;
  folder.write("w.yaml", "name: w\ncollectives: [{kind: all_reduce, algorithm: [ring, native], size: 64KiB}]\n");
  std::vector<std::string> line = words("mpirun --oversubscribe -np 3");
  for (const std::string& word : command(words("run -w w.yaml --backend mpi --json r.json"))) line.push_back(word);
  Process process(line, {folder.path(), {{"OMPI_ALLOW_RUN_AS_ROOT", "1"}, {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"}}});
  const Outcome outcome = process.wait();
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_THAT(outcome.output, HasSubstr("# measurement of w, 3 ranks, backend mpi"));
  EXPECT_EQ(outcome.output.find("# measurement"), outcome.output.rfind("# measurement"));  // once
  EXPECT_EQ(Json::parse(folder.read("r.json")).at("ranks"), 3);
}

TEST(Mpi, AJobOfMpirunCalibratesAndChecks) {
  if (!can("MPI")) GTEST_SKIP() << "no MPI here";
  const Folder folder;
  folder.write("w.yaml", "name: w\ncollectives: [{kind: all_reduce, algorithm: ring, size: 64KiB}]\n");
  folder.write("t.yaml", "name: here\ngenerate: {star: {hosts: 2, link: {bandwidth: 10000Gbps, latency: 0us}}}\n");
  std::vector<std::string> line = words("mpirun --oversubscribe -np 2");
  for (const std::string& word :
       command(words("check -t t.yaml -w w.yaml --backend mpi --tolerance 100000% --json r.json --recalibrate")))
    line.push_back(word);
  Process process(
      line,
      {folder.path(),
       {{"OMPI_ALLOW_RUN_AS_ROOT", "1"}, {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"}, {"XDG_CACHE_HOME", folder.path()}}});
  const Outcome outcome = process.wait(120s);
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_EQ(outcome.errors.find("calibrating"), outcome.errors.rfind("calibrating"));  // said once
  const Json result = Json::parse(folder.read("r.json"));
  EXPECT_EQ(result.at("rows").size(), 1U);
  EXPECT_EQ(result.at("measured").at("backend"), "mpi");
}

TEST(Mpi, ProgramsStartedOneByOneAreNoticed) {
  if (!can("MPI")) GTEST_SKIP() << "no MPI here";
  // As the mpirun of another library starts them: a rank in the environment, and no job as far as ours can see.
  const Folder folder;
  folder.write("w.yaml", "name: w\ncollectives: [{kind: all_reduce, size: 4KiB}]\n");
  const std::string port = std::to_string(free_port());
  std::vector<std::unique_ptr<Process>> ranks;
  for (const char* rank : {"0", "1"})
    ranks.push_back(std::make_unique<Process>(
        command(words("run -w w.yaml --backend mpi")),
        Surroundings{folder.path(),
                     {{"PMI_RANK", rank}, {"PMI_SIZE", "2"}, {"MASTER_ADDR", "127.0.0.1"}, {"MASTER_PORT", port}}}));
  for (const auto& rank : ranks) {
    const Outcome outcome = rank->wait();
    EXPECT_EQ(outcome.code, 2) << outcome.errors;
    EXPECT_THAT(outcome.errors, HasSubstr("the launcher started 2 separate programs instead of one MPI job"));
  }
}

TEST(Ucx, SharedMemoryBetweenHostsMakesTheMeasurementInvalid) {
  if (!can("namespaces") || !can("UCX")) GTEST_SKIP() << "no lab or no UCX here";
  const Folder folder;
  folder.write("t.yaml", leaf_spine);
  folder.write("w.yaml", "name: w\ncollectives: [{kind: all_reduce, size: 1MiB}]\n");
  const Outcome outcome = lockstep(words("run -w w.yaml --backend lab --transport ucx -t t.yaml"),
                                   {folder.path(), {{"UCX_TLS", "posix,sysv,self"}}});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.errors, HasSubstr("the ranks found another way (shared memory?)"));
}

TEST(Transports, ABackendSaysWhatItCanSendBy) {
  const Outcome outcome = lockstep(words("run -w " + workloads + "quickstart.yaml --ranks 2 --transport mpi"));
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.errors, "error: backend 'tcp' does not send by mpi; it can: tcp\n");
  EXPECT_EQ(lockstep(words("run -w " + workloads + "quickstart.yaml --ranks 2 --transport ucks")).code, 2);
}

TEST(Transports, RanksThatSendByDifferentOnesSaySo) {
  if (!can("UCX")) GTEST_SKIP() << "no UCX here";
  const Folder folder;
  folder.write("w.yaml", "name: w\ncollectives: [{kind: all_reduce, size: 4KiB}]\n");
  const std::string port = std::to_string(free_port());
  std::vector<std::unique_ptr<Process>> ranks;
  for (const char* rank : {"0", "1"})
    ranks.push_back(std::make_unique<Process>(
        command(words(std::string("run -w w.yaml --backend ") + (*rank == '0' ? "tcp" : "ucx"))),
        Surroundings{folder.path(),
                     {{"RANK", rank}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "127.0.0.1"}, {"MASTER_PORT", port}}}));
  for (const auto& rank : ranks) {
    const Outcome outcome = rank->wait();
    EXPECT_EQ(outcome.code, 3);
    EXPECT_THAT(outcome.errors, HasSubstr("rank 1 sends by ucx, rank 0 by tcp"));
  }
}

class VirtualRanks : public testing::TestWithParam<Way> {};

TEST_P(VirtualRanks, AScheduleForManyRunsInFewProcesses) {
  const Way& way = GetParam();
  if (!way.needs.empty() && !can(way.needs)) GTEST_SKIP() << "no " << way.needs << " here";
  const Folder folder;
  folder.write("w.yaml",
               "name: w\niterations: 2\ncollectives:\n"
               "  - {kind: all_reduce, algorithm: [ring, tree, halving_doubling], size: 64KiB}\n"
               "  - {kind: all_to_all, algorithm: pairwise, size: 64KiB}\n"
               "  - {kind: barrier}\n");
  const std::string line = fmt::format("run -w w.yaml --backend {} --ranks 64 --json r.json ", way.backend);
  const Outcome outcome = lockstep(words(line + fmt::format("--processes {}", way.ranks)), {folder.path(), {}}, 120s);
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_THAT(outcome.errors, HasSubstr("note: several ranks share a process"));
  const Json result = Json::parse(folder.read("r.json"));
  EXPECT_EQ(result.at("ranks"), 64);
  EXPECT_EQ(result.at("run").at("virtual_ranks").at("processes"), way.ranks);
  EXPECT_EQ(result.at("run").at("transport").size(), 64U);
  ASSERT_EQ(result.at("collectives").size(), 5U);
  for (const Json& row : result.at("collectives")) EXPECT_EQ(row.at("wrong"), 0) << row;
  // Nobody takes its times for those of 64 machines.
  const Outcome compared = lockstep(words("compare r.json r.json"), {folder.path(), {}});
  EXPECT_EQ(compared.code, 2);
  EXPECT_THAT(compared.errors, HasSubstr("error: r.json: no times to compare: several ranks share a process"));
}

INSTANTIATE_TEST_SUITE_P(Everywhere, VirtualRanks,
                         testing::Values(Way{"tcp", "", 4}, Way{"tcp", "", 1}, Way{"ucx", "UCX", 3},
                                         Way{"mpi", "MPI", 4}));

TEST(VirtualRankFailures, AKilledProcessEndsTheRun) {
  const Folder folder;
  folder.write("w.yaml", endless);
  Process process(command(words("run -w w.yaml --ranks 8 --processes 2 --json r.json")), {folder.path(), {}});
  ASSERT_TRUE(eventually([&] { return workers(process.id()).size() == 2; }));
  ::kill(workers(process.id()).back(), SIGKILL);
  const Outcome outcome = process.wait(20s);
  EXPECT_EQ(outcome.code, 3);
  EXPECT_FALSE(outcome.left_behind);
  EXPECT_THAT(outcome.errors, HasSubstr("rank 1 was killed by signal 9 (Killed)"));
}

TEST(VirtualRankFailures, WrongUseIsRefused) {
  const std::string line = "run --ranks 4 -w " + workloads + "quickstart.yaml";
  for (const auto& [options, error] :
       {std::pair{" --processes 5", "5 processes for 4 ranks: from one process for all to one for each"},
        {" --processes 0", "0 processes for 4 ranks"},
        {" --processes 2 --backend lab -t " LOCKSTEP_SOURCE_DIR "/topologies/lab_star4.yaml",
         "--processes: in the lab every rank has a host, and a process, of its own"}}) {
    const Outcome outcome = lockstep(words(line + options));
    EXPECT_EQ(outcome.code, 2) << options;
    EXPECT_THAT(outcome.errors, HasSubstr(error)) << options;
  }
}

TEST(Transports, APartialResultIsNotCompared) {
  const Folder folder;
  folder.write("w.yaml", "name: w\ncollectives: [{kind: all_reduce, size: 4KiB}]\n");
  ASSERT_EQ(lockstep(words("run -w w.yaml --ranks 2 --json r.json"), {folder.path(), {}}).code, 0);
  Json result = Json::parse(folder.read("r.json"));
  result["run"]["partial"] = "rank 1 was killed by signal 9 (Killed)";
  folder.write("p.json", result.dump());
  const Outcome outcome = lockstep(words("compare r.json p.json"), {folder.path(), {}});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.errors,
            "error: p.json: a partial result, of a run that failed (rank 1 was killed by signal 9 (Killed))\n");
}

TEST(Transports, AJobAroundItDoesNotConfuseTheRanksOfAnother) {
  if (!can("MPI")) GTEST_SKIP() << "no MPI here";
  // A shell inside a pod of a training job, say: the lab starts its own ranks.
  if (!can("namespaces")) GTEST_SKIP() << "no lab here";
  const Folder folder;
  folder.write("t.yaml", leaf_spine);
  folder.write("w.yaml", "name: w\ncollectives: [{kind: all_reduce, algorithm: [ring, native], size: 4KiB}]\n");
  const Outcome outcome =
      lockstep(words("run -w w.yaml --backend lab -t t.yaml --transport mpi"), {folder.path(),
                                                                                {{"RANK", "0"},
                                                                                 {"WORLD_SIZE", "1"},
                                                                                 {"MASTER_ADDR", "192.0.2.1"},
                                                                                 {"MASTER_PORT", "1"},
                                                                                 {"SLURM_JOB_ID", "7"}}});
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
}

TEST(Nccl, ItsOwnCollectivesAreRight) {
  if (!can("NCCL")) GTEST_SKIP() << "no GPU with NCCL here";
  const Folder folder;
  for (const char* ranks : {"2", "3", "4"}) {
    const Outcome outcome =
        lockstep(words("run -w " + workloads + "every_native.yaml --backend nccl --json r.json --ranks " + ranks),
                 {folder.path(), {}}, 120s);
    ASSERT_EQ(outcome.code, 0) << outcome.errors;
    EXPECT_FALSE(outcome.left_behind);
    const Json result = Json::parse(folder.read("r.json"));
    for (const Json& row : result.at("collectives")) EXPECT_EQ(row.at("wrong"), 0) << row;
    EXPECT_THAT(result.at("run").at("transport")[0].at("chosen").get<std::string>(), HasSubstr("NCCL 2."));
  }
}

TEST(Nccl, WithoutAGpuItSaysWhatIsMissing) {
  if (can("NCCL")) GTEST_SKIP() << "this machine has a GPU and NCCL";
  const Folder folder;
  folder.write("t.yaml", "name: here\ngenerate: {star: {hosts: 2, link: {bandwidth: 10000Gbps, latency: 0us}}}\n");
  folder.write("w.yaml", "name: w\ncollectives: [{kind: all_reduce, algorithm: ring, size: 4KiB}]\n");
  for (const char* line : {"run -w w.yaml --backend nccl --ranks 2 --json r.json",
                           "check -t t.yaml -w w.yaml --backend nccl --json r.json",
                           "bench all_reduce -b 8 -e 8 -t t.yaml --backend nccl --json r.json"}) {
    const Outcome outcome = lockstep(words(line), {folder.path(), {{"XDG_CACHE_HOME", folder.path() + "/cache"}}});
    EXPECT_EQ(outcome.code, 2) << line << ": " << outcome.errors;
    EXPECT_EQ(outcome.output, "") << line;
    EXPECT_FALSE(outcome.left_behind);
    // Built with the module, or without.
    EXPECT_THAT(outcome.errors,
                testing::ContainsRegex("this machine cannot run NCCL: no (usable GPU|NCCL): |this program cannot use "
                                       "NCCL: lockstep_nccl.so"))
        << line;
    EXPECT_THAT(outcome.errors, testing::ContainsRegex("nvidia-driver|libnccl2|CUDA toolkit")) << line;
    EXPECT_EQ(folder.read("r.json"), "");
  }
  EXPECT_EQ(lockstep(words("doctor")).code, 0);
}

TEST(Transports, AMissingLibraryIsNamed) {
  // The program alone, without its modules, as on a machine that lacks the libraries.
  const Folder folder;
  folder.write("w.yaml", "name: w\ncollectives: [{kind: all_reduce, size: 4KiB}]\n");
  Outcome copied = Process({"cp", command({}).front(), folder.path() + "/lockstep"}, {folder.path(), {}}).wait();
  ASSERT_EQ(copied.code, 0);
  const auto expect_named = [&](const std::string& backend, const std::string& library, const std::string& remedy) {
    const Outcome outcome =
        Process({folder.path() + "/lockstep", "run", "-w", "w.yaml", "--backend", backend, "--ranks", "2"},
                {folder.path(), {}})
            .wait();
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.errors, HasSubstr("this program cannot use " + library + ": lockstep_" + backend + ".so"));
    EXPECT_THAT(outcome.errors, HasSubstr(remedy));
    EXPECT_FALSE(outcome.left_behind);
  };
  expect_named("ucx", "UCX", "install the package libucx-dev and build again");
  expect_named("nccl", "NCCL", "install the CUDA toolkit with nccl.h");
}

}  // namespace
}  // namespace lockstep::test
