// Does every command explain itself, and do the options that all commands share do
// what they say?
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/command.hpp"

namespace lockstep::test {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* topology = "name: star\ngenerate: {star: {hosts: 4, link: {bandwidth: 1Gbps, latency: 50us}}}\n";
constexpr const char* workload =
    "name: small\ncollectives:\n  - {kind: all_reduce, algorithm: [ring, tree], sizes: [4KiB, 1MiB]}\niterations: 2\n";
constexpr const char* simulate = "simulate -t t.yaml -w w.yaml";

/// A folder with a topology t.yaml and a workload w.yaml.
class Commands : public testing::Test {
 protected:
  Commands() {
    folder_.write("t.yaml", topology);
    folder_.write("w.yaml", workload);
  }
  [[nodiscard]] Outcome run(const std::string& line) const { return lockstep_line(line, {folder_.path(), {}}); }
  /// The result of `simulate` with further options.
  [[nodiscard]] Json simulated(const std::string& options) const {
    const Outcome outcome = run(std::string(simulate) + " -q --json - " + options);
    EXPECT_EQ(outcome.code, 0) << options << ": " << outcome.errors;
    return Json::parse(outcome.output, nullptr, false);
  }
  /// The time of one of its rows.
  [[nodiscard]] double time_s(const std::string& options, std::size_t row = 0) const {
    return simulated(options)["collectives"][row]["time_s"].get<double>();
  }
  const Folder folder_;
};

TEST_F(Commands, HelpShowsAnExample) {
  const auto names = command_names();
  ASSERT_THAT(names, testing::IsSupersetOf({"simulate", "run", "compare", "topology", "workload", "plan", "lab"}));
  for (const auto& name : names) {
    const Outcome help = lockstep_line(name + " --help");
    EXPECT_EQ(help.code, 0) << name;
    EXPECT_EQ(help.errors, "") << name;
    EXPECT_THAT(example_of(help.output), StartsWith(name)) << help.output;
  }
}

TEST_F(Commands, WhatIsUnknownHasANearestName) {
  const Outcome outcome = run("simulat -t t.yaml");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.output, "");
  EXPECT_THAT(outcome.errors, StartsWith("error: unknown command 'simulat'; did you mean 'simulate'? known: check, "));
}

TEST_F(Commands, TheProgramSaysWhatItIs) {
  const Outcome version = run("--version");
  EXPECT_EQ(version.code, 0);
  EXPECT_THAT(version.output, testing::MatchesRegex("lockstep [0-9]+\\.[0-9]+\\.[0-9]+\n"));
  const Outcome nothing = run("");
  EXPECT_EQ(nothing.code, 0);
  EXPECT_EQ(nothing.output, run("--help").output);
}

TEST_F(Commands, JsonOnStandardOutputStandsAlone) {
  ASSERT_EQ(run(std::string(simulate) + " -q --json p.json").code, 0);
  const std::vector<std::pair<std::string, std::string>> lines{
      {std::string(simulate) + " --json -", "schema"},
      {"run -w w.yaml --ranks 2 --json -", "schema"},
      {"compare p.json p.json --json -", "schema"},
      {"topology show t.yaml --route 0 3 --json -", "route"},
      {"plan show -w w.yaml --ranks 3 --json -", "ranks"},
      {"doctor --json -", "findings"},
      {"schema topology", "$schema"},
  };
  for (const auto& [line, key] : lines) {
    const Outcome outcome = run(line);
    EXPECT_EQ(outcome.code, 0) << line << "\n" << outcome.errors;
    const Json json = Json::parse(outcome.output, nullptr, false);
    ASSERT_TRUE(json.is_object()) << line << "\n" << outcome.output;
    EXPECT_TRUE(json.contains(key)) << line << "\n" << outcome.output;
    EXPECT_EQ(outcome.output.back(), '\n') << line;
  }
}

TEST_F(Commands, ResultFilesHoldWhatIsPrinted) {
  const Outcome outcome = run(std::string(simulate) + " --json r.json --trace trace.json");
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_THAT(outcome.output, StartsWith("# simulation of small on star, 4 ranks"));
  EXPECT_EQ(outcome.errors,
            "note: profile 'ideal': no software overhead, no headers, free reduction; -p PROFILE for a measured one\n");
  const Json result = Json::parse(folder_.read("r.json"));
  EXPECT_EQ(result["collectives"].size(), 4U);
  EXPECT_EQ(result["run"]["command"],
            LOCKSTEP_BINARY + std::string(" ") + simulate + " --json r.json --trace trace.json");
  EXPECT_THAT(result["run"]["date"].get<std::string>(),
              testing::MatchesRegex("20[0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]Z"));
  EXPECT_GT(result["run"]["wall_clock_s"].get<double>(), 0);
  const Json trace = Json::parse(folder_.read("trace.json"));
  ASSERT_TRUE(trace["traceEvents"].is_array());
  EXPECT_GT(trace["traceEvents"].size(), 16U) << "4 ranks have 4 operations each";
  ASSERT_EQ(run("run -w w.yaml --ranks 2 --trace measured.json").code, 0);
  EXPECT_GT(Json::parse(folder_.read("measured.json"))["traceEvents"].size(), 8U);
}

TEST_F(Commands, TheSameInputGivesTheSameBytes) {
  Json first = simulated("");
  Json second = simulated("");
  EXPECT_NE(first["run"], nullptr);
  first.erase("run");
  second.erase("run");
  EXPECT_EQ(first.dump(), second.dump());
}

