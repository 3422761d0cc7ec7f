// Question: does every plan move real data rightly between real processes, in the order it asks for, and to the last
// bit as the interpreter does?
#include "real/executor/executor.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/collective/algorithm_file.hpp"
#include "core/collective/walk.hpp"
#include "real/transport/catalogue.hpp"
#include "real/transport/module.hpp"
#include "tests/plans.hpp"
#include "tests/real/fake_device.hpp"
#include "tests/real/ranks.hpp"

namespace lockstep::real {
namespace {

using nlohmann::json;

struct Ran {
  Timeline timeline{true};
  test::Seen seen;
  std::int64_t wrong = 0;
};

json report_of(const Timeline& timeline, const std::map<GroupId, std::vector<std::uint64_t>>& seen,
               const TransportExecutor& executor) {
  json report{{"operations", json::array()}, {"parts", json::array()}, {"seen", json::array()}, {"wrong", 0}};
  for (const auto& r : timeline.operations)
    report["operations"].push_back({r.role, r.stream, r.operation, r.ordinal, r.start.count(), r.end.count()});
  for (const auto& p : timeline.parts)
    report["parts"].push_back(
        {p.stream, p.ordinal, p.thread, p.step, p.send, p.peer, p.lane, p.bytes, p.start.count(), p.end.count()});
  for (const auto& [group, fingerprints] : seen) report["seen"].push_back({group, fingerprints});
  for (const auto& [operation, wrong] : executor.wrong()) report["wrong"] = report["wrong"].get<std::int64_t>() + wrong;
  return report;
}

void add_report(Rank rank, const json& report, Ran& ran) {
  for (const auto& row : report.at("operations")) {
    OperationRecord r;
    r.rank = rank;
    r.role = row.at(0);
    r.stream = row.at(1);
    r.operation = row.at(2);
    r.ordinal = row.at(3);
    r.start = Duration{row.at(4).get<std::int64_t>()};
    r.end = Duration{row.at(5).get<std::int64_t>()};
    ran.timeline.operation(r);
  }
  for (const auto& row : report.at("parts")) {
    PartRecord p;
    p.rank = rank;
    p.stream = row.at(0);
    p.ordinal = row.at(1);
    p.thread = row.at(2);
    p.step = row.at(3);
    p.send = row.at(4);
    p.peer = row.at(5);
    p.lane = row.at(6);
    p.bytes = row.at(7);
    p.start = Duration{row.at(8).get<std::int64_t>()};
    p.end = Duration{row.at(9).get<std::int64_t>()};
    ran.timeline.part(p);
  }
  for (const auto& row : report.at("seen"))
    ran.seen[{rank, row.at(0).get<GroupId>()}] = row.at(1).get<std::vector<std::uint64_t>>();
  ran.wrong += report.at("wrong").get<std::int64_t>();
}

// A device that is not there: what the executor asks of one, without a GPU.
constexpr const char* fake_device = "fake_device";

std::unique_ptr<Transport> make(const std::string& kind, Control& control, const TcpOptions& tcp) {
  if (kind == fake_device)
    return std::make_unique<OnFakeDevice>(control,
                                          make_transport(find_transport("tcp"), control, everyone_but(control), tcp));
  return make_transport(find_transport(kind), control, everyone_but(control), tcp);
}

// Runs the plans one after another in one set of processes. With random data the checks of Verify mean nothing; what
// they see is kept.
std::vector<Ran> run_over(const std::string& kind, const std::vector<Plan>& plans, bool random,
                          const TcpOptions& tcp = {}) {
  const auto epoch = WallClock::now();  // the processes of one host share this clock
  const std::string text = run_ranks(plans.front().ranks, [&](Control& control) {
    std::vector<std::string> rows;
    const auto transport = make(kind, control, tcp);
    for (const Plan& plan : plans) {
      if (auto* fake = dynamic_cast<OnFakeDevice*>(transport.get())) fake->rest();
      ExecutorOptions options;
      options.quiet = std::chrono::microseconds(50);
      options.timeout = std::chrono::seconds(15);
      options.combine_piece = 16 * 1024;
      TransportExecutor executor(control, *transport, options);
      executor.set_epoch(epoch);
      std::map<GroupId, std::vector<std::uint64_t>> seen;
      if (random) {
        executor.on_fill = [&](const Collective& collective, std::span<std::byte> source, std::span<std::byte>) {
          test::put_random(control.rank(), collective, source);
        };
        executor.on_verify = [&](const Collective& collective, std::span<const std::byte> target) {
          seen[collective.group].push_back(test::fingerprint(target));
        };
      }
      Timeline timeline(true);
      executor.execute(plan, timeline);
      rows.push_back(report_of(timeline, seen, executor).dump());
    }
    const auto all = control.gather(json(rows).dump());
    control.barrier();
    return control.rank() == 0 ? json(all).dump() : std::string{};
  });
  std::vector<Ran> ran(plans.size());
  Rank rank = 0;
  for (const auto& of_rank : json::parse(text).get<std::vector<std::string>>()) {
    const auto rows = json::parse(of_rank).get<std::vector<std::string>>();
    for (std::size_t i = 0; i < rows.size(); ++i) add_report(rank, json::parse(rows[i]), ran[i]);
    ++rank;
  }
  return ran;
}

void expect_the_interpreters_bits(const Plan& plan, const Ran& ran) {
  const auto expected = test::interpret_with_random_data(plan);
  ASSERT_TRUE(expected.outcome.stuck.empty()) << expected.outcome.stuck.front();
  ASSERT_FALSE(expected.seen.empty());
  EXPECT_EQ(expected.seen.size(), ran.seen.size());
  for (const auto& [key, fingerprints] : expected.seen) {
    const auto found = ran.seen.find(key);
    ASSERT_NE(found, ran.seen.end());
    ASSERT_EQ(fingerprints.size(), found->second.size());
    for (std::size_t i = 0; i < fingerprints.size(); ++i)
      EXPECT_EQ(fingerprints[i], found->second[i]) << plan.name << ", " << plan.ranks << " ranks: rank " << key.first
                                                   << ", group " << key.second << ", check " << i;
  }
}

void expect_order(const Plan& plan, const Timeline& timeline) {
  const auto violations = order_violations(plan, timeline);
  EXPECT_TRUE(violations.empty()) << plan.name << ", " << plan.ranks << " ranks: " << violations.size()
                                  << " violations, the first: " << violations.front();
}

/// A transport and a number of ranks.
class Over : public testing::TestWithParam<std::tuple<std::string, int>> {
 protected:
  void SetUp() override {
    if (kind_ == fake_device) return;
    const std::string& module = find_transport(kind_).module;
    if (module.empty()) return;
    // In a process of its own: one that has used CUDA cannot start ranks that use it.
    const std::string missing = run_ranks(1, [&](Control&) { return why_no_module(module); });
    if (!missing.empty()) GTEST_SKIP() << missing;
  }
  const std::string kind_ = std::get<0>(GetParam());
  const int ranks_ = std::get<1>(GetParam());
};

TEST_P(Over, EveryAlgorithmMovesItsDataRightly) {
  const int ranks = ranks_;
  const Plan plan = test::plan_of(test::varied_collectives(ranks, test::odd_counts(ranks)), ranks);
  const auto findings = validate(plan);
  ASSERT_TRUE(findings.empty()) << findings.front().where << ": " << findings.front().message;
  const Ran ran = run_over(kind_, {plan}, false).front();
  EXPECT_EQ(ran.wrong, 0);
  expect_order(plan, ran.timeline);
}

TEST_P(Over, RandomDataGiveTheInterpretersBits) {
  const int ranks = ranks_;
  std::vector<Plan> plans{test::plan_of(test::varied_collectives(ranks, test::odd_counts(ranks)), ranks)};
  for (const bool together : {false, true}) plans.push_back(test::two_streams(ranks, 40'003, together));
  const auto ran = run_over(kind_, plans, true);
  for (std::size_t i = 0; i < plans.size(); ++i) {
    expect_the_interpreters_bits(plans[i], ran[i]);
    expect_order(plans[i], ran[i].timeline);
  }
}

INSTANTIATE_TEST_SUITE_P(Tcp, Over, testing::Combine(testing::Values("tcp"), testing::Range(2, 9)));
INSTANTIATE_TEST_SUITE_P(OnADevice, Over, testing::Combine(testing::Values(fake_device), testing::Values(2, 3, 5, 8)));
INSTANTIATE_TEST_SUITE_P(Nccl, Over, testing::Combine(testing::Values("nccl"), testing::Values(2, 3, 4)));
INSTANTIATE_TEST_SUITE_P(Ucx, Over, testing::Combine(testing::Values("ucx", "ucx_put"), testing::Values(2, 3, 5, 8)));

TEST(Files, AlgorithmsFromFilesGiveTheInterpretersBits) {
  constexpr int ranks = 4;
  std::vector<Collective> collectives;
  for (const std::string file : {"ring.yaml", "two_way_ring.yaml", "star.yaml", "allpairs4.xml"})
    for (const bool in_place : {true, false}) {
      Collective collective;
      collective.algorithm = "file:" + file;
      collective.custom = std::make_shared<const CustomAlgorithm>(
          load_algorithm(std::string(LOCKSTEP_SOURCE_DIR "/algorithms/") + file, ranks));
      collective.count = 40'008;
      collective.reduction = in_place ? Reduction::sum : Reduction::average;
      collective.target = {0, {}, collective.size()};
      collective.source = in_place ? collective.target : Span{1, {}, collective.size()};
      collective.scratch = {2, {}, collective.size()};
      collectives.push_back(collective);
    }
  Plan plan = test::plan_of(collectives, ranks);
  plan.roles[0].buffers.push_back({"scratch", collectives.front().size()});
  const auto findings = validate(plan);
  ASSERT_TRUE(findings.empty()) << findings.front().where << ": " << findings.front().message;
  const Ran ran = run_over("tcp", {plan}, true).front();
  expect_the_interpreters_bits(plan, ran);
  expect_order(plan, ran.timeline);
  EXPECT_EQ(run_over("tcp", {plan}, false).front().wrong, 0);
}

TEST(Messages, PingPongAndAPipelineOverTcp) {
  for (const Plan& plan : {test::ping_pong(), test::pipeline()}) {
    for (const std::size_t eager_limit : {std::size_t{0}, std::size_t{64 * 1024}}) {
      TcpOptions tcp;
      tcp.eager_limit = eager_limit;
      const Ran ran = run_over("tcp", {plan}, true, tcp).front();
      expect_the_interpreters_bits(plan, ran);
      expect_order(plan, ran.timeline);
    }
  }
}

TEST(Streams, ACollectiveLongAfterACommonStartBeginsWhenItBegins) {
  // Behind the common start its own stream fills; the other one's collective waits for the start and follows it in no
  // other way: it begins when it begins.
  Plan plan = test::two_streams(2, 5, true);
  Stream& second = plan.roles[0].streams[1];
  auto& body = std::get<Repeat>(second.items[0]).body;
  std::get<Operation>(body[1]).waits = {{"first", "start", 0}};
  auto& first = std::get<Repeat>(plan.roles[0].streams[0].items[0]).body;
  std::swap(first[0], first[1]);  // the common start, then the fill
  const Ran ran = run_over("tcp", {plan}, true).front();
  expect_the_interpreters_bits(plan, ran);
  expect_order(plan, ran.timeline);
}

TEST(Streams, APlanForOtherRanksIsRefused) {
  const std::string failure = failure_of([] {
    const Plan plan = test::pipeline();
    run_ranks(2, [&](Control& control) {
      TcpTransport transport(control, everyone_but(control));
      Timeline timeline;
      TransportExecutor(control, transport).execute(plan, timeline);
      return std::string{};
    });
  });
  // Both ranks refuse; whether one is named depends on who is heard first.
  EXPECT_EQ(failure.find("InputError: "), 0U) << failure;
  EXPECT_NE(failure.find("the plan is for 3 ranks, the job has 2"), std::string::npos) << failure;
}

}  // namespace
}  // namespace lockstep::real
