// Question: does virtual time keep the plan's order, and does it follow the model that sim/executor.hpp states?
#include "sim/executor.hpp"

#include <gtest/gtest.h>

#include "core/base/error.hpp"
#include "core/collective/walk.hpp"
#include "core/workload/workload.hpp"
#include "sim/simulate.hpp"
#include "tests/plans.hpp"
#include "tests/sim/networks.hpp"

namespace lockstep::sim {
namespace {

struct Outcome {
  Timeline timeline{true};
  SimulationStatistics statistics;
};

Outcome simulate(const Plan& plan, const Topology& topology, const Profile& profile,
                 const SimulationOptions& options = {false}) {
  const Routing routing(topology);
  SimulatedExecutor executor(topology, routing, profile, options);
  Outcome run;
  executor.execute(plan, run.timeline);
  run.statistics = executor.statistics();
  return run;
}

void expect_order(const Plan& plan, const Timeline& timeline, const std::string& what) {
  const auto violations = order_violations(plan, timeline);
  EXPECT_TRUE(violations.empty()) << plan.name << ", " << plan.ranks << " ranks, " << what << ": " << violations.size()
                                  << " violations, the first: " << violations.front();
}

std::vector<std::pair<std::string, Profile>> profiles() {
  std::vector<std::pair<std::string, Profile>> all{{"ideal", ideal_profile()}, {"laden", test::laden_profile()}};
  Profile unordered = test::laden_profile();
  unordered.tcp.ordered = false;
  unordered.cores = 1;
  all.emplace_back("unordered", unordered);
  Profile rendezvous = ideal_profile();
  rendezvous.tcp.eager_threshold = Bytes{256};
  all.emplace_back("rendezvous", rendezvous);
  Profile buffered = test::laden_profile();
  buffered.tcp.ordered = true;
  buffered.tcp.send_buffer = Bytes{300};
  all.emplace_back("buffered", buffered);
  return all;
}

class Simulated : public testing::TestWithParam<int> {};

TEST_P(Simulated, EveryAlgorithmKeepsItsOrder) {
  const int ranks = GetParam();
  const Plan plan = test::plan_of(test::varied_collectives(ranks, test::odd_counts(ranks)), ranks);
  const auto interpreted = test::interpret_with_random_data(plan);
  expect_order(plan, interpreted.timeline, "interpreted");
  const Topology topology = test::star(ranks, 1_Gbps, microseconds(5), 16_KiB);
  for (const auto& [name, profile] : profiles()) {
    const Outcome run = simulate(plan, topology, profile);
    expect_order(plan, run.timeline, name);
    EXPECT_EQ(run.statistics.messages, static_cast<std::uint64_t>(interpreted.outcome.messages));
    EXPECT_EQ(run.statistics.payload_bytes, static_cast<std::uint64_t>(interpreted.outcome.bytes));
    EXPECT_EQ(run.timeline.parts.size(), interpreted.timeline.parts.size());
  }
}
INSTANTIATE_TEST_SUITE_P(Ranks, Simulated, testing::Range(2, 9));

TEST(SimulatedStreams, KeepTheirOrderOnEveryExecutor) {
  std::vector<Plan> plans{test::ping_pong(), test::pipeline()};
  for (const int ranks : {2, 3, 5, 8})
    for (const bool together : {false, true}) plans.push_back(test::two_streams(ranks, 5'003, together));
  for (const Plan& plan : plans) {
    const auto findings = validate(plan);
    EXPECT_TRUE(findings.empty()) << plan.name << ": " << findings.front().where << ": " << findings.front().message;
    for (const std::uint64_t shuffle : {0, 1, 2, 3}) {
      InterpretOptions options;
      options.shuffle = shuffle;
      const auto interpreted = test::interpret_with_random_data(plan, options);
      EXPECT_TRUE(interpreted.outcome.stuck.empty()) << interpreted.outcome.stuck.front();
      EXPECT_TRUE(interpreted.outcome.leftovers.empty()) << interpreted.outcome.leftovers.front();
      EXPECT_EQ(interpreted.seen, test::interpret_with_random_data(plan).seen) << plan.name;
      expect_order(plan, interpreted.timeline, "interpreted");
    }
    const Topology topology = test::star(plan.ranks, 1_Gbps, microseconds(5), 16_KiB);
    for (const auto& [name, profile] : profiles()) expect_order(plan, simulate(plan, topology, profile).timeline, name);
  }
}

TEST(SimulatedStreams, OneIterationStandsForAllAlsoForThoseWhoWait) {
  Plan plan = test::two_streams(3, 100, false);
  for (auto& stream : plan.roles[0].streams) std::get<Repeat>(stream.items[0]).independent = true;
  const Outcome run = simulate(plan, test::star(3, 1_Gbps, microseconds(5)), ideal_profile(), {true});
  EXPECT_EQ(run.timeline.operations.size(), 3U * 8U);
  const auto violations = order_violations(plan, run.timeline, true);
  EXPECT_TRUE(violations.empty()) << violations.front();
}

// One message from rank 0 to rank 1, `messages` times the same, after each other or at once on tags of their own.
Plan messages(const std::vector<std::int64_t>& bytes, bool at_once, std::int64_t receiver_busy_copies = 0) {
  Plan plan;
  plan.name = "messages";
  plan.ranks = 2;
  plan.groups = {test::everyone("world", 2)};
  Role from{"from", {{"data", Bytes{1 << 24}}}, {}};
  Role to = from;
  to.name = "to";
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::string name = std::to_string(i);
    const std::uint16_t tag = at_once ? static_cast<std::uint16_t>(i) : 0;
    if (i == 0 || at_once) {
      from.streams.push_back({"s" + name, {}});
      to.streams.push_back({"s" + name, {}});
      for (std::int64_t k = 0; k < receiver_busy_copies; ++k)
        to.streams.back().items.emplace_back(
            Operation{"copy" + std::to_string(k), Copy{Span{0, {}, Bytes{1 << 20}}, Span{0, {}, Bytes{1 << 20}}}, {}});
    }
    const Span span{0, {}, Bytes{bytes[i]}};
    from.streams.back().items.emplace_back(Operation{"send" + name, Send{Peer{0, false, 1}, tag, span}, {}});
    to.streams.back().items.emplace_back(Operation{"receive" + name, Receive{Peer{0, false, 0}, tag, span}, {}});
  }
  plan.roles = {from, to};
  plan.role_ranges = {{0, 0, 0}, {1, 1, 1}};
  return plan;
}

Duration time_of(const Plan& plan, const Profile& profile, Bandwidth bandwidth = 1_Gbps,
                 Duration latency = microseconds(5), std::optional<Bytes> burst = std::nullopt) {
  return simulate(plan, test::star(plan.ranks, bandwidth, latency, burst), profile).statistics.end;
}

TEST(Message, TakesOverheadLatencyAndTransfer) {
  Profile profile = ideal_profile();
  EXPECT_EQ(time_of(messages({125'000}, false), profile), milliseconds(1) + microseconds(10));
  EXPECT_EQ(time_of(messages({0}, false), profile), microseconds(10));
  MessageCost cost;
  cost.up_to = 1_MiB;
  cost.overhead = microseconds(3);
  cost.receive_overhead = microseconds(4);
  cost.latency = microseconds(7);
  cost.send_bandwidth = Bandwidth::bytes_per_second(125'000'000);
  cost.receive_bandwidth = Bandwidth::bytes_per_second(250'000'000);
  profile.tcp.messages = {cost};
  EXPECT_EQ(time_of(messages({125'000}, false), profile),
            microseconds(3 + 1000) + microseconds(1000 + 10 + 7) + microseconds(4 + 500));
  profile.tcp.message_header = Bytes{125};
  EXPECT_EQ(time_of(messages({125'000}, false), profile),
            microseconds(3 + 1000) + microseconds(1001 + 10 + 7) + microseconds(4 + 500));
}

TEST(Message, PerByteCostsOfTheLargestAreRatesOfPayload) {
  Profile profile = ideal_profile();
  MessageCost cost;
  cost.send_bandwidth = Bandwidth::bytes_per_second(50'000'000);
  profile.tcp.messages = {cost};
  EXPECT_EQ(time_of(messages({1'000'000}, false), profile), milliseconds(20) + microseconds(10));
  cost.receive_bandwidth = Bandwidth::bytes_per_second(25'000'000);
  profile.tcp.messages = {cost};
  EXPECT_EQ(time_of(messages({1'000'000}, false), profile), milliseconds(40) + microseconds(10));
  // Framing costs the wire, not the processor.
  profile.tcp.framing = {Bytes{52}, Bytes{38}};
  EXPECT_NEAR(static_cast<double>(time_of(messages({1'000'000}, false), profile).count()), 40.01e9, 1e3);
}

TEST(Copies, TakeWhatTheirSizeSays) {
  Profile profile = ideal_profile();
  profile.copies = {{Bytes{1000}, Duration{0}, Bandwidth::bytes_per_second(1'000'000'000)},
                    {std::nullopt, microseconds(2), Bandwidth::bytes_per_second(500'000'000)}};
  const auto time_of_copy = [&](std::int64_t bytes) {
    Plan plan = messages({0}, false);
    for (auto& role : plan.roles) role.buffers.front().bytes = Bytes{1 << 20};
    plan.roles[0].streams[0].items = {
        Operation{"copy", Copy{Span{0, {}, Bytes{bytes}}, Span{0, {}, Bytes{bytes}}}, {}}};
    plan.roles[1].streams[0].items.clear();
    return time_of(plan, profile);
  };
  EXPECT_EQ(time_of_copy(1000), microseconds(1));
  EXPECT_EQ(time_of_copy(100'000), microseconds(2 + 200));
  profile.copies.clear();
  EXPECT_EQ(time_of_copy(100'000), Duration{0});
}

TEST(Message, WhatBytesCostIsCountedOnce) {
  // A message whose interval says what its bytes cost the processors does not go by the rate of larger ones as well.
  Profile profile = ideal_profile();
  MessageCost small, large;
  small.up_to = Bytes{125'000};
  small.send_bandwidth = Bandwidth::bytes_per_second(125'000'000);
  large.send_bandwidth = Bandwidth::bytes_per_second(50'000'000);
  profile.tcp.messages = {small, large};
  const auto on_the_way = [](std::int64_t us) { return microseconds(us + 10); };
  EXPECT_EQ(time_of(messages({125'000}, false), profile), on_the_way(1000 + 1000));
  EXPECT_EQ(time_of(messages({250'000}, false), profile), on_the_way(5000));
  // One without such a figure does.
  profile.tcp.messages.front().send_bandwidth.reset();
  EXPECT_EQ(time_of(messages({125'000}, false), profile), on_the_way(2500));
  // Where libraries copy, nothing goes by a rate.
  profile.tcp.copied = true;
  EXPECT_EQ(time_of(messages({250'000}, false), profile), on_the_way(5000 + 2000));
}

TEST(Message, RendezvousAddsItsRoundTrip) {
  Profile profile = ideal_profile();
  const Duration eager = time_of(messages({100'000}, false), profile);
  profile.tcp.eager_threshold = Bytes{99'999};
  EXPECT_EQ(time_of(messages({100'000}, false), profile), eager + microseconds(20));
  profile.tcp.eager_threshold = Bytes{100'000};
  EXPECT_EQ(time_of(messages({100'000}, false), profile), eager);
  // A late receiver: the data set out one latency after its receive is posted.
  profile.tcp.eager_threshold = Bytes{0};
  profile.copies = at_bandwidth(Bandwidth::bytes_per_second(1 << 20));
  EXPECT_EQ(time_of(messages({125'000}, false, 1), profile), seconds(1) + microseconds(10 + 1000 + 10));
  profile.tcp.eager_threshold.reset();
  EXPECT_EQ(time_of(messages({125'000}, false, 1), profile), seconds(1));
}

TEST(Message, SmallAndLargeOnOneLaneKeepTheirReceives) {
  // The large one's request overtakes the small one on its way; each still finds the receive of its own size.
  Profile profile = ideal_profile();
  MessageCost small;
  small.up_to = Bytes{5000};
  small.latency = microseconds(100);
  profile.tcp.messages = {small, {}};
  profile.tcp.eager_threshold = Bytes{5000};
  const Plan plan = messages({1000, 100'000, 10, 200'000}, false);
  EXPECT_NO_THROW(time_of(plan, profile));
  EXPECT_NO_THROW(time_of(plan, profile, 1_Gbps, microseconds(0)));
  profile.tcp.eager_threshold.reset();
  EXPECT_NO_THROW(time_of(plan, profile));
  profile.tcp.ordered = true;
  EXPECT_NO_THROW(time_of(plan, profile));
}

TEST(Message, AMillionAlreadyThereNeedNoDeepStack) {
  // All messages have arrived when the receiver looks: every receive is done at once.
  Plan plan = messages({0}, false);
  for (auto& role : plan.roles) {
    Repeat loop;
    loop.count = 1'000'000;
    loop.body = role.streams[0].items;
    role.streams[0].items = {loop};
  }
  Profile profile = ideal_profile();
  profile.copies = at_bandwidth(Bandwidth::bytes_per_second(1 << 20));
  plan.roles[1].streams[0].items.insert(
      plan.roles[1].streams[0].items.begin(),
      Operation{"late", Copy{Span{0, {}, Bytes{1 << 20}}, Span{0, {}, Bytes{1 << 20}}}, {}});
  const Topology topology = test::star(2, 1_Gbps, microseconds(5));
  const Routing routing(topology);
  SimulatedExecutor executor(topology, routing, profile, {false});
  struct Count final : Recorder {
    void operation(const OperationRecord&) override { ++operations; }
    std::int64_t operations = 0;
  } count;
  executor.execute(plan, count);
  EXPECT_EQ(count.operations, 2'000'001);
  EXPECT_EQ(executor.statistics().end, seconds(1));
}

TEST(Connection, OrderedMessagesFollowEachOther) {
  Profile profile = ideal_profile();
  const auto ends = [&](const Plan& plan) {
    std::vector<Duration> received(3);
    for (const auto& record : simulate(plan, test::star(2, 1_Gbps, microseconds(0)), profile).timeline.operations)
      if (record.rank == 1) received[record.stream] = record.end;
    return received;
  };
  const Plan plan = messages({125'000, 125'000, 125'000}, true);
  EXPECT_EQ(ends(plan), (std::vector<Duration>{milliseconds(3), milliseconds(3), milliseconds(3)}));
  profile.tcp.ordered = true;
  EXPECT_EQ(ends(plan), (std::vector<Duration>{milliseconds(1), milliseconds(2), milliseconds(3)}));
}

TEST(Connection, ASendIsDoneWhenItsLastByteIsInTheBuffer) {
  Profile profile = ideal_profile();
  profile.tcp.ordered = true;
  const auto ends = [&](const Plan& plan, Rank rank) {
    std::vector<Duration> all(plan.roles[0].streams.size());
    for (const auto& record : simulate(plan, test::star(2, 1_Gbps, microseconds(0)), profile).timeline.operations)
      if (record.rank == rank) all[record.stream] = record.end;
    return all;
  };
  using Times = std::vector<Duration>;
  const Plan plan = messages({250'000, 125'000, 125'000, 0}, true);
  const Times received{milliseconds(2), milliseconds(3), milliseconds(4), milliseconds(4)};
  EXPECT_EQ(ends(plan, 0), received) << "without a buffer: when it has left";
  EXPECT_EQ(ends(plan, 1), received);
  profile.tcp.send_buffer = Bytes{125'000};
  EXPECT_EQ(ends(plan, 0), (Times{milliseconds(1), milliseconds(2), milliseconds(3), milliseconds(3)}));
  EXPECT_EQ(ends(plan, 1), received) << "the data take as long as before";
  profile.tcp.send_buffer = Bytes{187'500};
  EXPECT_EQ(ends(plan, 0), (Times{microseconds(500), microseconds(1500), microseconds(2500), microseconds(2500)}));
  profile.tcp.send_buffer = Bytes{500'000};
  EXPECT_EQ(ends(plan, 0), Times(4, Duration{0}));
  profile.tcp.send_buffer = Bytes{0};
  EXPECT_EQ(ends(plan, 0), received);
}

TEST(Message, PassesSwitchesThatThisMachineHasToCarryItThrough) {
  Profile profile = ideal_profile();
  profile.tcp.switch_overhead = microseconds(3);
  EXPECT_EQ(time_of(messages({0}, false), profile), microseconds(10 + 3)) << "a star has one";
  Topology chain;
  chain.name = "chain";
  for (const char* name : {"h0", "h1"}) test::add_host(chain, name);
  for (const char* name : {"s0", "s1"}) chain.add_device({name, DeviceKind::network_switch, no_id, Duration{0}});
  for (const auto& [from, to] : {std::pair(0U, 2U), std::pair(2U, 3U), std::pair(3U, 1U)})
    chain.add_duplex(test::cable(from, to, 1_Gbps, microseconds(5)));
  chain.finish();
  EXPECT_EQ(simulate(messages({0}, false), chain, profile).statistics.end, microseconds(15 + 2 * 3));
  profile.tcp.switch_overhead = Duration{0};
  EXPECT_EQ(simulate(messages({0}, false), chain, profile).statistics.end, microseconds(15));
}

TEST(CommonStart, CostsWhatWakingUpCosts) {
  // A rank runs start_latency after the start, and then takes start_overhead of its processor.
  Plan plan = messages({125'000}, false);
  for (auto& role : plan.roles) {
    Mark mark;
    mark.name = "start";
    mark.together = mark.common_start = true;
    role.streams[0].items.insert(role.streams[0].items.begin(), Operation{"start", mark, {}});
  }
  Profile profile = ideal_profile();
  const Duration usual = time_of(plan, profile);
  profile.start_latency = microseconds(30);
  EXPECT_EQ(time_of(plan, profile), usual + microseconds(30));
  profile.start_overhead = microseconds(4);
  EXPECT_EQ(time_of(plan, profile), usual + microseconds(34));
  profile.cores = 1;  // two ranks, one after the other; the receiver's turn is over before the data are there
  EXPECT_EQ(time_of(plan, profile), usual + microseconds(34));
}

// Everyone sends to the next and receives from the one before, at the same time.
Plan shift(int ranks, std::int64_t count, bool combine) {
  Collective collective;
  collective.kind = combine ? CollectiveKind::reduce_scatter : CollectiveKind::all_to_all;
  collective.algorithm = combine ? "ring" : "pairwise";
  collective.count = count;
  collective.target = {0, {}, collective.size()};
  collective.source = combine ? collective.target : Span{1, {}, collective.size()};
  return test::plan_of({collective}, ranks);
}

TEST(Cores, ShareTheOverheadsOfAllRanks) {
  // One round of a pairwise exchange of 2: every rank sends for 3 us and receives for 4 us.
  MessageCost cost;
  cost.overhead = microseconds(3);
  cost.receive_overhead = microseconds(4);
  Profile profile = ideal_profile();
  profile.tcp.messages = {cost};
  const Plan plan = shift(2, 2, false);
  EXPECT_EQ(time_of(plan, profile, 1_Gbps, microseconds(10)), microseconds(3 + 20 + 4) + nanoseconds(32));
  profile.cores = 2;
  EXPECT_EQ(time_of(plan, profile, 1_Gbps, microseconds(10)), microseconds(3 + 20 + 4) + nanoseconds(32));
  profile.cores = 1;  // the second sends 3 us later, when the first receive is long done
  EXPECT_EQ(time_of(plan, profile, 1_Gbps, microseconds(10)),
            microseconds(6 + 20 + 4) + nanoseconds(32) + microseconds(1));
  // Many ranks at once on few cores: n senders take n/cores rounds of the overhead.
  Profile only_send = ideal_profile();
  cost.receive_overhead = Duration{0};
  only_send.tcp.messages = {cost};
  only_send.cores = 3;
  const Plan pairs = shift(8, 8, false);
  const Duration one = time_of(pairs, only_send, 1_Gbps, Duration{0});
  only_send.cores.reset();
  const Duration free = time_of(pairs, only_send, 1_Gbps, Duration{0});
  EXPECT_GT(one, free);
  // 8 ranks x 7 messages x 3 us on three cores cannot take less than this.
  EXPECT_GE(one, microseconds(8 * 7 * 3 / 3));
}

TEST(Reduction, CostsWhatIsLeftBehindTheLastByte) {
  Profile profile = ideal_profile();
  const std::int64_t count = 2 * 250'000;  // one message of 1 MB each way
  const Duration plain = time_of(shift(2, count, true), profile);
  EXPECT_EQ(plain, milliseconds(8) + microseconds(10));
  profile.reduction.intervals = {{std::nullopt, Duration{0}, Bandwidth::bytes_per_second(1'000'000'000)}};
  EXPECT_EQ(time_of(shift(2, count, true), profile), plain + milliseconds(1));
  profile.reduction.granularity = Bytes{100'000};  // the last piece
  EXPECT_EQ(time_of(shift(2, count, true), profile), plain + microseconds(100));
  profile.reduction.intervals = {
      {std::nullopt, Duration{0}, Bandwidth::bytes_per_second(62'500'000)}};  // slower than the wire: 16 ms for 8 ms
  EXPECT_EQ(time_of(shift(2, count, true), profile), plain + milliseconds(8));
  EXPECT_EQ(time_of(shift(2, count, false), profile), time_of(shift(2, count, false), ideal_profile()));
  // The rank copies while the message comes, 4 ms of what it sends and 2 ms of what it receives: 2 of 8 ms are left.
  MessageCost copies;
  copies.send_bandwidth = Bandwidth::bytes_per_second(250'000'000);
  copies.receive_bandwidth = Bandwidth::bytes_per_second(500'000'000);
  profile.tcp.messages = {copies};
  EXPECT_EQ(time_of(shift(2, count, true), profile), plain + milliseconds(16 - 2));
}

Collective sized(const Algorithm& algorithm, CollectiveKind kind, std::int64_t count, int ranks) {
  Collective collective;
  collective.kind = kind;
  collective.algorithm = algorithm.name;
  collective.count = kind == CollectiveKind::barrier ? 0 : count;
  collective.ranks_per_node = ranks % 2 == 0 ? 2 : 1;
  // Equal blocks: steps of unequal length meet others on their links when latencies shift them, and may gain by it.
  if (kind == CollectiveKind::all_to_all_v) collective.counts = zipf_counts(ranks, count, 0, 1);
  collective.target = {0, {}, collective.target_size()};
  collective.source = needs_separate_source(kind) ? Span{1, {}, collective.size()} : collective.target;
  return collective;
}

TEST(Monotone, MoreBytesOrLatencyTakeLongerAndMoreBandwidthDoesNot) {
  for (const auto& algorithm : algorithm_catalogue())
    for (const auto kind : algorithm.kinds)
      for (const int ranks : {2, 5, 8}) {
        Duration before{0};
        for (const std::int64_t count : {0, 64, 1 << 10, 1 << 14, 1 << 18}) {
          const Plan plan = test::plan_of({sized(algorithm, kind, count, ranks)}, ranks);
          const std::string what =
              fmt::format("{} {} {} ranks {} elements", algorithm.name, to_string(kind), ranks, count);
          const Duration time = time_of(plan, ideal_profile());
          EXPECT_GE(time, before) << what;
          before = time;
          EXPECT_GE(time_of(plan, ideal_profile(), 1_Gbps, microseconds(6)), time) << what;
          EXPECT_LE(time_of(plan, ideal_profile(), 2_Gbps), time) << what;
          // No faster than light, nor than what one host's link must carry.
          if (count == 0 && kind != CollectiveKind::barrier) continue;
          const Duration laden = time_of(plan, test::laden_profile());
          EXPECT_GE(std::min(time, laden), microseconds(10)) << what;
          std::map<Rank, std::int64_t> out;
          for (const auto& pair : traffic_of(plan, sized(algorithm, kind, count, ranks))) out[pair.from] += pair.bytes;
          for (const auto& [rank, bytes] : out)
            EXPECT_GE(std::min(time, laden), transfer_time(Bytes{bytes}, 1_Gbps) + microseconds(10)) << what;
        }
      }
}

TEST(Analytic, EqualsFlowWhereNothingIsShared) {
  for (const std::string algorithm : {"ring", "halving_doubling", "recursive_doubling"})
    for (const int ranks : {2, 4, 8, 16})
      for (const Bytes size : {64_KiB, 1_MiB, 16_MiB}) {
        Workload workload;
        workload.name = "one";
        CollectiveSpec spec;
        spec.algorithms = {algorithm};
        spec.sizes = {size};
        workload.collectives = {spec};
        const auto planned = plan_workload(workload, ranks);
        const Topology topology = test::star(ranks, 1_Gbps, microseconds(5));
        const Routing routing(topology);
        std::map<std::string, double> time;
        for (const auto& fidelity : fidelity_catalogue()) {
          Timeline timeline;
          time[fidelity.name] =
              fidelity.predict(topology, routing, ideal_profile(), planned, timeline).collectives.front().time_s;
        }
        ScheduleRequest request;
        request.size = ranks;
        request.count = size.count() / 4;
        const auto steps = find_algorithm(CollectiveKind::all_reduce, algorithm).cost(request).steps;
        EXPECT_NEAR(time["analytic"], time["flow"], 1e-12 * (static_cast<double>(steps) + 0.5))
            << algorithm << " " << ranks << " ranks " << size.count();
      }
}

TEST(SimulatedPlans, RefusesWhatItCannotRun) {
  const Topology topology = test::star(2, 1_Gbps, microseconds(5));
  EXPECT_THROW(simulate(test::pipeline(), topology, ideal_profile()), InputError);
  Plan stuck = messages({100}, false);
  stuck.roles[0].streams[0].items.clear();
  EXPECT_THROW(simulate(stuck, topology, ideal_profile()), RunFailure);
  Plan mismatch = messages({100}, false);
  std::get<Send>(std::get<Operation>(mismatch.roles[0].streams[0].items[0]).action).span.bytes = Bytes{99};
  EXPECT_THROW(simulate(mismatch, topology, ideal_profile()), RunFailure);
}

}  // namespace
}  // namespace lockstep::sim