TEST_F(Commands, SetReachesEveryFile) {
  const double usual = time_s("", 1);  // 1 MiB by ring
  EXPECT_GT(time_s("--set topology.generate.star.link.bandwidth=500Mbps", 1), 1.5 * usual);
  EXPECT_LT(time_s("--set topology.generate.star.link.bandwidth=2Gbps", 1), usual);
  EXPECT_GT(time_s("--set topology.generate.star.link.latency=500us", 1), usual);
  EXPECT_LT(time_s("--set topology.generate.star.link.latency=1us", 1), usual);
  EXPECT_GT(time_s("--set profile.tcp.overhead=100us", 1), usual);
  EXPECT_GT(time_s("--set profile.tcp.latency=100us", 1), usual);
  EXPECT_GT(time_s("--set workload.collectives.0.sizes=[4KiB,2MiB]", 1), 1.5 * usual);
  EXPECT_EQ(simulated("--set topology.generate.star.hosts=6")["ranks"], 6);
  EXPECT_EQ(simulated("--set topology.name=other")["topology"]["name"], "other");
  const Json twice = simulated("--set workload.name=first --set workload.name=second");
  EXPECT_EQ(twice["workload"]["name"], "second") << "the last one counts";
  EXPECT_NE(twice["workload"]["sha256"], simulated("")["workload"]["sha256"]);
}

TEST_F(Commands, OptionsDoWhatTheySay) {
  EXPECT_EQ(simulated("--ranks 3")["ranks"], 3);
  EXPECT_EQ(simulated("--seed 7")["seed"], 7);
  EXPECT_EQ(simulated("--fidelity analytic")["fidelity"], "analytic");
  EXPECT_EQ(run(std::string(simulate) + " -q").errors, "");
  EXPECT_THAT(run(std::string(simulate) + " -v").errors, HasSubstr("note: 4 ranks, plan hash "));
  EXPECT_THAT(run("topology show t.yaml --dot").output, StartsWith("graph"));
  EXPECT_THAT(run("topology list").output, HasSubstr("leaf_spine"));
  EXPECT_THAT(run("workload list").output, HasSubstr("halving_doubling"));
  EXPECT_THAT(run("workload show w.yaml").output, StartsWith("workload 'small': 2 iterations after 1 of warm-up\n"));
  EXPECT_THAT(run("plan validate -w w.yaml --ranks 5").output, StartsWith("valid; interpreted: "));
  const Outcome own = run("plan validate " LOCKSTEP_SOURCE_DIR "/algorithms/ring.yaml --ranks 3");
  EXPECT_THAT(own.output,
              HasSubstr("ring.yaml: all_reduce of 3 ranks in 3 chunks, 4 rounds\nvalid; interpreted: 12 mes"));
  EXPECT_THAT(own.output, HasSubstr(", 0 wrong elements\n"));
  ASSERT_EQ(run(std::string(simulate) + " -q --detail steps --trace steps.json").code, 0);
  ASSERT_EQ(run(std::string(simulate) + " -q --trace whole.json").code, 0);
  EXPECT_GT(folder_.read("steps.json").size(), 2 * folder_.read("whole.json").size());
}

TEST_F(Commands, ComparisonsEndByTheirTolerance) {
  ASSERT_EQ(run(std::string(simulate) + " -q --json p.json").code, 0);
  ASSERT_EQ(run(std::string(simulate) + " -q --json m.json --set topology.generate.star.link.bandwidth=900Mbps").code,
            0);
  const Outcome near = run("compare p.json m.json --tolerance 20% --report page.html");
  EXPECT_EQ(near.code, 0) << near.output;
  EXPECT_THAT(folder_.read("page.html"), HasSubstr("all_reduce"));
  EXPECT_EQ(run("compare p.json m.json --tolerance 0.1%").code, 1);
  EXPECT_EQ(run("compare p.json m.json --tolerance 20% --row-tolerance 0.1%").code, 1);
  EXPECT_EQ(run("compare p.json p.json --tolerance 0%").code, 0);
}

TEST_F(Commands, TwoRanksStartedByALauncherMeasureTogether) {
  folder_.write("one.yaml", "name: one\ncollectives: [{kind: all_reduce, size: 4KiB}]\n");
  const auto rank = [&](int number) {
    return Surroundings{folder_.path(),
                        {{"RANK", std::to_string(number)},
                         {"WORLD_SIZE", "2"},
                         {"MASTER_ADDR", "127.0.0.1"},
                         {"MASTER_PORT", std::to_string(free_port())}}};
  };
  Surroundings zero = rank(0);
  Surroundings one = rank(1);
  one.environment["MASTER_PORT"] = zero.environment["MASTER_PORT"];
  const auto measure = command(words("run -w one.yaml --json r.json"));
  Process second(measure, one);
  Process first(measure, zero);
  const Outcome told = first.wait();
  const Outcome silent = second.wait();
  EXPECT_EQ(told.code, 0) << told.errors;
  EXPECT_EQ(silent.code, 0) << silent.errors;
  EXPECT_EQ(silent.output + silent.errors, "") << "one rank speaks for the job";
  EXPECT_THAT(told.output, StartsWith("# measurement of one, 2 ranks"));
  const Json result = Json::parse(folder_.read("r.json"));
  EXPECT_EQ(result["collectives"][0]["wrong"], 0);
}

}  // namespace
}  // namespace lockstep::test
