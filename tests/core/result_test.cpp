// Do result files say what DESIGN section 6 fixes, come back the same, and name the place when they are wrong?
#include "core/timeline/result.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "core/base/error.hpp"
#include "core/base/json.hpp"

namespace lockstep {
namespace {

const std::string golden_path = std::string(LOCKSTEP_SOURCE_DIR) + "/tests/data/results/measurement.json";

Result example() {
  Result result;
  result.kind = Result::Kind::measurement;
  result.run = Json{{"command", "lockstep run"}, {"version", "0.1.0"}, {"wall_clock_s", 1.5}};
  result.topology = {.name = "lab_star4", .file = "topologies/lab_star4.yaml", .sha256 = std::string(64, 'a')};
  result.workload = {
      .name = "allreduce_sweep", .file = "workloads/allreduce_sweep.yaml", .sha256 = std::string(64, 'b')};
  result.profile = {.name = "ideal", .file = std::nullopt, .sha256 = std::nullopt};
  result.ranks = 4;
  result.backend = "lab";
  result.seed = 18446744073709551615ULL;
  result.summary.rank = 2;
  result.summary.step_time_s = 0.25;
  result.summary.exposed_communication_s = 0.25;
  result.summary.exposed_communication_by_kind_s = {{"all_reduce", 0.25}};
  result.summary.per_rank_min_s = 0.125;
  result.summary.per_rank_mean_s = 0.1875;
  result.summary.per_rank_max_s = 0.25;
  CollectiveRow row;
  row.kind = CollectiveKind::all_reduce;
  row.algorithm = "ring";
  row.ranks = 4;
  row.size_bytes = 1 << 20;
  row.time_s = 0.03125;
  row.min_s = 0.03;
  row.p95_s = 0.035;
  row.iterations = 3;
  row.wrong = 0;
  row.reduction = "sum";
  row.cpu_limited = false;
  row.cpu_load = 0.5;
  row.samples_s = {0.03, 0.03125, 0.035};
  result.collectives.push_back(row);
  CollectiveRow bare;
  bare.kind = CollectiveKind::barrier;
  bare.algorithm = "dissemination";
  bare.ranks = 4;
  result.collectives.push_back(bare);
  result.operations.push_back({.role = "all",
                               .stream = "main",
                               .name = "all_reduce.0",
                               .kind = "collective",
                               .count = 12,
                               .mean_s = 0.03,
                               .min_s = 0.02,
                               .max_s = 0.04,
                               .first_start_s = 0.001});
  result.as_built = Json{{"links", Json::array({Json{{"name", "h0-s0"}, {"rate_Gbps", 1.0}}})}};
  result.notes = {"the profile 'ideal' was used"};
  return result;
}

// The file is what we promise to others: refresh it with LOCKSTEP_REFRESH_GOLDEN=1 and read the difference.
TEST(Result, GoldenFile) {
  const std::string text = to_json(example()).dump(2) + "\n";
  if (std::getenv("LOCKSTEP_REFRESH_GOLDEN") != nullptr) {
    std::filesystem::create_directories(std::filesystem::path(golden_path).parent_path());
    std::ofstream(golden_path) << text;
  }
  EXPECT_EQ(read_text_file(golden_path), text);
  EXPECT_EQ(to_json(load_result(golden_path)), to_json(example()));
}

TEST(Result, EveryKeyOfTheContractIsThereAndNullWhereItDoesNotApply) {
  const Json json = to_json(Result{});
  std::vector<std::string> keys;
  for (const auto& item : json.items()) keys.push_back(item.key());
  EXPECT_EQ(keys, (std::vector<std::string>{"schema", "kind", "run", "topology", "workload", "profile", "ranks",
                                            "backend", "fidelity", "seed", "summary", "collectives", "operations",
                                            "network", "loader", "as_built", "warnings", "notes"}));
  EXPECT_EQ(json["schema"], "lockstep.result/1");
  for (const char* key : {"topology", "backend", "fidelity", "network", "loader", "as_built"})
    EXPECT_TRUE(json[key].is_null()) << key;
  for (const char* key : {"tokens_per_s_per_gpu", "tflops_per_gpu", "mfu", "peak_memory_bytes", "fits_in_memory"})
    EXPECT_TRUE(json["summary"].at(key).is_null()) << key;
  const Json row = to_json(example())["collectives"][1];
  for (const char* key : {"protocol", "min_s", "p5_s", "p95_s", "throughput", "iterations", "wrong", "algbw_GBps",
                          "busbw_GBps", "samples_s", "cpu_limited"})
    EXPECT_TRUE(row.at(key).is_null()) << key;
}

TEST(Result, BandwidthsAreThoseOfNcclTests) {
  const Json row = to_json(example())["collectives"][0];
  const double algbw = 1048576 / 0.03125 * 1e-9;
  EXPECT_NEAR(row["algbw_GBps"].get<double>(), algbw, 1e-15);
  EXPECT_NEAR(row["busbw_GBps"].get<double>(), algbw * 2 * 3 / 4, 1e-15);
}

double arbitrary_seconds() {
  return *rc::gen::map(rc::gen::inRange<std::int64_t>(0, 1'000'000'000'000),
                       [](auto n) { return static_cast<double>(n) / 3e9; });
}

std::optional<double> arbitrary_optional() {
  return *rc::gen::arbitrary<bool>() ? std::optional(arbitrary_seconds()) : std::nullopt;
}

std::string arbitrary_name() { return *rc::gen::nonEmpty(rc::gen::string<std::string>()); }

// Any text is allowed in memory, but JSON carries UTF-8 only.
std::string arbitrary_text() {
  std::string text;
  for (const char c : arbitrary_name()) text += static_cast<char>(' ' + static_cast<unsigned char>(c) % 95);
  return text;
}

TEST(Result, RoundTrip) {
  EXPECT_TRUE(rc::check("a result survives its file", [] {
    Result result = example();
    result.kind = *rc::gen::arbitrary<bool>() ? Result::Kind::simulation : Result::Kind::measurement;
    result.ranks = *rc::gen::inRange(0, 100000);
    result.seed = *rc::gen::arbitrary<std::uint64_t>();
    result.topology.name = arbitrary_text();
    result.warnings = {arbitrary_text()};
    result.notes = {arbitrary_text(), arbitrary_text()};
    result.summary.mfu = arbitrary_optional();
    result.summary.compute_s = arbitrary_seconds();
    result.collectives.clear();
    const int rows = *rc::gen::inRange(0, 5);
    for (int i = 0; i < rows; ++i) {
      CollectiveRow row;
      row.kind = static_cast<CollectiveKind>(*rc::gen::inRange(0, 8));
      row.algorithm = *rc::gen::arbitrary<bool>() ? "" : arbitrary_text();
      row.ranks = *rc::gen::inRange(1, 4097);
      row.size_bytes = *rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << 40);
      row.time_s = arbitrary_seconds();
      row.min_s = arbitrary_optional();
      row.p5_s = arbitrary_optional();
      row.p95_s = arbitrary_optional();
      if (*rc::gen::arbitrary<bool>()) row.throughput = *rc::gen::arbitrary<bool>();
      row.cpu_load = arbitrary_optional();
      const int samples = *rc::gen::inRange(0, 4);
      for (int s = 0; s < samples; ++s) row.samples_s.push_back(arbitrary_seconds());
      result.collectives.push_back(row);
    }
    const std::string text = to_json(result).dump();
    const Result back = result_from_json(parse_json(text, "x.json"), "x.json");
    RC_ASSERT(to_json(back).dump() == text);
    RC_ASSERT(back.seed == result.seed);
    RC_ASSERT(back.collectives.size() == result.collectives.size());
    for (std::size_t i = 0; i < back.collectives.size(); ++i) {
      RC_ASSERT(back.collectives[i].time_s == result.collectives[i].time_s);
      RC_ASSERT(back.collectives[i].algorithm == result.collectives[i].algorithm);
      RC_ASSERT(back.collectives[i].samples_s == result.collectives[i].samples_s);
    }
  }));
}

std::string message_of(const std::string& text) {
  try {
    result_from_json(parse_json(text, "m.json"), "m.json");
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

/// The example with one value replaced.
std::string with(const std::string& pointer, const Json& value) {
  Json json = to_json(example());
  json[Json::json_pointer(pointer)] = value;
  return json.dump();
}

TEST(Result, WrongFilesNameThePlace) {
  EXPECT_EQ(message_of(with("/collectives/0/time_s", "fast")),
            "m.json: collectives[0].time_s: expected a number of seconds, at least 0, found \"fast\"");
  EXPECT_EQ(message_of(with("/collectives/0/time_s", -1)),
            "m.json: collectives[0].time_s: expected a number of seconds, at least 0, found -1");
  EXPECT_EQ(message_of(with("/collectives/1/kind", "allreduce")),
            "m.json: collectives[1].kind: unknown collective kind 'allreduce'; did you mean 'all_reduce'? known: "
            "all_reduce, all_gather, "
            "reduce_scatter, broadcast, reduce, all_to_all, barrier, send_recv, gather, scatter, all_to_all_v");
  EXPECT_EQ(message_of(with("/collectives/0/ranks", 2.5)),
            "m.json: collectives[0].ranks: expected a whole number in 1..2147483647, found 2.5");
  EXPECT_EQ(message_of(with("/collectives", 3)), "m.json: collectives: expected an array, found 3");
  EXPECT_EQ(message_of(with("/collectives/0", Json::array())),
            "m.json: collectives[0]: expected an object, found an array");
  EXPECT_EQ(message_of(with("/summary/fits_in_memory", "maybe")),
            "m.json: summary.fits_in_memory: unknown answer 'maybe'; known: yes, tight, no");
  EXPECT_EQ(message_of(with("/seed", -1)), "m.json: seed: expected a whole number of at least 0, found -1");
  EXPECT_EQ(message_of(with("/schema", "lockstep.result/2")),
            "m.json: schema: 'lockstep.result/2' was written by a newer Lockstep; this one reads 'lockstep.result/1'");
  EXPECT_EQ(message_of(with("/schema", "other/1")),
            "m.json: schema: 'other/1' is no result of Lockstep; expected 'lockstep.result/1'");
  EXPECT_EQ(message_of(with("/schema", "lockstep.comparison/1")),
            "m.json: schema: this is a comparison ('lockstep.comparison/1'), but a result ('lockstep.result/1') was "
            "expected");
  EXPECT_EQ(message_of("{}"), "m.json: the key 'schema' is missing");
  EXPECT_EQ(message_of("[]"), "m.json: expected an object, found an array");
  Json misspelt = to_json(example());
  misspelt["collectives"][0].erase("time_s");
  misspelt["collectives"][0]["times_s"] = 1;
  EXPECT_EQ(message_of(misspelt.dump()),
            "m.json: collectives[0]: the key 'time_s' is missing; is 'times_s' meant to be it?");
}

TEST(Result, BrokenJsonHasLineAndColumn) {
  EXPECT_EQ(message_of("{\n  \"schema\": \"lockstep.result/1\",\n  \"kind\" 3}"),
            "m.json:3:10: not valid JSON: syntax error while parsing object separator - unexpected number literal; "
            "expected ':'");
  EXPECT_EQ(message_of("{\"schema\": 1, \"schema\": 2}"), "m.json: the key 'schema' stands twice in one object");
  EXPECT_EQ(message_of(std::string(100, '[')), "m.json: nested deeper than 64 levels");
  EXPECT_NE(message_of("{\"schema\": 1e999}").find("m.json"), std::string::npos);
}

TEST(Result, MissingFilesAndFolders) {
  const auto message = [](const std::string& path) {
    try {
      load_result(path);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(message("no/such.json"), "no/such.json: no such file");
  EXPECT_EQ(message(LOCKSTEP_SOURCE_DIR), std::string(LOCKSTEP_SOURCE_DIR) + ": is a directory");
}

TEST(Result, TableHasUnitsAndBusBandwidth) {
  const std::string table = result_table(example());
  EXPECT_NE(table.find("# measurement of allreduce_sweep on lab_star4, 4 ranks, backend lab, profile ideal\n"),
            std::string::npos)
      << table;
  EXPECT_NE(table.find("size (B)"), std::string::npos);
  EXPECT_NE(table.find("time (us)"), std::string::npos);
  EXPECT_NE(table.find("busbw (GB/s)"), std::string::npos);
  EXPECT_NE(table.find("31250.00"), std::string::npos);
  EXPECT_NE(table.find("0.050"), std::string::npos);  // 1 MiB / 31.25 ms * 1.5
  EXPECT_NE(table.find("# the profile 'ideal' was used\n"), std::string::npos);
}

}  // namespace
}  // namespace lockstep
