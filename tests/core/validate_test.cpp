// Question: does every kind of wrong plan give its finding, in its words, and a good plan none?
#include <gtest/gtest.h>

#include "core/plan/plan.hpp"
#include "tests/plans.hpp"

namespace lockstep {
namespace {

using Findings = std::vector<std::string>;

Findings findings_of(const Plan& plan) {
  Findings findings;
  for (const auto& finding : validate(plan)) findings.push_back(finding.where + ": " + finding.message);
  return findings;
}

constexpr std::int64_t buffer_bytes = 400;

Span span(std::int64_t offset = 0, std::int64_t bytes = 40, BufferId buffer = 0) {
  Affine at;
  at.base = offset;
  return {buffer, at, Bytes{bytes}};
}
Operation send(const std::string& name, int to, std::int64_t bytes = 40, std::vector<Wait> waits = {}) {
  return {name, Send{Peer{0, false, to}, 0, span(0, bytes)}, std::move(waits)};
}
Operation receive(const std::string& name, int from, std::int64_t bytes = 40, std::vector<Wait> waits = {}) {
  return {name, Receive{Peer{0, false, from}, 0, span(0, bytes)}, std::move(waits)};
}
Operation copy(const std::string& name, std::vector<Wait> waits = {}) {
  return {name, Copy{span(), span(100)}, std::move(waits)};
}
Repeat loop(std::int64_t count, std::vector<Item> body, std::int64_t warmup = 0) {
  Repeat repeat;
  repeat.count = count;
  repeat.warmup = warmup;
  repeat.body = std::move(body);
  return repeat;
}

// Every rank plays a role of its own with these streams.
Plan plan_of(const std::vector<std::vector<Stream>>& roles) {
  Plan plan;
  plan.name = "plan";
  plan.ranks = static_cast<int>(roles.size());
  plan.groups = {test::everyone("world", plan.ranks)};
  for (std::size_t r = 0; r < roles.size(); ++r) {
    plan.roles.push_back({fmt::format("r{}", r), {{"data", Bytes{buffer_bytes}}}, roles[r]});
    plan.role_ranges.push_back({static_cast<Rank>(r), static_cast<Rank>(r), static_cast<std::uint32_t>(r)});
  }
  return plan;
}
Plan one_stream(const std::vector<std::vector<Item>>& roles) {
  std::vector<std::vector<Stream>> streams;
  for (const auto& items : roles) streams.push_back({{"main", items}});
  return plan_of(streams);
}

Collective ring() {
  Collective c;
  c.count = 10;
  c.source = c.target = span();
  return c;
}
// The finding of one collective of two ranks that this change makes wrong.
template <class Change>
Findings of_collective(Change change) {
  Collective c = ring();
  change(c);
  const Operation operation{"x", c, {}};
  Plan plan = one_stream({{operation}, {operation}});
  plan.roles.resize(1);
  plan.role_ranges = {{0, 1, 0}};
  return findings_of(plan);
}

TEST(Validate, GoodPlansHaveNoFinding) {
  EXPECT_EQ(findings_of(test::ping_pong()), Findings{});
  EXPECT_EQ(findings_of(test::pipeline()), Findings{});
  for (const int ranks : {1, 2, 5}) {
    EXPECT_EQ(findings_of(test::two_streams(ranks, 50, true)), Findings{});
    EXPECT_EQ(findings_of(test::plan_of(test::varied_collectives(ranks, test::odd_counts(ranks)), ranks)), Findings{});
  }
  EXPECT_EQ(of_collective([](Collective&) {}), Findings{});
  EXPECT_EQ(findings_of(one_stream({{send("s", 1), receive("r", 1)}, {receive("r", 0), send("s", 0)}})), Findings{});
}

TEST(Validate, RanksAndRoles) {
  Plan plan = one_stream({{}, {}, {}});
  plan.role_ranges = {{0, 0, 0}, {2, 2, 1}};
  EXPECT_EQ(findings_of(plan), Findings{"plan: roles leave a gap or overlap at rank 1"});
  plan.role_ranges = {{0, 1, 0}, {1, 2, 1}};
  EXPECT_EQ(findings_of(plan), Findings{"plan: roles leave a gap or overlap at rank 2"});
  plan.role_ranges = {{0, 1, 0}};
  EXPECT_EQ(findings_of(plan), Findings{"plan: ranks 2..2 play no role"});
  plan.role_ranges = {{0, 1, 0}, {2, 2, 7}};
  EXPECT_EQ(findings_of(plan), Findings{"plan: ranks 2..2 play role 7, which does not exist"});
  plan.ranks = 0;
  EXPECT_EQ(findings_of(plan), Findings{"plan: has 0 ranks; at least 1 is needed"});
}

TEST(Validate, Groups) {
  Plan plan = one_stream({{}, {}});
  plan.groups[0].size = 3;
  EXPECT_EQ(findings_of(plan), Findings{"group 'world': rank 2 is outside 0..1"});
  plan.groups[0] = {"lists", 0, 0, 1, 1, {{0, 1}, {1}}};
  EXPECT_EQ(findings_of(plan), Findings{"group 'lists': rank 1 is in it twice"});
  plan.groups[0] = {"odd", 0, 1, 2, 1, {}};
  EXPECT_EQ(findings_of(plan),
            Findings{"group 'odd': 1 groups of 1 ranks with stride 2: all are at least 1, the first a "
                     "multiple of the last"});
  plan.groups[0] = {"none", 0, 0, 1, 1, {}};
  EXPECT_EQ(findings_of(plan),
            Findings{"group 'none': 1 groups of 0 ranks with stride 1: all are at least 1, the first a "
                     "multiple of the last"});
}

TEST(Validate, Names) {
  EXPECT_EQ(findings_of(plan_of({{{"main", {}}, {"main", {}}}})),
            Findings{"role 'r0', stream 'main': the role has another stream of this name"});
  EXPECT_EQ(findings_of(one_stream({{copy("x"), loop(2, {copy("x")})}})),
            Findings{"role 'r0', stream 'main': two operations are called 'x'"});
  EXPECT_EQ(
      findings_of(one_stream({{copy("x"), copy("y", {{"mian", "x", 0}})}})),
      Findings{"role 'r0', stream 'main', operation 'y': unknown stream 'mian'; did you mean 'main'? known: main"});
  EXPECT_EQ(
      findings_of(one_stream({{copy("first"), copy("y", {{"main", "frist", 0}})}})),
      Findings{"role 'r0', stream 'main', operation 'y': unknown operation of stream 'main': 'frist'; did you mean "
               "'first'? known: first, y"});
  EXPECT_EQ(findings_of(one_stream({{copy("x"), copy("y", {{"main", "x", -1}})}})),
            Findings{"role 'r0', stream 'main', operation 'y': waits for an iteration to come"});
}

TEST(Validate, Loops) {
  EXPECT_EQ(findings_of(one_stream({{loop(2, {copy("x")}, 3)}})),
            Findings{"role 'r0', stream 'main': a loop of 2 iterations with 3 of warm-up"});
  EXPECT_EQ(findings_of(one_stream({{loop(-1, {copy("x")})}})),
            Findings{"role 'r0', stream 'main': a loop of -1 iterations with 0 of warm-up"});
  EXPECT_EQ(findings_of(one_stream({{loop(1, {loop(1, {loop(1, {loop(1, {loop(1, {copy("x")})})})})})}})),
            Findings{"role 'r0', stream 'main': loops nested 5 deep; 4 is the most"});
}

TEST(Validate, Spans) {
  const std::string where = "role 'r0', stream 'main', operation 'x': ";
  const auto of = [](const Action& action, std::int64_t iterations = 1) {
    return findings_of(one_stream({{loop(iterations, {Operation{"x", action, {}}})}}));
  };
  EXPECT_EQ(of(Copy{span(361), span()}),
            Findings{where + "source: bytes 361..401 lie outside buffer 'data' of 400 bytes"});
  EXPECT_EQ(of(Copy{span(), span(-1)}),
            Findings{where + "target: bytes -1..39 lie outside buffer 'data' of 400 bytes"});
  EXPECT_EQ(of(Copy{span(), span(0, 40, 3)}), Findings{where + "target: buffer 3 does not exist"});
  EXPECT_EQ(of(Copy{span(), span(0, 80)}), Findings{where + "source and target differ in size"});
  EXPECT_EQ(of(Combine{span(), span(0, 80), ElementType::float32, Reduction::sum}),
            Findings{where + "source and target differ in size"});
  Span moving = span();
  moving.offset.factor[0] = 40;
  EXPECT_EQ(of(Copy{moving, span()}, 10), Findings{});
  EXPECT_EQ(of(Copy{moving, span()}, 11),
            Findings{where + "source: bytes 0..440 lie outside buffer 'data' of 400 bytes"});
  moving.offset.factor[0] = -40;
  EXPECT_EQ(of(Copy{moving, span()}, 2),
            Findings{where + "source: bytes -40..40 lie outside buffer 'data' of 400 bytes"});
}

TEST(Validate, Collectives) {
  const std::string where = "role 'r0', stream 'main', operation 'x': ";
  EXPECT_EQ(of_collective([](Collective& c) { c.root = 2; }), Findings{where + "root 2 is not in the group of 2"});
  EXPECT_EQ(of_collective([](Collective& c) { c.count = -1; }), Findings{where + "-1 elements"});
  EXPECT_EQ(of_collective([](Collective& c) { c.channels = 0; }), Findings{where + "0 channels"});
  EXPECT_EQ(of_collective([](Collective& c) { c.count = 11; }),
            Findings{where + "spans of 40 and 40 bytes for 44 bytes of data"});
  EXPECT_EQ(of_collective([](Collective& c) { c.target = c.source = span(380); }),
            (Findings{where + "source: bytes 380..420 lie outside buffer 'data' of 400 bytes",
                      where + "target: bytes 380..420 lie outside buffer 'data' of 400 bytes"}));
  EXPECT_EQ(of_collective([](Collective& c) {
              c.kind = CollectiveKind::all_to_all;
              c.algorithm = "pairwise";
            }),
            Findings{where + "all_to_all needs source and target in different buffers"});
  EXPECT_EQ(of_collective([](Collective& c) { c.kind = CollectiveKind::all_gather, c.algorithm = "tree"; }).size(), 1U);
  EXPECT_EQ(of_collective([](Collective& c) { c.group = 5; }),
            (Findings{where + "group 5 does not exist", where + "group 5 does not exist"}));
  EXPECT_EQ(of_collective([](Collective& c) { c.algorithm = "native"; }),
            Findings{"execution: the interpreter has no native all_reduce; name an algorithm"});
  const auto unknown = of_collective([](Collective& c) { c.algorithm = "rign"; });
  ASSERT_EQ(unknown.size(), 1U);
  EXPECT_EQ(unknown[0].find(where + "unknown algorithm 'rign'; did you mean 'ring'?"), 0U) << unknown[0];
}

TEST(Validate, AGroupUsedByTwoStreams) {
  const Operation x{"x", ring(), {}};
  Plan plan = plan_of({{{"one", {x}}, {"two", {x}}}});
  EXPECT_EQ(findings_of(plan), Findings{"role 'r0', stream 'two', operation 'x': group 'world' is used by the streams "
                                        "'one' and 'two'; one stream at a time may use a group"});
}

TEST(Validate, PeersOutsideTheirGroup) {
  EXPECT_EQ(findings_of(one_stream({{send("s", 7)}, {}})),
            Findings{"role 'r0', stream 'main', operation 's': group 'world' of 2 ranks has no member 7"});
  EXPECT_EQ(findings_of(one_stream({{send("s", 0)}, {}})),
            Findings{"role 'r0', stream 'main', operation 's': rank 0 is its own peer"});
  Plan plan = one_stream({{receive("r", 0)}, {}});
  std::get<Receive>(std::get<Operation>(plan.roles[0].streams[0].items[0]).action).from = Peer{0, true, 4};
  EXPECT_EQ(findings_of(plan), Findings{"role 'r0', stream 'main', operation 'r': rank 0 is its own peer"});
  plan.groups[0].first = 1;
  plan.groups[0].size = 1;
  EXPECT_EQ(findings_of(plan), Findings{"role 'r0', stream 'main', operation 'r': rank 0 is in no group 'world'"});
  plan.groups.clear();
  EXPECT_EQ(findings_of(plan), Findings{"role 'r0', stream 'main', operation 'r': group 0 does not exist"});
}

TEST(Validate, UnmatchedMessages) {
  EXPECT_EQ(findings_of(one_stream({{send("s", 1)}, {}})),
            Findings{"execution: 40 bytes from rank 0 to rank 1 (tag 0x10000) were never received"});
  EXPECT_EQ(
      findings_of(one_stream({{}, {receive("r", 0)}})),
      Findings{"execution: cannot be completed: rank 1, stream 'main', operation 'r': waits for 40 bytes from rank 0"});
  EXPECT_EQ(findings_of(one_stream({{send("s", 1, 40)}, {receive("r", 0, 44)}})),
            Findings{"execution: rank 0 sent 40 bytes to rank 1, which expects 44"});
}

TEST(Validate, CyclesOfWaits) {
  EXPECT_EQ(findings_of(plan_of({{{"a", {copy("x", {{"b", "y", 0}})}}, {"b", {copy("y", {{"a", "x", 0}})}}}})),
            (Findings{"execution: cannot be completed: rank 0, stream 'a', operation 'x': waits for another stream",
                      "execution: cannot be completed: rank 0, stream 'b', operation 'y': waits for another stream"}));
  // The same over two iterations is no cycle.
  EXPECT_EQ(findings_of(plan_of(
                {{{"a", {loop(3, {copy("x", {{"b", "y", 1}})})}}, {"b", {loop(3, {copy("y", {{"a", "x", 0}})})}}}})),
            Findings{});
  EXPECT_EQ(findings_of(one_stream({{copy("x", {{"main", "x", 0}})}})),
            Findings{"execution: cannot be completed: rank 0, stream 'main', operation 'x': waits for another stream"});
}

TEST(Validate, MeetingsThatSomeMiss) {
  const Operation meet{"meet", Mark{"meet", true}, {}};
  EXPECT_EQ(findings_of(one_stream({{meet}, {}})),
            Findings{"execution: cannot be completed: rank 0, stream 'main', operation 'meet': waits for ranks that "
                     "never come"});
}

TEST(Validate, DeadlockWhenSendsWaitForTheirReceivers) {
  const std::string deadlock = "execution: deadlock when every send waits for its receiver: ";
  EXPECT_EQ(findings_of(one_stream({{send("s", 1), receive("r", 1)}, {send("s", 0), receive("r", 0)}})),
            (Findings{deadlock + "rank 0, stream 'main', operation 's': waits until rank 1 takes 40 bytes",
                      deadlock + "rank 1, stream 'main', operation 's': waits until rank 0 takes 40 bytes"}));
}

TEST(Validate, TooManyStreams) {
  std::vector<Stream> streams;
  for (int s = 0; s < 257; ++s) streams.push_back({fmt::format("s{}", s), {}});
  EXPECT_EQ(findings_of(plan_of({streams})), Findings{"role 'r0': 257 streams; 256 is the most"});
}

}  // namespace
}  // namespace lockstep
