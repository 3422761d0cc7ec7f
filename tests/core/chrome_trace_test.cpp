// Is the trace one that Perfetto opens: valid JSON, named processes and threads, complete events with exact times?
#include <gtest/gtest.h>

#include <sstream>

#include "core/base/json.hpp"
#include "core/timeline/timeline.hpp"

namespace lockstep {
namespace {

Plan two_ranks() {
  Plan plan;
  plan.name = "p";
  plan.ranks = 2;
  GroupFamily world;
  world.name = "world";
  world.size = 2;
  plan.groups.push_back(world);
  Role role;
  role.name = "all";
  Collective collective;
  collective.algorithm = "ring";
  collective.count = 256;
  role.streams.push_back({.name = "main",
                          .items = {Operation{.name = "start \"x\"", .action = Mark{}, .waits = {}},
                                    Operation{.name = "reduce", .action = collective, .waits = {}}}});
  plan.roles.push_back(role);
  plan.role_ranges.push_back({.first = 0, .last = 1, .role = 0});
  return plan;
}

OperationRecord record(Rank rank, std::uint32_t operation, Duration start, Duration end) {
  OperationRecord r;
  r.rank = rank;
  r.operation = operation;
  r.ordinal = operation;
  r.start = start;
  r.end = end;
  return r;
}

TEST(ChromeTrace, NamesAndTimes) {
  const Plan plan = two_ranks();
  Timeline timeline(true);
  timeline.operation(record(1, 0, picoseconds(0), picoseconds(0)));
  timeline.operation(record(1, 1, picoseconds(1), picoseconds(1'500'001)));
  PartRecord part;
  part.rank = 1;
  part.ordinal = 1;
  part.send = true;
  part.peer = 0;
  part.bytes = 512;
  part.start = nanoseconds(1);
  part.end = microseconds(3);
  timeline.part(part);
  const std::string text = chrome_trace(plan, timeline);
  const Json trace = parse_json(text, "trace.json");
  std::map<std::string, std::string> names;
  std::vector<Json> events;
  for (const auto& event : trace["traceEvents"]) {
    if (event["ph"] == "M" && event["args"].contains("name"))
      names[fmt::format("{} {} {}", event["name"].get<std::string>(), event["pid"].get<int>(),
                        event["tid"].get<int>())] = event["args"]["name"];
    if (event["ph"] == "X") events.push_back(event);
  }
  EXPECT_EQ(names["process_name 1 0"], "rank 1 (all)");
  EXPECT_EQ(names["thread_name 1 0"], "main");
  EXPECT_EQ(names["thread_name 1 1"], "main / thread 0 / lane 0 / send");
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0]["name"], "start \"x\"");
  EXPECT_EQ(events[0]["dur"], 0);
  EXPECT_EQ(events[1]["name"], "reduce");
  EXPECT_EQ(events[1]["cat"], "collective");
  EXPECT_EQ(events[1]["args"]["bytes"], 1024);
  EXPECT_NE(text.find("\"ts\":0.000001,\"dur\":1.5"), std::string::npos) << text;
  EXPECT_EQ(events[2]["name"], "send to 0");
  EXPECT_EQ(events[2]["tid"], 1);
  EXPECT_NE(text.find("\"ts\":0.001,\"dur\":2.999"), std::string::npos) << text;
}

TEST(ChromeTrace, StreamsTheSameTextAndManyRecords) {
  const Plan plan = two_ranks();
  Timeline timeline;
  for (int i = 0; i < 20000; ++i) timeline.operation(record(i % 2, 1, microseconds(i), microseconds(i + 1)));
  std::ostringstream out;
  write_chrome_trace(out, plan, timeline);
  EXPECT_EQ(out.str(), chrome_trace(plan, timeline));
  EXPECT_EQ(parse_json(out.str(), "trace.json")["traceEvents"].size(), 20000U + 2 * 4);
}

TEST(Timeline, SortDoesNotDependOnTheOrderOfArrival) {
  Timeline forward;
  Timeline backward;
  std::vector<OperationRecord> records;
  for (int i = 0; i < 50; ++i)
    records.push_back(record(i % 3, static_cast<std::uint32_t>(i % 2), picoseconds(i % 7), picoseconds(10 + i)));
  for (const auto& r : records) forward.operation(r);
  for (auto r = records.rbegin(); r != records.rend(); ++r) backward.operation(*r);
  forward.sort();
  backward.sort();
  for (std::size_t i = 0; i < records.size(); ++i) {
    EXPECT_EQ(forward.operations[i].end, backward.operations[i].end);
    if (i > 0) {
      EXPECT_LE(std::tuple(forward.operations[i - 1].start, forward.operations[i - 1].rank),
                std::tuple(forward.operations[i].start, forward.operations[i].rank));
    }
  }
}

}  // namespace
}  // namespace lockstep
