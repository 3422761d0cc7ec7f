// Do workload files say what they mean, and are wrong ones refused with position and remedy?
#include <gtest/gtest.h>

#include <filesystem>

#include "core/base/error.hpp"
#include "core/workload/workload.hpp"
#include "tests/core/messages.hpp"

namespace lockstep {
namespace {

Workload read(const std::string& text) { return read_workload(config::parse_text(text, "w.yaml"), "w.yaml"); }
std::string error(const std::string& text) {
  return test::message_of<InputError>([&] { read(text); });
}

TEST(WorkloadReader, ReadsTheSweepOfTheDesign) {
  const Workload workload = load_workload(LOCKSTEP_SOURCE_DIR "/workloads/allreduce_sweep.yaml");
  EXPECT_EQ(workload.name, "allreduce_sweep");
  EXPECT_EQ(workload.sha256.size(), 64U);
  EXPECT_EQ(workload.iterations, 7);
  EXPECT_EQ(workload.warmup, 2);
  EXPECT_FALSE(workload.ranks);
  ASSERT_EQ(workload.collectives.size(), 1U);
  const auto& spec = workload.collectives[0];
  EXPECT_EQ(spec.kind, CollectiveKind::all_reduce);
  EXPECT_EQ(spec.algorithms, (std::vector<std::string>{"ring", "tree"}));
  EXPECT_EQ(spec.sizes, (std::vector<Bytes>{1_KiB, 4_KiB, 16_KiB, 64_KiB, 256_KiB, 1_MiB, 4_MiB, 16_MiB}));
  EXPECT_EQ(spec.type, ElementType::float32);
  EXPECT_EQ(spec.position.text(), std::string(LOCKSTEP_SOURCE_DIR) + "/workloads/allreduce_sweep.yaml:4:5");
}

std::string with_collective(const std::string& keys) { return "name: w\ncollectives:\n  - {" + keys + "}\n"; }

TEST(WorkloadReader, ReadsEveryFormOfSizes) {
  const auto sizes = [](const std::string& keys) {
    return read(with_collective("kind: all_reduce, " + keys)).collectives[0].sizes;
  };
  EXPECT_EQ(sizes("size: 3B"), (std::vector<Bytes>{3_B}));
  EXPECT_EQ(sizes("sizes: 3B"), (std::vector<Bytes>{3_B}));
  EXPECT_EQ(sizes("sizes: [0B, 1MiB]"), (std::vector<Bytes>{0_B, 1_MiB}));
  EXPECT_EQ(sizes("size: {from: 4B, to: 32B}"), (std::vector<Bytes>{4_B, 8_B, 16_B, 32_B}));
  EXPECT_EQ(sizes("sizes: {from: 3B, to: 100B, factor: 5}"), (std::vector<Bytes>{3_B, 15_B, 75_B}));
  EXPECT_EQ(sizes("sizes: {from: 3B, to: 3B, factor: 5}"), (std::vector<Bytes>{3_B}));
  EXPECT_EQ(sizes("sizes: {from: 1B, to: 9223372036854775807B}").size(), 63U);
}

TEST(WorkloadReader, ReadsEveryKey) {
  const Workload workload = read(
      "name: w\nranks: 5\ncollectives:\n"
      "  - {kind: reduce, algorithm: tree, size: 1KiB, type: bfloat16, reduction: avg, root: 4, channels: 2, chunk: "
      "64KiB, in_place: false}\n"
      "  - {kind: barrier}\n");
  EXPECT_EQ(workload.ranks, 5);
  EXPECT_EQ(workload.iterations, 5);
  EXPECT_EQ(workload.warmup, 1);
  const auto& spec = workload.collectives.at(0);
  EXPECT_EQ(spec.kind, CollectiveKind::reduce);
  EXPECT_EQ(spec.algorithms, (std::vector<std::string>{"tree"}));
  EXPECT_EQ(spec.type, ElementType::bfloat16);
  EXPECT_EQ(spec.reduction, Reduction::average);
  EXPECT_EQ(spec.root, 4);
  EXPECT_EQ(spec.channels, 2);
  EXPECT_EQ(spec.chunk, 64_KiB);
  EXPECT_FALSE(spec.in_place);
  EXPECT_EQ(workload.collectives.at(1).sizes, (std::vector<Bytes>{0_B}));
  EXPECT_TRUE(workload.collectives.at(1).algorithms.empty());
}

TEST(WorkloadReader, ReadsEveryFileOfTheFolder) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(LOCKSTEP_SOURCE_DIR "/workloads")) {
    if (entry.path().extension() != ".yaml") continue;
    EXPECT_EQ(load_workload(entry.path().string()).name, entry.path().stem().string());
    ++files;
  }
  EXPECT_GE(files, 3U);
  const auto all = load_workload(LOCKSTEP_SOURCE_DIR "/workloads/collectives_all.yaml");
  for (std::size_t kind = 0; kind < collective_kind_names().size(); ++kind)
    EXPECT_EQ(to_string(all.collectives.at(kind).kind), collective_kind_names()[kind]);
}

