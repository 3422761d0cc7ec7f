// When a run fails, does every rank end soon, with a message that says why and what would help, and is nothing left?
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "tests/cli/command.hpp"

namespace lockstep::test {
namespace {

using namespace std::chrono_literals;
using testing::MatchesRegex;

constexpr const char* star = "name: star\ngenerate: {star: {hosts: 4, link: {bandwidth: 1Gbps, latency: 50us}}}\n";
constexpr const char* small = "name: small\ncollectives: [{kind: all_reduce, size: 4KiB}]\n";
constexpr const char* other = "name: other\ncollectives: [{kind: all_reduce, size: 8KiB}]\n";
// Hours of work: a run that ends within a test has failed.
constexpr const char* endless =
    "name: endless\niterations: 1000000\ncollectives: [{kind: all_reduce, algorithm: ring, size: 1MiB}]\n";
// A second, and what a busy machine adds to it.
constexpr auto soon = 15s;

class RunFailures : public testing::Test {
 protected:
  RunFailures() {
    folder_.write("t.yaml", star);
    folder_.write("small.yaml", small);
    folder_.write("other.yaml", other);
    folder_.write("endless.yaml", endless);
  }

  [[nodiscard]] std::unique_ptr<Process> start(const std::string& line,
                                               const std::map<std::string, std::string>& environment = {}) const {
    return std::make_unique<Process>(command(words(line)), Surroundings{folder_.path(), environment});
  }
  /// One rank of a job, as a launcher starts it.
  [[nodiscard]] std::unique_ptr<Process> start_rank(int rank, int size, const std::string& options) const {
    return start("run " + options, {{"RANK", std::to_string(rank)},
                                    {"WORLD_SIZE", std::to_string(size)},
                                    {"MASTER_ADDR", "127.0.0.1"},
                                    {"MASTER_PORT", std::to_string(port_)}});
  }
  [[nodiscard]] Outcome run(const std::string& line, const std::map<std::string, std::string>& environment = {}) const {
    return start(line, environment)->wait();
  }
  [[nodiscard]] std::string place() const { return "127.0.0.1:" + std::to_string(port_); }
  /// "hash ..." of `plan show`.
  [[nodiscard]] std::string hash(const std::string& workload) const {
    const std::string text = run("plan show --ranks 2 -w " + workload).output;
    return text.substr(text.rfind("hash ") + 5, 16);
  }

  static void expect_failed(const Outcome& outcome, const std::string& message) {
    EXPECT_EQ(outcome.code, 3);
    EXPECT_EQ(outcome.errors, "error: " + message + "\n");
    EXPECT_EQ(outcome.output, "");
    expect_clean(outcome);
  }
  /// A connection that was cut says so in one of two ways, by what was under way.
  static void expect_lost(const Outcome& outcome, const std::string& what) {
    EXPECT_EQ(outcome.code, 3);
    EXPECT_THAT(outcome.errors,
                MatchesRegex("error: " + what + " ended without a goodbye \\((closed|Connection reset by peer)\\)\n"));
    EXPECT_EQ(outcome.output, "");
    expect_clean(outcome);
  }
  static void expect_clean(const Outcome& outcome) {
    EXPECT_FALSE(outcome.timed_out);
    EXPECT_FALSE(outcome.left_behind);
  }
  /// The ranks are at work once the process has used so much CPU time.
  static bool works(int id) {
    return eventually([id] { return Process::cpu_s(id) > 0.3; });
  }

