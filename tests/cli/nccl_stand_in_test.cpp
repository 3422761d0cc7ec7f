// Question: does the module of NCCL do the right calls in a right order? Over stand-ins for CUDA and NCCL
// (tests/stand_in/), which wait where the real ones wait and refuse what they refuse; our kernels alone need a GPU.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/cli/command.hpp"

namespace lockstep::test {
namespace {

#ifdef LOCKSTEP_STAND_IN
using namespace std::chrono_literals;
using testing::HasSubstr;
using Json = nlohmann::json;

const std::string files = LOCKSTEP_SOURCE_DIR;

class StandIn : public testing::Test {
 protected:
  void SetUp() override {
    const std::vector<std::string> copy{"cp", command({}).front(), LOCKSTEP_STAND_IN "/lockstep_nccl.so",
                                        folder_.path()};
    ASSERT_EQ(Process(copy, {}).wait().code, 0);
  }
  /// A program whose module of NCCL is the stand-in's.
  [[nodiscard]] std::unique_ptr<Process> start(const std::string& line, int gpus) const {
    auto all = words(line);
    all.insert(all.begin(), folder_.path() + "/lockstep");
    return std::make_unique<Process>(all, Surroundings{folder_.path(),
                                                       {{"LD_LIBRARY_PATH", LOCKSTEP_STAND_IN},
                                                        {"XDG_CACHE_HOME", folder_.path() + "/cache"},
                                                        {"STAND_IN_GPUS", std::to_string(gpus)}}});
  }
  [[nodiscard]] Outcome run(const std::string& line, int gpus) const { return start(line, gpus)->wait(120s); }
  /// A workload of the project on so many ranks, each row of whose result is right.
  [[nodiscard]] Json run_right(const std::string& workload, int ranks) const {
    const Outcome outcome =
        run(fmt::format("run -w {}/workloads/{}.yaml --backend nccl --json r.json --ranks {}", files, workload, ranks),
            ranks == 3 ? 3 : 1);
    EXPECT_EQ(outcome.code, 0) << outcome.errors;
    EXPECT_FALSE(outcome.left_behind);
    if (outcome.code != 0) return {};
    Json found = result();
    for (const Json& row : found.at("collectives")) EXPECT_EQ(row.at("wrong"), 0) << ranks << " ranks: " << row;
    return found;
  }
  [[nodiscard]] Json result() const { return Json::parse(folder_.read("r.json")); }
  [[nodiscard]] static std::string chosen(const Json& result, std::size_t rank) {
    return result.at("run").at("transport").at(rank).at("chosen").get<std::string>();
  }

  const Folder folder_;
};

TEST_F(StandIn, EveryAlgorithmMovesItsDataRightly) {
  for (const int ranks : {2, 3, 5}) {
    const Json found = run_right("every_algorithm", ranks);
    ASSERT_TRUE(found.is_object());
    EXPECT_GT(found.at("collectives").size(), 50U);
  }
}

TEST_F(StandIn, NcclsOwnCollectivesAreRight) {
  for (const int ranks : {2, 3, 4}) {
    const Json found = run_right("every_native", ranks);
    ASSERT_TRUE(found.is_object());
    EXPECT_THAT(chosen(found, 0), HasSubstr("AllReduce 204800 B: RING LL, 2 channels"));
    // Three ranks on three devices, two on one.
    const std::string said = chosen(found, 1);
    if (ranks == 3) {
      EXPECT_THAT(said, HasSubstr("; device 1, stand-in; device clock"));
    } else {
      EXPECT_THAT(said, HasSubstr("; device 0, stand-in, shared with rank"));
    }
  }
}

TEST_F(StandIn, NcclsModelPredictsWhatNcclRuns) {
  const std::string topology =
      " -t " + files + "/topologies/h100_node.yaml --backend nccl -p nccl --ranks 2 --json r.json";
  Outcome outcome = run("bench all_reduce -b 1K -e 1K -n 2 -w 1" + topology, 2);
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_EQ(result().at("measured").at("collectives").at(0).at("algorithm"), "native");
  folder_.write("w.yaml", "name: w\niterations: 2\ncollectives: [{kind: all_reduce, algorithm: [auto], size: 1KiB}]\n");
  outcome = run("check -w w.yaml --tolerance 1000000%" + topology, 2);
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_EQ(result().at("rows").size(), 1U);
}

TEST_F(StandIn, WithoutAGpuItSaysSo) {
  const Outcome outcome = run("run -w " + files + "/workloads/quickstart.yaml --backend nccl --ranks 2", 0);
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.errors,
              HasSubstr("this machine cannot run NCCL: no usable GPU: no CUDA-capable device is detected"));
  EXPECT_FALSE(outcome.left_behind);
}

TEST_F(StandIn, LoadersCopyTheirBatchesToTheDevice) {
  folder_.write(
      "w.yaml",
      "name: w\nloader: {dataset: {samples: 90, size: 30kB}, batch: {size: 8, staging: pinned}, consumer: {think: "
      "1ms}, readers: {workers: 2}}\n");
  ASSERT_EQ(run("dataset make files -w w.yaml", 1).code, 0);
  for (const char* how : {"pinned", "pageable"})
    for (const char* kind : {"threads", "processes"}) {
      const Outcome outcome =
          run(fmt::format("run -w w.yaml --dataset files --json r.json --set workload.loader.batch.staging={} --set "
                          "workload.loader.readers.kind={}",
                          how, kind),
              1);
      ASSERT_EQ(outcome.code, 0) << outcome.errors;
      EXPECT_FALSE(outcome.left_behind);
      const Json loader = result().at("loader");
      EXPECT_EQ(loader.at("samples"), 90);
      EXPECT_EQ(loader.at("wrong"), 0);
    }
  const Outcome without = run("run -w w.yaml --dataset files", 0);
  EXPECT_EQ(without.code, 2);
  EXPECT_THAT(without.errors,
              HasSubstr("w.yaml:2:9: copies to a device ('device', 'batch.staging') need a GPU: no usable "
                        "GPU: no CUDA-capable device is detected"));
}

TEST_F(StandIn, AKilledRankEndsTheRun) {
  folder_.write("w.yaml",
                "name: w\niterations: 1000000\ncollectives: [{kind: all_reduce, algorithm: ring, size: 64KiB}]\n");
  const auto process = start("run -w w.yaml --backend nccl --ranks 3 --json r.json", 1);
  std::vector<int> ranks;
  ASSERT_TRUE(eventually([&] {
    ranks = children_of(process->id());
    return ranks.size() == 3 && Process::cpu_s(ranks.back()) > 0.5;
  }));
  ::kill(ranks.back(), SIGKILL);
  const Outcome outcome = process->wait(30s);
  EXPECT_EQ(outcome.code, 3) << outcome.errors;
  EXPECT_FALSE(outcome.left_behind);
}
#else
TEST(StandIn, NeedsTheHeadersOfCudaAndNccl) { GTEST_SKIP() << "built without the CUDA toolkit or nccl.h"; }
#endif

}  // namespace
}  // namespace lockstep::test