TEST(WorkloadReader, RefusesWithPositionAndRemedy) {
  EXPECT_EQ(error("name: w\n"), "w.yaml:1:1: a workload needs 'collectives', 'kernels' or 'loader'");
  EXPECT_EQ(error("name: w\ncollectives: []\n"), "w.yaml:2:14: needs at least 1 element");
  EXPECT_EQ(error("name: w\ncollectives: {kind: barrier}\n"), "w.yaml:2:14: expected a list, got a map");
  EXPECT_EQ(error("- 1\n"), "w.yaml:1:1: expected a map with the keys of a workload, got a list");
  EXPECT_EQ(error("name: 7\ncollectives: [{kind: barrier}]\n"),
            "w.yaml:1:7: expected text, got the number '7'; put it in quotes");
  EXPECT_EQ(
      error("name: w\nwarm_up: 1\ncollectives: [{kind: barrier}]\n"),
      "w.yaml:2:1: unknown workload key 'warm_up'; did you mean 'warmup'? known: name, collectives, kernels, loader, "
      "iterations, "
      "warmup, ranks, faults");
  EXPECT_EQ(error("name: w\niterations: 0\ncollectives: [{kind: barrier}]\n"),
            "w.yaml:2:13: must be between 1 and 1000000, is 0");
  EXPECT_EQ(error("name: w\niterations: 010\ncollectives: [{kind: barrier}]\n"),
            "w.yaml:2:13: '010' is not a plain decimal number (no leading zeros, no sign +, no 0x, no _)");
  EXPECT_EQ(error("name: w\niterations: 1.5\ncollectives: [{kind: barrier}]\n"),
            "w.yaml:2:13: expected a whole number, got '1.5'");
  EXPECT_EQ(error("name: w\niterations: \"5\"\ncollectives: [{kind: barrier}]\n"),
            "w.yaml:2:13: expected a whole number, got '5' in quotes");
  EXPECT_EQ(error("name: w\nranks:\ncollectives: [{kind: barrier}]\n"),
            "w.yaml:2:1: expected a whole number, got nothing");
  EXPECT_EQ(error(with_collective("kind: allreduce, size: 1B")),
            "w.yaml:3:12: unknown collective 'allreduce'; did you mean 'all_reduce'? known: all_reduce, all_gather, "
            "reduce_scatter, broadcast, "
            "reduce, all_to_all, barrier, send_recv, gather, scatter, all_to_all_v");
  EXPECT_EQ(error(with_collective("kind: all_reduce")),
            "w.yaml:3:5: all_reduce needs 'sizes': one size, a list, or a sweep {from, to, factor}");
  EXPECT_EQ(error(with_collective("kind: all_reduce, size: 1B, sizes: 2B")),
            "w.yaml:3:34: give 'size' or 'sizes', not both");
  EXPECT_EQ(error(with_collective("kind: barrier, sizes: 1B")), "w.yaml:3:21: a barrier moves no data; remove 'sizes'");
  EXPECT_EQ(error(with_collective("kind: broadcast, size: 1B, reduction: sum")),
            "w.yaml:3:33: broadcast does not combine data; remove 'reduction'");
  EXPECT_EQ(error(with_collective("kind: all_reduce, size: 1B, root: 1")),
            "w.yaml:3:34: all_reduce has no root; remove 'root' (broadcast, reduce, gather and scatter have one)");
  EXPECT_EQ(error(with_collective("kind: all_reduce, sizes: {from: 0B, to: 1B}")),
            "w.yaml:3:38: must be positive, is 0B");
  EXPECT_EQ(error(with_collective("kind: all_reduce, sizes: {from: 2B, to: 1B}")),
            "w.yaml:3:31: a sweep from 2B to 1B is empty; 'to' must not be below 'from'");
  EXPECT_EQ(error(with_collective("kind: all_reduce, sizes: {from: 1B, to: 2B, factor: 1}")),
            "w.yaml:3:58: must be between 2 and 1000000000, is 1");
  EXPECT_EQ(error(with_collective("kind: all_reduce, size: 1B, type: fp32")),
            "w.yaml:3:40: unknown element type 'fp32'; known: float32, float64, int32, bfloat16");
  EXPECT_EQ(error(with_collective("kind: all_reduce, size: 1B, in_place: yes")),
            "w.yaml:3:44: expected true or false, got 'yes'");
  EXPECT_EQ(error(with_collective("kind: all_reduce, size: 1B, algorithm: []")),
            "w.yaml:3:45: needs at least 1 element");
  EXPECT_EQ(error(with_collective("kind: all_reduce, size: 1B, channels: 65")),
            "w.yaml:3:44: must be between 1 and 64, is 65");
}