  const Folder folder_;
  const int port_ = free_port();
};

TEST_F(RunFailures, APeerThatNeverComes) {
  const Outcome outcome = start_rank(0, 2, "-w small.yaml --rendezvous-timeout 1s")->wait();
  expect_failed(outcome, "rank 1 of 2 did not reach " + place() +
                             " within 1 s: ranks that came: 0; is it running, with the same MASTER_ADDR and "
                             "MASTER_PORT, and does a firewall let it through?");
  EXPECT_LT(outcome.time, soon);
}

TEST_F(RunFailures, AMasterThatNeverComes) {
  const Outcome outcome = start_rank(1, 2, "-w small.yaml --rendezvous-timeout 1s")->wait();
  expect_failed(outcome, "rank 1 of 2 could not reach rank 0 at " + place() +
                             " within 1 s (Connection refused): is rank 0 running, and are MASTER_ADDR and "
                             "MASTER_PORT the same on all ranks?");
  EXPECT_LT(outcome.time, soon);
}

TEST_F(RunFailures, MismatchedPlans) {
  const auto zero = start_rank(0, 2, "-w small.yaml");
  const auto one = start_rank(1, 2, "-w other.yaml");
  const std::string message = "rank 1 has plan hash " + hash("other.yaml") + "..., rank 0 has " + hash("small.yaml") +
                              "...: were both started with the same files?";
  expect_failed(zero->wait(), message);
  expect_failed(one->wait(), message);
}

TEST_F(RunFailures, MismatchedSizes) {
  const auto zero = start_rank(0, 2, "-w small.yaml");
  const auto one = start_rank(1, 3, "-w small.yaml");
  const std::string message =
      "rank 1 was started as one of 3 ranks, rank 0 as one of 2: were they started by one command?";
  expect_failed(zero->wait(), message);
  expect_failed(one->wait(), message);
}

TEST_F(RunFailures, APortInUse) {
  const Listener taken;
  const Outcome outcome = run("run -w small.yaml", {{"RANK", "0"},
                                                    {"WORLD_SIZE", "2"},
                                                    {"MASTER_ADDR", "127.0.0.1"},
                                                    {"MASTER_PORT", std::to_string(taken.port())}});
  expect_failed(outcome,
                "port " + std::to_string(taken.port()) + " on 127.0.0.1 is in use; choose another with MASTER_PORT");
}

TEST_F(RunFailures, ARankNumberUsedTwice) {
  const auto zero = start_rank(0, 3, "-w small.yaml");
  const auto one = start_rank(1, 3, "-w small.yaml");
  const auto twin = start_rank(1, 3, "-w small.yaml");
  for (auto* rank : {zero.get(), one.get(), twin.get()}) {
    const Outcome outcome = rank->wait();
    EXPECT_EQ(outcome.code, 3);
    EXPECT_THAT(outcome.errors,
                MatchesRegex("error: rank number 1 is used twice, by processes at 127.0.0.1 and 127.0.0.1: "
                             "does the launcher give every process its own rank\\?\n"));
    expect_clean(outcome);
  }
}

TEST_F(RunFailures, ARankOutsideTheJob) {
  const Outcome outcome = start_rank(4, 4, "-w small.yaml")->wait();
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.errors, "error: RANK=4 but WORLD_SIZE=4: ranks count from 0 to 3\n");
  const Outcome text = run("run -w small.yaml", {{"RANK", "first"}, {"WORLD_SIZE", "2"}});
  EXPECT_EQ(text.code, 2);
  EXPECT_EQ(text.errors, "error: RANK=first is not a whole number of at least 0\n");
  const Outcome port =
      run("run -w small.yaml",
          {{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "127.0.0.1"}, {"MASTER_PORT", "70000"}});
  EXPECT_EQ(port.code, 2);
  EXPECT_EQ(port.errors, "error: MASTER_PORT=70000 is not a whole number from 1 to 65535\n");
  const Outcome alone = run("run -w small.yaml", {{"RANK", "0"}});
  EXPECT_EQ(alone.code, 2);
  EXPECT_EQ(alone.errors,
            "error: RANK=0 is set but WORLD_SIZE is not: set both, or neither to run without a launcher\n");
  const Outcome size = start_rank(0, 2, "-w small.yaml --ranks 3")->wait();
  EXPECT_EQ(size.code, 2);
  EXPECT_EQ(size.errors,
            "error: the job that torchrun started has 2 ranks, the plan is for 3 (--processes runs several in each)\n");
}

TEST_F(RunFailures, ARankOfALauncherKilledMidRun) {
  const auto zero = start_rank(0, 3, "-w endless.yaml");
  const auto one = start_rank(1, 3, "-w endless.yaml");
  const auto two = start_rank(2, 3, "-w endless.yaml");
  ASSERT_TRUE(works(two->id()));
  two->send(SIGKILL);
  EXPECT_EQ(two->wait().code, 128 + SIGKILL);
  for (auto* rank : {zero.get(), one.get()}) expect_lost(rank->wait(soon), "rank 2 died: its connection to rank 0");
}

TEST_F(RunFailures, TheFirstRankOfALauncherKilledMidRun) {
  const auto zero = start_rank(0, 2, "-w endless.yaml");
  const auto one = start_rank(1, 2, "-w endless.yaml");
  ASSERT_TRUE(works(one->id()));
  zero->send(SIGKILL);
  expect_lost(one->wait(soon), "rank 0 died: its connection to rank 1");
}

TEST_F(RunFailures, ALocalRankKilledMidRun) {
  const auto job = start("run -w endless.yaml --ranks 3");
  ASSERT_TRUE(eventually([&] { return job->children().size() == 3; }));
  const int victim = job->children()[1];
  ASSERT_TRUE(works(victim));
  ::kill(victim, SIGKILL);
  expect_failed(job->wait(soon), "rank 1 was killed by signal 9 (Killed)");
}

TEST_F(RunFailures, ARankThatStopsMidRun) {
  const auto job = start("run -w endless.yaml --ranks 2 --timeout 1s");
  ASSERT_TRUE(eventually([&] { return job->children().size() == 2; }));
  const int victim = job->children()[1];
  ASSERT_TRUE(works(victim));
  ::kill(victim, SIGSTOP);
  const Outcome outcome = job->wait(soon);
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.errors, MatchesRegex("error: rank 0 (waited 1 s in [a-z_]+; missing: rank 1 \\(stopped, or only "
                                           "slow\\? |has made no progress for 1 s in "
                                           "operation .* \\()--timeout waits longer\\)\n"));
  expect_clean(outcome);
}

