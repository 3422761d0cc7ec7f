// Do workloads with kernels run, sleep, predict and compare, and do commands say what they need?
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/cli/command.hpp"

namespace lockstep::test {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

class Compute : public testing::Test {
 protected:
  void SetUp() override {
    folder_.write("t.yaml", "name: t\ngenerate: {star: {hosts: 4, link: {bandwidth: 1Gbps, latency: 50us}}}\n");
    folder_.write("w.yaml",
                  "name: w\nkernels: [{kernel: add, elements: [1000, 100k]}, {kernel: adam, elements: 5000}]\n"
                  "iterations: 3\n");
    folder_.write("p.yaml",
                  "name: p\ncompute: {add: {float32: {overhead: 30ms}}, adam: {float32: {bandwidth: 7MB/s}}}\n");
  }
  Outcome run(const std::string& line) { return lockstep_line(line, here_); }
  Json json(const std::string& name) { return Json::parse(folder_.read(name)); }
  std::vector<Json> kernels(const Json& result) {
    std::vector<Json> rows;
    for (const auto& row : result.at("operations"))
      if (row.contains("kernel")) rows.push_back(row);
    return rows;
  }

  Folder folder_;
  Surroundings here_{folder_.path(), {}};
};

TEST_F(Compute, KernelsRunAndAreChecked) {
  const Outcome outcome = run("run -w w.yaml --ranks 2 --json r.json");
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_THAT(outcome.output, HasSubstr("add:float32:100000"));
  EXPECT_FALSE(outcome.left_behind);
  const Json result = json("r.json");
  const auto rows = kernels(result);
  ASSERT_EQ(rows.size(), 3U);
  double sum = 0;
  for (const auto& row : rows) {
    EXPECT_EQ(row.at("kind"), "compute");
    EXPECT_EQ(row.at("count"), 6);
    EXPECT_EQ(row.at("iterations"), 3);
    EXPECT_EQ(row.at("samples_s").size(), 3U);
    EXPECT_EQ(row.at("wrong"), 0);
    EXPECT_GT(row.at("time_s").get<double>(), 0);
    sum += row.at("time_s").get<double>();
  }
  EXPECT_EQ(rows[1].at("kernel"), "add:float32:100000");
  EXPECT_EQ(rows[1].at("flops"), 100'000);
  EXPECT_EQ(rows[1].at("memory_bytes"), 1'200'000);
  EXPECT_NEAR(result.at("summary").at("compute_s").get<double>(), sum, 1e-12);
  EXPECT_EQ(result.at("summary").at("exposed_communication_s"), 0);
}

TEST_F(Compute, AsleepEachTakesItsPredictedTime) {
  ASSERT_EQ(run("run -w w.yaml --ranks 2 --compute sleep -p p.yaml --json r.json").code, 0);
  const Json result = json("r.json");
  EXPECT_EQ(result.at("run").at("compute"), "sleep");
  EXPECT_EQ(result.at("profile").at("name"), "p");
  const auto rows = kernels(result);
  ASSERT_EQ(rows.size(), 3U);
  // 30 ms; 28 bytes of 5000 parameters at 7 MB/s are 20 ms. A sleep is never short, and on a busy machine somewhat
  // long.
  for (const std::size_t k : {0U, 1U, 2U}) {
    const double expected = k < 2 ? 0.03 : 0.02;
    EXPECT_GE(rows[k].at("min_s").get<double>(), expected) << rows[k];
    EXPECT_LT(rows[k].at("min_s").get<double>(), expected + 0.02) << rows[k];
    EXPECT_TRUE(rows[k].at("wrong").is_null());
  }
}

TEST_F(Compute, SleepingRanksAreChecked) {
  const Outcome outcome =
      run("check -t t.yaml -w w.yaml --backend tcp --ranks 4 --compute sleep -p p.yaml --tolerance 100% --json c.json "
          "--set profile.cores=1");
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  const Json comparison = json("c.json");
  ASSERT_EQ(comparison.at("rows").size(), 3U);
  // On nobody's processor: not four times as long, although all share one core.
  EXPECT_DOUBLE_EQ(comparison.at("rows")[0].at("predicted_s").get<double>(), 0.03);
  EXPECT_EQ(comparison.at("rows")[0].at("name"), "add:float32:1000");
  EXPECT_EQ(comparison.at("rows")[0].at("kind"), "compute");
  EXPECT_EQ(comparison.at("measured").at("run").at("compute"), "sleep");
}

TEST_F(Compute, PredictionsSayHowLongAndCount) {
  const Outcome outcome = run("simulate -t t.yaml -w w.yaml -p p.yaml --json s.json");
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  const Json result = json("s.json");
  EXPECT_DOUBLE_EQ(result.at("summary").at("compute_s").get<double>(), 0.08);
  EXPECT_DOUBLE_EQ(result.at("summary").at("step_time_s").get<double>(), 0.08);
  EXPECT_EQ(kernels(result).size(), 3U);
  ASSERT_EQ(run("run -w w.yaml --ranks 4 --compute sleep -p p.yaml --json r.json -q").code, 0);
  EXPECT_EQ(run("compare s.json r.json --tolerance 100%").code, 0);
}

TEST_F(Compute, MpirunsRanksSleepToo) {
  const Json found = Json::parse(lockstep({"doctor", "--json", "-"}).output).at("findings");
  for (const auto& finding : found)
    if (finding.at("name") == "MPI" && !finding.at("ok").get<bool>()) GTEST_SKIP() << "no MPI here";
  ASSERT_EQ(run("run -w w.yaml --ranks 2 --backend mpi --compute sleep -p p.yaml --json r.json").code, 0);
  EXPECT_GE(kernels(json("r.json")).at(0).at("min_s").get<double>(), 0.03);
}

TEST_F(Compute, WhatIsMissingIsNamed) {
  const auto error = [&](const std::string& line) {
    const Outcome outcome = run(line);
    EXPECT_EQ(outcome.code, 2) << line;
    EXPECT_EQ(outcome.output, "") << line;
    return outcome.errors;
  };
  EXPECT_EQ(
      error("simulate -t t.yaml -w w.yaml -q"),
      "error: the plan computes ('add:float32:1000'), and the profile 'ideal' does not say how fast add of float32 "
      "is: measure it with 'lockstep calibrate --backend cpu -o PROFILE', and name that with -p\n");
  EXPECT_EQ(error("run -w w.yaml --ranks 2 --compute sleep"),
            "error: --compute sleep: name the profile that says how long (-p PROFILE)\n");
  EXPECT_EQ(error("run -w w.yaml --ranks 2 -p p.yaml"),
            "error: -p: a measurement takes no profile, but for --compute sleep; 'check' predicts, too\n");
  EXPECT_EQ(error("run -w w.yaml --ranks 2 --compute slep -p p.yaml"),
            "error: unknown --compute 'slep'; did you mean 'sleep'? known: real, sleep\n");
  folder_.write("n.yaml", "name: n\ncollectives: [{kind: barrier}]\n");
  EXPECT_EQ(error("run -w n.yaml --ranks 2 --compute sleep -p p.yaml"),
            "error: --compute sleep: the workload has no kernels\n");
  EXPECT_EQ(error("run -w w.yaml --ranks 2 --set profile.cores=2"),
            "error: --set profile.cores=2: would have no effect; give --compute sleep and -p PROFILE\n");
  EXPECT_THAT(error("check -t t.yaml -w w.yaml --backend tcp"), HasSubstr("calibrate --backend cpu -o PROFILE"));
  EXPECT_EQ(error("calibrate --backend cpu --ranks 2 -o -"),
            "error: --backend cpu measures one core of this machine: remove -t and --ranks\n");
  EXPECT_EQ(error("calibrate --backend cpu --largest 1KiB -o -"), "error: --largest 1KiB: between 1MiB and 1GiB\n");
  EXPECT_EQ(error("explain -t t.yaml -w w.yaml"),
            "error: workload 'w' has no collectives: nothing is chosen there that could be explained\n");
}

TEST_F(Compute, AMachineWithoutOpenBlasSaysSo) {
  // What the dynamic linker finds first is no library.
  folder_.write("libopenblas.so.0", "no library");
  folder_.write("w.yaml", "name: w\nkernels: [{kernel: matmul, size: 8}]\n");
  here_.environment["LD_LIBRARY_PATH"] = folder_.path();
  for (const std::string line : {"run -w w.yaml --ranks 2", "calibrate --backend cpu -o - -q"}) {
    const Outcome outcome = run(line);
    EXPECT_EQ(outcome.code, 2) << outcome.errors;
    EXPECT_THAT(
        outcome.errors,
        HasSubstr("matmul needs OpenBLAS, and this machine has none: install the package libopenblas0-serial ("));
  }
  // What needs none goes on.
  folder_.write("w.yaml", "name: w\nkernels: [{kernel: add, elements: 8}]\n");
  EXPECT_EQ(run("run -w w.yaml --ranks 2").code, 0);
}

TEST_F(Compute, ShowsWhatAWorkloadComputes) {
  const Outcome outcome = run("workload show w.yaml");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.output, HasSubstr("add:float32:1000"));
  EXPECT_THAT(run("workload list").output, HasSubstr("rows x columns"));
  EXPECT_THAT(run("plan show -w w.yaml --ranks 2").output, HasSubstr("compute0: compute add:float32:1000"));
}

}  // namespace
}  // namespace lockstep::test
