// Do answers of receivers wait for what docs/models/software.md says they wait for, and for nothing else?
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "sim/executor.hpp"
#include "tests/plans.hpp"
#include "tests/sim/networks.hpp"

namespace lockstep::sim {
namespace {

constexpr Duration latency = microseconds(10);  // of a route: two links of 5 us
constexpr Bytes megabyte{1'000'000};            // 8 ms at 1 Gbit/s

Profile asking() {
  Profile profile = ideal_profile();
  profile.tcp.eager_threshold = Bytes{1000};
  profile.tcp.ordered = true;
  profile.copies = at_bandwidth(Bandwidth::bytes_per_second(1'000'000'000));  // a megabyte takes a millisecond
  return profile;
}

/// Streams of single messages; `late`: milliseconds until the sender, or the receiver, comes to it.
struct Sent {
  Rank from = 0, to = 0;
  int send_late = 0, receive_late = 0;
};

Plan plan_of(int ranks, const std::vector<Sent>& messages) {
  Plan plan;
  plan.name = "answers";
  plan.ranks = ranks;
  plan.groups = {test::everyone("world", ranks)};
  const Span span{0, {}, megabyte};
  for (Rank rank = 0; rank < ranks; ++rank) {
    Role role{std::to_string(rank), {{"data", Bytes{1 << 24}}}, {}};
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const Sent& one = messages[i];
      if (one.from != rank && one.to != rank) continue;
      const bool sends = one.from == rank;
      Stream stream{"s" + std::to_string(i), {}};
      for (int k = 0; k < (sends ? one.send_late : one.receive_late); ++k)
        stream.items.emplace_back(Operation{"wait" + std::to_string(k), Copy{span, span}, {}});
      const auto tag = static_cast<std::uint16_t>(i);
      if (sends)
        stream.items.emplace_back(Operation{"send", Send{Peer{0, false, one.to}, tag, span}, {}});
      else
        stream.items.emplace_back(Operation{"receive", Receive{Peer{0, false, one.from}, tag, span}, {}});
      role.streams.push_back(std::move(stream));
    }
    plan.roles.push_back(std::move(role));
    plan.role_ranges.push_back({rank, rank, static_cast<std::uint32_t>(rank)});
  }
  return plan;
}

Duration end_of(const Plan& plan, const Profile& profile, std::optional<Bytes> burst = std::nullopt,
                std::uint64_t shuffle = 0) {
  const Topology topology = test::star(plan.ranks, 1_Gbps, microseconds(5), burst);
  const Routing routing(topology);
  SimulationOptions options{false};
  options.shuffle = shuffle;
  SimulatedExecutor executor(topology, routing, profile, options);
  Timeline timeline(true);
  executor.execute(plan, timeline);
  return executor.statistics().end;
}

// Request, answer, data.
constexpr Duration alone = 3 * latency + milliseconds(8);

TEST(Answers, MessagesBothWaysAtOnceHinderNobody) {
  EXPECT_EQ(end_of(plan_of(2, {{0, 1}}), asking()), alone);
  EXPECT_EQ(end_of(plan_of(2, {{0, 1}, {1, 0}}), asking()), alone);
}

TEST(Answers, WaitForDataOverTheirConnection) {
  // Rank 1 asks while rank 0 sends to it: the answer comes when that has left.
  const Plan late = plan_of(2, {{0, 1}, {1, 0, 1}});
  EXPECT_EQ(end_of(late, asking()), 2 * latency + milliseconds(8) + 2 * latency + milliseconds(8));
  // Behind all that has entered the connection, not only what leaves now.
  EXPECT_EQ(end_of(plan_of(2, {{0, 1}, {0, 1}, {1, 0, 1}}), asking()),
            2 * latency + milliseconds(16) + 2 * latency + milliseconds(8));
  // Without connections, and without asking, both go side by side.
  Profile profile = asking();
  profile.tcp.ordered = false;
  EXPECT_EQ(end_of(late, profile), milliseconds(1) + alone);
  profile.tcp.eager_threshold.reset();
  EXPECT_EQ(end_of(late, profile), milliseconds(1 + 8) + latency);
}

TEST(Answers, ComeBehindWhatIsBegunWithThem) {
  // Rank 1 comes late to both its send and its receive. Its request goes first, and so both go side by side; the
  // processor's time for it delays the answer.
  Profile profile = asking();
  MessageCost cost;
  cost.overhead = microseconds(3);
  profile.tcp.messages = {cost};
  const Plan late = plan_of(2, {{0, 1, 0, 1}, {1, 0, 1}});
  EXPECT_EQ(end_of(late, profile), milliseconds(1) + microseconds(3) + 3 * latency + milliseconds(8));
}

TEST(Answers, WaitForATrainOfPacketsToOthers) {
  // Rank 1 sends to rank 2 when rank 0 asks it: what it answers waits behind a train of packets on its link.
  Profile profile = asking();
  const Plan plan = plan_of(3, {{1, 2}, {0, 1, 1}});
  EXPECT_EQ(end_of(plan, profile), milliseconds(1) + alone);
  profile.tcp.framing.acknowledged = Bytes{62'500};
  EXPECT_EQ(end_of(plan, profile), milliseconds(1) + alone + microseconds(500));
  // A train that left less than its own time ago counts: ranks are never quite together.
  EXPECT_EQ(end_of(plan_of(3, {{1, 2}, {0, 1, 8}}), profile), milliseconds(8) + alone + microseconds(500));
  EXPECT_EQ(end_of(plan_of(3, {{1, 2}, {0, 1, 9}}), profile), milliseconds(9) + alone);
  // Data to the same rank that have arrived are gone from the link: a ping-pong waits for none.
  EXPECT_EQ(end_of(plan_of(3, {{1, 0}, {0, 1, 9}}), profile), milliseconds(9) + alone);
  // What the token bucket lets pass at once does not stand in a queue.
  const Bytes large{20'000'000};
  const Duration passed = end_of(plan_of(3, {{0, 1, 1}}), profile, large);
  EXPECT_EQ(end_of(plan, profile, large), passed);
}

RC_GTEST_PROP(Answers, NoOrderOfSimultaneousEventsMatters, ()) {
  const int ranks = *rc::gen::inRange(2, 6);
  std::vector<Sent> messages;
  const int count = *rc::gen::inRange(1, 12);
  for (int i = 0; i < count; ++i) {
    const Rank from = *rc::gen::inRange(0, ranks);
    const Rank to = (from + *rc::gen::inRange(1, ranks)) % ranks;
    messages.push_back({from, to, *rc::gen::inRange(0, 3), *rc::gen::inRange(0, 3)});
  }
  Profile profile = asking();
  if (*rc::gen::arbitrary<bool>()) profile.tcp.framing.acknowledged = Bytes{62'500};
  if (*rc::gen::arbitrary<bool>()) profile.cores = 2;
  const Plan plan = plan_of(ranks, messages);
  const Duration end = end_of(plan, profile);
  for (const std::uint64_t shuffle : {1, 2, 3}) RC_ASSERT(end_of(plan, profile, std::nullopt, shuffle) == end);
}

}  // namespace
}  // namespace lockstep::sim
