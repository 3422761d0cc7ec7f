// Do simulate, dataset, run and check take a data loader as its page says?
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/cli/command.hpp"

namespace lockstep::test {
namespace {

using testing::HasSubstr;

const std::string star = LOCKSTEP_SOURCE_DIR "/topologies/lab_star4.yaml";
const std::string workloads = LOCKSTEP_SOURCE_DIR "/workloads/";

TEST(LoaderCommands, SimulateGivesTheKeysOfTheContract) {
  const auto outcome = lockstep_line("simulate -t " + star + " --ranks 1 -q --json - -w " + workloads +
                                     "imagenet_like.yaml --set workload.loader.dataset.samples=100000");
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  const auto json = nlohmann::json::parse(outcome.output);
  EXPECT_EQ(json["kind"], "simulation");
  const auto& summary = json["summary"];
  EXPECT_NEAR(summary["step_time_s"].get<double>(),
              summary["compute_s"].get<double>() + summary["loader_stall_s"].get<double>() +
                  summary["exposed_communication_s"].get<double>() + summary["other_s"].get<double>(),
              1e-9);
  EXPECT_NEAR(summary["compute_s"].get<double>(), 0.04, 1e-9);
  EXPECT_GT(summary["loader_stall_s"].get<double>(), 0);
  EXPECT_EQ(json["loader"]["samples"], 100000);
  for (const char* key : {"samples_per_s", "accelerator_utilisation", "stall_by_cause_s", "queue_depth",
                          "cache_hit_ratio", "epochs", "troubles"})
    EXPECT_TRUE(json["loader"].contains(key)) << key;
  const auto again = lockstep_line("simulate -t " + star + " --ranks 1 -q --json - -w " + workloads +
                                   "imagenet_like.yaml --set workload.loader.dataset.samples=100000");
  auto second = nlohmann::json::parse(again.output);
  second["run"] = json["run"];
  EXPECT_EQ(second, json);
}

TEST(LoaderCommands, EveryLoaderWorkloadIsSimulated) {
  int found = 0;
  for (const auto& entry : std::filesystem::directory_iterator(workloads)) {
    const std::string path = entry.path().string();
    if (path.find("mlperf_") == std::string::npos && path.find("_like") == std::string::npos) continue;
    ++found;
    const auto outcome =
        lockstep_line(fmt::format("simulate -t {} -q -w {} --set workload.loader.consumer.steps=50", star, path));
    EXPECT_EQ(outcome.code, 0) << path << outcome.errors;
    EXPECT_THAT(outcome.output, HasSubstr("50 steps of 4 ranks"));
  }
  EXPECT_EQ(found, 8);
}

TEST(LoaderCommands, CopiesAndCollectivesMeetOnTheWayToTheGpu) {
  const Folder folder;
  folder.write(
      "w.yaml",
      "name: w\nloader:\n  dataset: {samples: 4000, size: 64MB}\n  storage: {kind: memory}\n  readers: {workers: 4, "
      "cores: 64}\n  batch: {size: 8}\n  consumer: {think: 1ms, steps: 50}\n");
  const auto step_s = [&](const std::string& topology, const std::string& more) {
    const auto outcome = lockstep(words("simulate -q -t " LOCKSTEP_SOURCE_DIR "/topologies/" + topology +
                                        ".yaml -w w.yaml --ranks 4 " + more + " --json -"),
                                  {folder.path(), {}});
    EXPECT_EQ(outcome.code, 0) << outcome.errors;
    const auto loader = nlohmann::json::parse(outcome.output).at("loader");
    return loader.at("time_s").get<double>() / loader.at("steps").get<double>();
  };
  const std::string copy = "--set workload.loader.batch.staging=pageable ";
  const std::string reduce = "--set workload.loader.consumer.all_reduce=512MB ";
  // Batches of 512 MB over PCIe at 28.2 GB/s; nothing else connects the GPUs of this box.
  const double copies = step_s("pcie_cluster_16", copy);
  EXPECT_NEAR(copies, 512e6 / 28.2e9, 0.02 * copies);
  const double collectives = step_s("pcie_cluster_16", reduce);
  EXPECT_GT(collectives, 1.4 * copies);
  const double both = copies + collectives;
  EXPECT_NEAR(step_s("pcie_cluster_16", copy + reduce), both, 0.03 * both);
  // Collectives by NVLink are in nobody's way.
  EXPECT_NEAR(step_s("h100_node", copy + reduce), step_s("h100_node", copy), 0.01 * copies);
}

TEST(LoaderCommands, ADatasetIsMadeRunAndChecked) {
  const Folder folder;
  const std::string files = folder.path() + "/data";
  const std::string workload = " -w " + workloads + "loader_quick.yaml";
  auto outcome = lockstep_line("dataset make " + files + workload);
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_THAT(outcome.output, HasSubstr("400 samples in 400 files"));
  EXPECT_THAT(lockstep_line("dataset make " + files + workload).output, HasSubstr("is there already"));
  outcome = lockstep_line("dataset make " + files + workload + " --set workload.loader.dataset.seed=2");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.errors, HasSubstr("its 'seed' differs"));
  outcome = lockstep_line("run --set workload.loader.cache.start=warm --json - --dataset " + files + workload);
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  const auto json = nlohmann::json::parse(outcome.output);
  EXPECT_EQ(json["kind"], "measurement");
  EXPECT_EQ(json["loader"]["samples"], 800);
  EXPECT_EQ(json["loader"]["wrong"], 0);
  outcome = lockstep_line("check -t " + star + " --tolerance 1000% --set workload.loader.cache.start=warm --dataset " +
                          files + workload);
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_THAT(outcome.output, HasSubstr("# measured"));
}

TEST(LoaderCommands, ShowSaysWhatTheConsumerAsksFor) {
  const auto outcome = lockstep_line("workload show " + workloads + "mlperf_unet3d_h100.yaml");
  EXPECT_EQ(outcome.code, 0);
  // 7 samples of 146.6 MB every 0.323 s.
  EXPECT_THAT(outcome.output, HasSubstr("takes 21.7 samples/s, 3.177 GB/s"));
}

TEST(LoaderCommands, ExplainNamesTheWorkersThatHelp) {
  const auto outcome = lockstep_line("explain --json - -w " + workloads + "imagenet_like.yaml");
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  const auto json = nlohmann::json::parse(outcome.output);
  EXPECT_EQ(json["schema"], "lockstep.explanation/1");
  EXPECT_EQ(json["bound"], "decode");
  EXPECT_THAT(json["verdict"].get<std::string>(), HasSubstr("decode bound: 10 workers on 10 cores instead of 8"));
}

TEST(LoaderCommands, WrongUseIsRefused) {
  const std::string workload = " -w " + workloads + "loader_quick.yaml";
  auto outcome = lockstep_line("run" + workload);
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.errors, HasSubstr("where are the files? Name the folder with --dataset"));
  outcome = lockstep_line("run --dataset /nowhere" + workload);
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.errors, HasSubstr("/nowhere/manifest.json: no such file"));
  outcome = lockstep_line("plan show --ranks 2" + workload);
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.errors, HasSubstr("a data loader is no list of collectives"));
  for (const auto& [line, error] :
       {std::pair<std::string, std::string>{"run --backend ucx", "backend 'ucx' runs no data loader: tcp reads"},
        {"run --pin", "--pin: the processes of a data loader stay on no core"},
        {"run --timeout 5s", "the workload's 'policy'"},
        {"check -t topologies/lab_star4.yaml --transport mpi",
         "--transport mpi: the hosts of a data loader use sockets"}}) {
    outcome = lockstep(words(line + workload), {LOCKSTEP_SOURCE_DIR, {}});
    EXPECT_EQ(outcome.code, 2) << line;
    EXPECT_THAT(outcome.errors, HasSubstr(error)) << line;
  }
  const Folder folder;
  folder.write(
      "t.yaml",
      "name: t\ngenerate: {star: {hosts: 2, link: {bandwidth: 1Gbps, latency: 1us}}}\nfaults: [{rank: 0, slow: 2}]\n");
  for (const char* line : {"simulate -t t.yaml", "check -t t.yaml", "run --backend lab -t t.yaml"}) {
    outcome = lockstep(words(line + workload), {folder.path(), {}});
    EXPECT_EQ(outcome.code, 2) << line;
    EXPECT_THAT(outcome.errors, HasSubstr("have no effect on a data loader: remove them")) << line;
  }
  outcome = lockstep_line("dataset make /tmp/x -w " + workloads + "quickstart.yaml");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.errors, HasSubstr("has no section 'loader'"));
}

}  // namespace
}  // namespace lockstep::test