TEST_F(RunFailures, InterruptedMidRun) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const auto job = start("run -w endless.yaml --ranks 3 --json r.json --trace trace.json");
    ASSERT_TRUE(eventually([&] { return job->children().size() == 3; }));
    ASSERT_TRUE(works(job->children()[0]));
    job->send(signal);
    expect_failed(job->wait(soon), "interrupted");
  }
  // What was measured by then stays, and nothing else.
  EXPECT_EQ(folder_.names(),
            (std::vector<std::string>{"endless.yaml", "other.yaml", "r.json", "small.yaml", "t.yaml"}));
  EXPECT_EQ(nlohmann::json::parse(folder_.read("r.json")).at("run").at("partial"), "interrupted");
}

TEST_F(RunFailures, KilledMidRun) {
  const auto job = start("run -w endless.yaml --ranks 3");
  ASSERT_TRUE(eventually([&] { return job->children().size() == 3; }));
  ASSERT_TRUE(works(job->children()[0]));
  job->send(SIGKILL);
  EXPECT_FALSE(job->wait().left_behind);
}

TEST_F(RunFailures, TheUnwritableIsFoundBeforeTheWork) {
  for (const char* option : {"--json", "--trace"}) {
    const Outcome outcome =
        start(std::string("run -w endless.yaml --ranks 2 ") + option + " nowhere/result.json")->wait(soon);
    EXPECT_EQ(outcome.code, 2);
    EXPECT_EQ(outcome.errors,
              "error: " + std::string(option) + " nowhere/result.json: cannot be written: No such file or directory\n");
  }
}

TEST_F(RunFailures, FaultsThatABackendCannotMake) {
  folder_.write("slow.yaml", small + std::string("faults:\n  - {rank: 0, slow: 2}\n  - {rank: 1, kill: true}\n"));
  folder_.write("degraded.yaml", star + std::string("faults: [{link: h0-s0, bandwidth: 50%}]\n"));
  const std::string why = ": backend 'tcp' applies no faults: --backend lab does, or remove them\n";
  for (const char* line : {"run -w slow.yaml --ranks 2", "check -w slow.yaml -t t.yaml --backend tcp"}) {
    const Outcome outcome = run(line);
    EXPECT_EQ(outcome.code, 2) << line;
    EXPECT_EQ(outcome.errors, std::string("error: slow.yaml:4:5").append(why).append("slow.yaml:5:5").append(why))
        << line;
  }
  const Outcome topology = run("bench all_reduce -t degraded.yaml --backend tcp -e 1K");
  EXPECT_EQ(topology.code, 2);
  EXPECT_EQ(topology.errors, "error: degraded.yaml:3:10" + why);
}