TEST(WorkloadReader, CountsDimensionsAndNodes) {
  const auto spec_of = [](const std::string& keys) {
    return read_workload(config::parse_text(with_collective(keys), "w.yaml"), "w.yaml").collectives.at(0);
  };
  const auto counts = spec_of("kind: all_to_all_v, counts: [[0, 1], [2, 3]]");
  EXPECT_EQ(counts.counts, (std::vector<std::vector<std::int64_t>>{{0, 1}, {2, 3}}));
  const auto skew = spec_of("kind: all_to_all_v, size: 1KiB, skew: {exponent: 0.5, seed: 7}").skew;
  EXPECT_EQ(skew->exponent, 0.5);
  EXPECT_EQ(skew->seed, 7);
  const auto shape = spec_of("kind: all_reduce, size: 1KiB, ranks_per_node: 8, dimensions: [4, 4]");
  EXPECT_EQ(shape.ranks_per_node, 8);
  EXPECT_EQ(shape.dimensions, (Dimensions{4, 4, 0}));
  EXPECT_EQ(
      error(with_collective("kind: all_to_all_v, size: 1B")),
      "w.yaml:3:5: all_to_all_v needs 'counts' (elements from every rank to every other one) or 'skew' with 'sizes'");
  EXPECT_EQ(error(with_collective("kind: all_to_all, size: 1B, skew: {}")),
            "w.yaml:3:34: all_to_all deals equal blocks; remove 'skew' (all_to_all_v has it)");
  EXPECT_EQ(error(with_collective("kind: all_to_all_v, counts: [[1, 2], [3]]")),
            "w.yaml:3:26: counts: a row of 1 in a matrix of 2 rows; it is square");
  EXPECT_EQ(error(with_collective("kind: all_to_all_v, size: 1B, counts: [[1]]")),
            "w.yaml:3:26: 'counts' says the sizes; remove 'size'");
  EXPECT_EQ(error(with_collective("kind: all_to_all_v, skew: {exponent: 1}")),
            "w.yaml:3:5: all_to_all_v needs 'sizes': one size, a list, or a sweep {from, to, factor}");
  EXPECT_EQ(error(with_collective("kind: all_reduce, size: 1B, dimensions: [1, 2, 3, 4]")),
            "w.yaml:3:46: a grid has three dimensions at most, not 4");
}

TEST(WorkloadPlan, RefusesShapesThatDoNotFit) {
  const auto refusal = [](const std::string& keys, int ranks, const GroupShape& shape = {}) -> std::string {
    try {
      plan_workload(read_workload(config::parse_text(with_collective(keys), "w.yaml"), "w.yaml"), ranks, shape);
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  };
  const std::string hierarchical = "kind: all_reduce, size: 1KiB, algorithm: hierarchical";
  EXPECT_EQ(
      refusal(hierarchical, 8),
      "w.yaml:3:5: hierarchical: how many ranks share a node? Give ranks_per_node, or a topology whose nodes have "
      "equally many");
  EXPECT_EQ(refusal(hierarchical, 8, {4}), "");
  EXPECT_EQ(refusal(hierarchical + ", ranks_per_node: 3", 8),
            "w.yaml:3:5: hierarchical: ranks_per_node: 3 does not divide the 8 ranks of the group");
  EXPECT_EQ(refusal("kind: all_reduce, size: 1KiB, algorithm: torus, dimensions: [4, 3]", 16),
            "w.yaml:3:5: torus: dimensions: 4 x 3 are 12 ranks, the group has 16");
  EXPECT_EQ(refusal("kind: all_to_all_v, counts: [[1, 2], [3, 4]]", 4),
            "w.yaml:3:5: counts: a matrix for 2 ranks, and there are 4");
  EXPECT_EQ(refusal("kind: all_reduce, size: 1KiB, algorithm: 'file:none.yaml'", 4), "none.yaml: no such file");
}

TEST(WorkloadReader, ReportsEveryErrorInOneGo) {
  EXPECT_EQ(error("name: w\niteration: 3\ncollectives:\n  - {kind: ring, size: 5}\n  - {size: 1B}\nwarmup: -1\n"),
            "w.yaml:2:1: unknown workload key 'iteration'; did you mean 'iterations'? known: name, collectives, "
            "kernels, loader, "
            "iterations, warmup, ranks, faults\n"
            "w.yaml:4:12: unknown collective 'ring'; known: all_reduce, all_gather, reduce_scatter, broadcast, reduce, "
            "all_to_all, barrier, "
            "send_recv, gather, scatter, all_to_all_v\n"
            "w.yaml:4:24: '5' has no unit; a size takes B, kB, MB, GB or TB (powers of 1000), KiB, MiB, GiB or TiB "
            "(powers of 1024)\n"
            "w.yaml:5:5: the collective lacks the key 'kind'\n"
            "w.yaml:6:9: must be between 0 and 1000000, is -1");
}

TEST(WorkloadReader, BoundsTheNumberOfRows) {
  std::string sizes = "1B";
  for (int i = 0; i < 10'000; ++i) sizes += ", 1B";
  EXPECT_EQ(error(with_collective("kind: all_reduce, sizes: [" + sizes + "]")),
            "w.yaml:1:1: more than 10000 rows (algorithms times sizes, over all collectives)");
}

}  // namespace
}  // namespace lockstep
