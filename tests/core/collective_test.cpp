// Question: does every algorithm do the right thing for any number of ranks and any size, at the cost that its formula
// states?
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <tuple>

#include "core/base/error.hpp"
#include "core/collective/binary_tree.hpp"
#include "core/collective/data.hpp"
#include "core/collective/ring_order.hpp"
#include "core/collective/schedule.hpp"
#include "core/collective/walk.hpp"
#include "core/plan/interpret.hpp"
#include "core/plan/plan.hpp"
#include "tests/shapes.hpp"

namespace lockstep {
namespace {

Plan one_collective(const Collective& prototype, int ranks, bool in_place) {
  Plan plan;
  plan.name = "test";
  plan.ranks = ranks;
  GroupFamily world;
  world.name = "world";
  world.size = ranks;
  plan.groups.push_back(world);
  Role role;
  role.name = "all";
  role.buffers = {{"target", prototype.target_size()}, {"source", prototype.size()}};
  Collective collective = prototype;
  collective.target = {0, {}, prototype.target_size()};
  collective.source =
      in_place && !needs_separate_source(prototype.kind) ? collective.target : Span{1, {}, prototype.size()};
  Stream stream;
  stream.name = "main";
  stream.items = {Operation{"fill", Fill{collective}, {}}, Operation{"start", Mark{"start", true, true}, {}},
                  Operation{"collective", collective, {}}, Operation{"verify", Verify{collective}, {}}};
  role.streams.push_back(stream);
  plan.roles.push_back(role);
  plan.role_ranges = {{0, ranks - 1, 0}};
  return plan;
}

// Rounds that the schedules of all ranks take when every message takes one round and steps wait for all their parts.
std::int64_t rounds_of(const ScheduleRequest& request, const Algorithm& algorithm) {
  struct Thread {
    std::unique_ptr<Schedule> schedule;
    Step step;
    std::int64_t time = 0;  // when its present step began
    bool done = false;
    bool held = false;               // its step waits for another thread
    std::vector<std::int64_t> ends;  // of its steps
  };
  struct Message {
    std::int64_t arrival;
  };
  std::map<std::tuple<int, int, int>, std::vector<Message>> lanes;
  std::map<std::tuple<int, int, int>, std::size_t> taken;
  std::vector<std::vector<Thread>> ranks(static_cast<std::size_t>(request.size));
  std::int64_t last = 0;
  const auto begin_step = [&](int rank, Thread& thread) {
    if (!thread.held && !thread.schedule->next(thread.step)) {
      thread.done = true;
      return;
    }
    thread.held = false;
    if (thread.step.after_thread >= 0 && thread.step.after_steps > 0) {
      const auto& ends = ranks[static_cast<std::size_t>(rank)][static_cast<std::size_t>(thread.step.after_thread)].ends;
      const auto needed = static_cast<std::size_t>(thread.step.after_steps);
      thread.held = ends.size() < needed;
      if (thread.held) return;
      thread.time = std::max(thread.time, ends[needed - 1]);
    }
    for (int s = 0; s < thread.step.send_count; ++s) {
      const auto& part = thread.step.sends[static_cast<std::size_t>(s)];
      lanes[{rank, part.peer, part.lane}].push_back({thread.time + 1});
    }
  };
  for (int r = 0; r < request.size; ++r) {
    ScheduleRequest own = request;
    own.rank = r;
    for (int t = 0; t < algorithm.threads(own); ++t)
      ranks[static_cast<std::size_t>(r)].push_back({algorithm.make(own, t), {}, 0, false, false, {}});
    for (auto& thread : ranks[static_cast<std::size_t>(r)]) begin_step(r, thread);
  }
  bool moved = true;
  while (moved) {
    moved = false;
    for (int r = 0; r < request.size; ++r) {
      for (auto& thread : ranks[static_cast<std::size_t>(r)]) {
        if (thread.done) continue;
        if (thread.held) {
          begin_step(r, thread);
          moved = moved || !thread.held;
          continue;
        }
        bool complete = true;
        std::int64_t end = thread.time + (thread.step.send_count > 0 ? 1 : 0);
        std::map<std::tuple<int, int, int>, std::size_t> used;
        for (int s = 0; s < thread.step.receive_count; ++s) {
          const auto& part = thread.step.receives[static_cast<std::size_t>(s)];
          const std::tuple<int, int, int> key{part.peer, r, part.lane};
          const std::size_t at = taken[key] + used[key];
          if (at >= lanes[key].size())
            complete = false;
          else
            end = std::max(end, lanes[key][at].arrival);
          ++used[key];
        }
        if (!complete) continue;
        for (const auto& [key, count] : used) taken[key] += count;
        thread.time = end;
        thread.ends.push_back(end);
        last = std::max(last, end);
        begin_step(r, thread);
        moved = true;
      }
    }
  }
  for (auto& rank : ranks)
    for (auto& thread : rank) EXPECT_TRUE(thread.done);
  return last;
}

std::vector<int> rank_counts() {
  std::vector<int> counts;
  for (int n = 1; n <= 17; ++n) counts.push_back(n);
  counts.push_back(32);
  counts.push_back(64);
  return counts;
}

class EveryAlgorithm : public testing::TestWithParam<std::tuple<std::string, CollectiveKind>> {};

std::vector<std::tuple<std::string, CollectiveKind>> pairs() {
  std::vector<std::tuple<std::string, CollectiveKind>> all;
  for (const auto& algorithm : algorithm_catalogue())
    for (const auto kind : algorithm.kinds) all.emplace_back(algorithm.name, kind);
  return all;
}

TEST_P(EveryAlgorithm, ValidatesAndInterpretsRightly) {
  const auto& [name, kind] = GetParam();
  int number = 0;
  for (const int n : rank_counts()) {
    for (const std::int64_t count : {0, 1, 2, n - 1, n, n + 1, 3 * n + 2, 1021}) {
      Collective collective;
      collective.kind = kind;
      collective.algorithm = name;
      collective.count = kind == CollectiveKind::barrier ? 0 : count;
      // Types, reductions, roots, channels and places vary along the way rather than all with all.
      ++number;
      collective.type = static_cast<ElementType>(number % 4);
      collective.reduction = static_cast<Reduction>(number / 4 % 4);
      collective.root = number % n;
      collective.channels = 1 + number % 3;
      collective.chunk = number % 5 == 0 ? Bytes{64} : Bytes{0};
      test::give_shape(collective, n, number);
      const Plan plan = one_collective(collective, n, number % 2 == 0);
      if (n <= 17) {
        const auto findings = validate(plan);
        ASSERT_TRUE(findings.empty()) << findings.front().where << ": " << findings.front().message << " (" << n
                                      << " ranks, " << count << " elements)";
      }
      InterpretOptions options;
      options.shuffle = static_cast<std::uint64_t>(number % 3);
      Timeline timeline(true);
      const auto result = Interpreter(options).interpret(plan, timeline);
      ASSERT_TRUE(result.stuck.empty()) << result.stuck.front() << " (" << n << " ranks, " << count << " elements)";
      ASSERT_TRUE(result.leftovers.empty()) << result.leftovers.front();
      ASSERT_EQ(result.wrong, 0) << name << " " << to_string(kind) << ", " << n << " ranks, " << count << " elements, "
                                 << to_string(collective.type) << " " << to_string(collective.reduction) << ", root "
                                 << collective.root;
      if (n <= 8) {
        const auto violations = order_violations(plan, timeline);
        ASSERT_TRUE(violations.empty()) << violations.front();
      }
    }
  }
}

TEST_P(EveryAlgorithm, CostsWhatItsFormulaSays) {
  const auto& [name, kind] = GetParam();
  const Algorithm& algorithm = find_algorithm(kind, name);
  int number = 0;
  for (int n = 2; n <= 64; ++n) {
    for (const std::int64_t count : {1, n - 1, n, 3 * n + 1, 4096, 100003}) {
      for (const int channels : {1, 2}) {
        Collective collective;
        collective.kind = kind;
        collective.algorithm = name;
        collective.count = kind == CollectiveKind::barrier ? 0 : count;
        collective.root = n / 2;
        collective.channels = channels;
        collective.chunk = number / 2 % 3 == 0 ? Bytes{400} : Bytes{0};
        test::give_shape(collective, n, ++number);
        ScheduleRequest request = request_for(collective, {0, 0, n});
        const Cost cost = algorithm.cost(request);
        std::int64_t messages = 0;
        std::int64_t bytes = 0;
        for (int r = 0; r < n; ++r) {
          request.rank = r;
          Step step;
          for (int t = 0; t < algorithm.threads(request); ++t) {
            const auto schedule = algorithm.make(request, t);
            while (schedule->next(step)) {
              for (int s = 0; s < step.send_count; ++s) {
                ++messages;
                bytes += step.sends[static_cast<std::size_t>(s)].count * 4;
              }
            }
          }
        }
        const std::string where = fmt::format("{} {}, {} ranks, {} elements, {} channels, chunk {}", name,
                                              to_string(kind), n, count, channels, collective.chunk.count());
        EXPECT_EQ(messages, cost.messages) << where;
        EXPECT_EQ(bytes, cost.bytes) << where;
        std::int64_t rounds = 0;
        for (const auto& phase : cost.phases) rounds += phase.rounds;
        EXPECT_EQ(rounds, cost.steps) << where;
        if (n <= 33 && count >= n) {
          request.rank = 0;
          // Where some have nothing for each other, those are not waited for.
          if (kind == CollectiveKind::all_to_all_v)
            EXPECT_LE(rounds_of(request, algorithm), cost.steps) << where;
          else
            EXPECT_EQ(rounds_of(request, algorithm), cost.steps) << where;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Catalogue, EveryAlgorithm, testing::ValuesIn(pairs()), [](const auto& pair) {
  return std::get<0>(pair.param) + "_" + std::string(to_string(std::get<1>(pair.param)));
});

TEST(DoubleBinaryTree, IsATreeAndNoPositionIsInnerTwice) {
  for (int n = 1; n <= 130; ++n) {
    std::vector<int> inner(static_cast<std::size_t>(n), 0);
    for (int tree = 0; tree < 2; ++tree) {
      int roots = 0;
      for (int p = 0; p < n; ++p) {
        const TreePlace place = double_tree_place(n, p, tree);
        if (place.parent < 0) {
          ++roots;
          EXPECT_EQ(p, double_tree_root(n, tree));
        } else {
          const TreePlace parent = double_tree_place(n, place.parent, tree);
          EXPECT_TRUE(parent.children[0] == p || parent.children[1] == p) << n << " " << p << " " << tree;
        }
        for (int c = 0; c < place.child_count; ++c)
          EXPECT_EQ(double_tree_place(n, place.children[static_cast<std::size_t>(c)], tree).parent, p);
        if (place.child_count > 0) ++inner[static_cast<std::size_t>(p)];
        int depth = 0;
        for (int q = p; double_tree_place(n, q, tree).parent >= 0; q = double_tree_place(n, q, tree).parent)
          ASSERT_LE(++depth, n);
        EXPECT_LE(depth, double_tree_height(n, tree));
      }
      EXPECT_EQ(roots, 1);
    }
    for (int p = 0; p < n && n > 2; ++p)
      EXPECT_LE(inner[static_cast<std::size_t>(p)], 1) << "position " << p << " of " << n;
  }
}

TEST(Data, WrongElementsAreFound) {
  DataRequest request;
  request.size = 4;
  request.count = 100;
  std::vector<std::byte> data(400);
  fill_input(request, data, data);
  EXPECT_GT(count_wrong(request, data), 50);  // nobody has reduced yet
}

TEST(Algorithms, UnknownNamesAndWrongKindsAreRefused) {
  try {
    find_algorithm(CollectiveKind::all_reduce, "rign");
    FAIL();
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(),
                 "unknown algorithm 'rign'; did you mean 'ring'? known: ring, tree, halving_doubling, "
                 "recursive_doubling, pairwise, direct, dissemination, binomial, bruck, pat, torus, hierarchical, "
                 "hierarchical_leader, in_network");
  }
  try {
    find_algorithm(CollectiveKind::all_to_all, "ring");
    FAIL();
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(), "algorithm 'ring' does not do all_to_all; those that do: pairwise, direct, bruck");
  }
}

// Parts without what a symmetry lets differ: offsets, and peers seen from rank 0.
std::vector<std::tuple<int, std::int64_t, std::int64_t, bool, bool>> seen_from_itself(const Step& step, int rank, int n,
                                                                                      Symmetry::Kind kind) {
  std::vector<std::tuple<int, std::int64_t, std::int64_t, bool, bool>> parts;
  const auto peer = [&](int other) { return kind == Symmetry::Kind::rotation ? (other - rank + n) % n : other ^ rank; };
  for (std::uint8_t s = 0; s < step.send_count; ++s)
    parts.emplace_back(peer(step.sends[s].peer), step.sends[s].lane, step.sends[s].count, false, false);
  for (std::uint8_t r = 0; r < step.receive_count; ++r)
    parts.emplace_back(~peer(step.receives[r].peer), step.receives[r].lane, step.receives[r].count,
                       step.receives[r].combine, step.receives[r].finish);
  parts.emplace_back(0, 0, step.copy.count, false, false);
  return parts;
}

TEST(Schedules, AreAsSymmetricAndAsRepetitiveAsTheySay) {
  int symmetric = 0;
  int repetitive = 0;
  for (const auto& algorithm : algorithm_catalogue())
    for (const auto kind : algorithm.kinds)
      for (const int n : {1, 2, 3, 4, 5, 6, 8, 12, 16, 32})
        for (const std::int64_t count : {std::int64_t{0}, std::int64_t{1}, std::int64_t{n}, std::int64_t{97},
                                         std::int64_t{n} * 60, std::int64_t{n} * 60 + 1})
          for (const int channels : {1, 2, 3}) {
            Collective collective;
            collective.kind = kind;
            collective.algorithm = algorithm.name;
            collective.count = kind == CollectiveKind::barrier ? 0 : count;
            collective.channels = channels;
            collective.chunk = (n + channels) % 2 == 0 ? Bytes{100} : Bytes{0};
            test::give_shape(collective, n, n + channels);
            collective.target = {0, {}, collective.size()};
            const bool in_place = n % 2 == 0 && !needs_separate_source(kind);
            collective.source = in_place ? collective.target : Span{1, {}, collective.size()};
            ScheduleRequest request = request_for(collective, {0, 0, n});
            if (algorithm.refusal != nullptr && !algorithm.refusal(request).empty()) continue;
            std::vector<std::vector<std::vector<Step>>> steps(static_cast<std::size_t>(n));
            for (int r = 0; r < n; ++r) {
              request.rank = r;
              for (int t = 0; t < algorithm.threads(request); ++t) {
                auto& thread = steps[static_cast<std::size_t>(r)].emplace_back();
                const auto schedule = algorithm.make(request, t);
                std::vector<std::int64_t> repeats;
                Step step;
                while (schedule->next(step)) {
                  thread.push_back(step);
                  repeats.push_back(schedule->repeats());
                }
                for (std::size_t s = 0; s < thread.size(); ++s) {
                  ASSERT_LT(s + static_cast<std::size_t>(repeats[s]), thread.size());
                  repetitive += repeats[s] > 0 ? 1 : 0;
                  for (std::size_t k = 1; k <= static_cast<std::size_t>(repeats[s]); ++k)
                    ASSERT_EQ(seen_from_itself(thread[s + k], 0, n, Symmetry::Kind::rotation),
                              seen_from_itself(thread[s], 0, n, Symmetry::Kind::rotation))
                        << algorithm.name << " " << to_string(kind) << " n=" << n << " count=" << count << " step "
                        << s;
                }
                // Left out, they are left out.
                const auto again = algorithm.make(request, t);
                std::size_t at = 0;
                while (again->next(step)) {
                  ASSERT_EQ(seen_from_itself(step, 0, n, Symmetry::Kind::rotation),
                            seen_from_itself(thread.at(at), 0, n, Symmetry::Kind::rotation));
                  at += 1 + static_cast<std::size_t>(again->repeats());
                  again->skip(again->repeats());
                }
                ASSERT_EQ(at, thread.size());
              }
            }
            const Symmetry symmetry = algorithm.symmetry != nullptr ? algorithm.symmetry(request) : Symmetry{};
            if (symmetry.kind == Symmetry::Kind::none) continue;
            ++symmetric;
            const int period = symmetry.kind == Symmetry::Kind::rotation ? symmetry.period : 1;
            for (int r = 0; r < n; ++r) {
              const auto& mine = steps[static_cast<std::size_t>(r)];
              const auto& other = steps[static_cast<std::size_t>(r % period)];
              ASSERT_EQ(mine.size(), other.size());
              for (std::size_t t = 0; t < mine.size(); ++t) {
                ASSERT_EQ(mine[t].size(), other[t].size())
                    << algorithm.name << " " << to_string(kind) << " n=" << n << " count=" << count << " rank " << r;
                for (std::size_t s = 0; s < mine[t].size(); ++s)
                  ASSERT_EQ(seen_from_itself(mine[t][s], r, n, symmetry.kind),
                            seen_from_itself(other[t][s], r % period, n, symmetry.kind))
                      << algorithm.name << " " << to_string(kind) << " n=" << n << " count=" << count << " rank " << r;
              }
            }
          }
  EXPECT_GT(symmetric, 500);
  EXPECT_GT(repetitive, 500);
}

// A route may depend on the channel: both ends of a message have to name the same one.
TEST(Schedules, AMessageIsOfOneChannelAtBothEnds) {
  int messages = 0;
  for (const auto& algorithm : algorithm_catalogue())
    for (const auto kind : algorithm.kinds)
      for (const int n : {2, 5, 8, 12}) {
        Collective collective;
        collective.kind = kind;
        collective.algorithm = algorithm.name;
        collective.count = kind == CollectiveKind::barrier ? 0 : 600;
        collective.channels = 3;
        test::give_shape(collective, n, n);
        collective.target = {0, {}, collective.target_size()};
        collective.source = {1, {}, collective.size()};
        ScheduleRequest request = request_for(collective, {0, 0, n});
        if (algorithm.refusal != nullptr && !algorithm.refusal(request).empty()) continue;
        std::map<std::tuple<int, int, int>, int> channel_of;  // by sender, receiver, lane
        const auto note = [&](int from, int to, const Part& part) {
          const auto [entry, fresh] = channel_of.try_emplace({from, to, part.lane}, part.channel);
          ASSERT_EQ(entry->second, part.channel)
              << algorithm.name << " " << to_string(kind) << " n=" << n << ": " << from << " to " << to;
          ASSERT_LT(part.channel, request.channels) << algorithm.name << " " << to_string(kind);
          ++messages;
        };
        for (int r = 0; r < n; ++r) {
          request.rank = r;
          for (int t = 0; t < algorithm.threads(request); ++t) {
            const auto schedule = algorithm.make(request, t);
            Step step;
            while (schedule->next(step)) {
              for (std::uint8_t i = 0; i < step.send_count; ++i) note(r, step.sends[i].peer, step.sends[i]);
              for (std::uint8_t i = 0; i < step.receive_count; ++i) note(step.receives[i].peer, r, step.receives[i]);
            }
          }
        }
      }
  EXPECT_GT(messages, 5000);
}

TEST(RingOrder, ChannelsCrossBetweenNodesAtRanksOfTheirOwn) {
  for (const int nodes : {2, 3, 4, 6})
    for (const int per_node : {2, 4, 5, 8}) {
      ScheduleRequest request;
      request.size = nodes * per_node;
      request.ranks_per_node = per_node;
      request.channels = per_node;
      std::vector<int> leave(static_cast<std::size_t>(request.size), 0);  // how often a rank sends to another node
      for (int channel = 0; channel < per_node; ++channel) {
        const RingOrder order(request, channel);
        std::vector<bool> seen(static_cast<std::size_t>(request.size), false);
        for (int position = 0; position < request.size; ++position) {
          const int rank = order.rank_at(position);
          const int next = order.after(position);
          EXPECT_FALSE(seen[static_cast<std::size_t>(rank)]);
          seen[static_cast<std::size_t>(rank)] = true;
          EXPECT_EQ(order.position_of(rank), position);
          EXPECT_EQ(order.before(position == request.size - 1 ? 0 : position + 1), rank);
          if (rank / per_node == next / per_node) continue;
          ++leave[static_cast<std::size_t>(rank)];
          // On one rail, but for the way back from the last of an odd number of nodes.
          if (nodes % 2 == 0 || position != request.size - 1) {
            EXPECT_EQ(rank % per_node, next % per_node);
          }
        }
      }
      for (const int times : leave) EXPECT_EQ(times, 1);
    }
  ScheduleRequest one;
  one.size = 8;
  one.ranks_per_node = 4;
  EXPECT_EQ(RingOrder(one, 0).rank_at(5), 5) << "a single ring is in order of the ranks";
  one.channels = 2;
  one.ranks_per_node = 8;
  EXPECT_EQ(RingOrder(one, 1).rank_at(5), 5) << "so are those of a single node";
}

}  // namespace
}  // namespace lockstep