/// A run in the lab, with nothing of it left in the machine when it is over.
class LabFailures : public RunFailures {
 protected:
  void SetUp() override {
    const Outcome outcome = run("lab exec -t t.yaml --host h0 -- true");
    if (outcome.errors.find("this machine refuses them") != std::string::npos) GTEST_SKIP() << outcome.errors;
    ASSERT_EQ(outcome.code, 0) << outcome.errors;
    interfaces_ = names_in("/sys/class/net");
    named_ = names_in("/run/netns");
  }
  void TearDown() override {
    EXPECT_EQ(names_in("/sys/class/net"), interfaces_);
    EXPECT_EQ(names_in("/run/netns"), named_);
  }
  static std::vector<std::string> names_in(const std::string& folder) {
    std::vector<std::string> names;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored))
      names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  [[nodiscard]] std::unique_ptr<Process> start_lab() const {
    return start("run -w endless.yaml -t t.yaml --backend lab");
  }
  /// The processes of the four ranks: caller, guard, init, perhaps more, and below the last of these its children.
  static std::vector<int> ranks_of(const Process& job) {
    for (int id = job.id();;) {
      const auto children = children_of(id);
      if (children.size() == 4 || children.empty()) return children;
      id = children.back();
    }
  }
  static bool lab_works(const Process& job) {
    return eventually([&] {
      const auto ranks = ranks_of(job);
      return ranks.size() == 4 && Process::cpu_s(ranks.front()) > 0.3;
    });
  }

  std::vector<std::string> interfaces_, named_;
};

TEST_F(LabFailures, InterruptedMidRun) {
  const auto job = start_lab();
  ASSERT_TRUE(lab_works(*job));
  job->send(SIGINT);
  expect_failed(job->wait(soon), "interrupted");
}

TEST_F(LabFailures, KilledMidRun) {
  const auto job = start_lab();
  ASSERT_TRUE(lab_works(*job));
  job->send(SIGKILL);
  const Outcome outcome = job->wait();
  EXPECT_EQ(outcome.code, 128 + SIGKILL);
  EXPECT_FALSE(outcome.left_behind);
}

TEST_F(LabFailures, ARankKilledMidRun) {
  const auto job = start_lab();
  ASSERT_TRUE(lab_works(*job));
  const auto ranks = ranks_of(*job);
  ASSERT_EQ(ranks.size(), 4U);
  ::kill(ranks[2], SIGKILL);
  expect_failed(job->wait(soon), "rank 2 was killed by signal 9 (Killed)");
}

TEST_F(LabFailures, ARankKilledByAFault) {
  folder_.write("killed.yaml", endless + std::string("faults: [{at: 200ms, rank: 2, kill: true}]\n"));
  expect_failed(start("run -w killed.yaml -t t.yaml --backend lab")->wait(soon),
                "rank 2 was killed at 200ms by a fault of rank 2; the others cannot finish without it");
}

TEST_F(LabFailures, ALinkThatIsCutForGood) {
  folder_.write("cut.yaml", endless + std::string("faults: [{at: 200ms, link: h3-s0, down: true}]\n"));
  const Outcome outcome = start("run -w cut.yaml -t t.yaml --backend lab --timeout 1s")->wait(soon);
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.errors,
              MatchesRegex("error: rank [0-3] has made no progress for 1 s in operation 'collective0': (waiting for|"
                           "sending) [0-9]+ bytes with tag 0x[0-9a-f]+ (from|to) rank [0-3].* \\(--timeout waits "
                           "longer\\); by a fault, h3-s0 is down since 200ms\n"));
  EXPECT_EQ(outcome.output, "");
  expect_clean(outcome);
}

TEST_F(LabFailures, ARankThatStopsMidRun) {
  const auto job = start("run -w endless.yaml -t t.yaml --backend lab --timeout 1s");
  ASSERT_TRUE(lab_works(*job));
  const auto ranks = ranks_of(*job);
  ASSERT_EQ(ranks.size(), 4U);
  ::kill(ranks[2], SIGSTOP);
  const Outcome outcome = job->wait(soon);
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.errors,
              MatchesRegex("error: rank [013] (waited 1 s in [a-z_]+; missing: rank 2 \\(stopped, or only slow\\? |has "
                           "made no progress for 1 s in operation 'collective0': .*(from|to) rank [0-3].* "
                           "\\()--timeout waits longer\\)\n"));
  EXPECT_EQ(outcome.output, "");
  expect_clean(outcome);
}

TEST_F(LabFailures, ExecEndsAsItsCommandDoes) {
  EXPECT_EQ(run("lab exec -t t.yaml --host h1 -- sh -c 'exit 7'").code, 7);
  const Outcome missing = run("lab exec -t t.yaml --host h1 -- no-such-program");
  EXPECT_EQ(missing.code, 127);
  EXPECT_EQ(missing.errors, "error: no-such-program: No such file or directory\n");
  expect_failed(run("lab exec -t t.yaml --host h1 -- sh -c 'kill -9 $$'"), "sh was killed by signal 9 (Killed)");
}

}  // namespace
}  // namespace lockstep::test
