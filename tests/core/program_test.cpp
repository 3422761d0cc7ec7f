// Question: do compiled programs run the loops and honour the waits that the plan has, seen unrolled?
#include "core/plan/program.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "core/base/error.hpp"
#include "core/plan/interpret.hpp"
#include "tests/plans.hpp"

namespace lockstep {
namespace {

// An operation as a naive reading unrolls it: its loops' indices, and which loops those are.
struct Unrolled {
  const Operation* operation = nullptr;
  LoopIndices indices{};
  std::vector<const Repeat*> loops;
  bool warmup = false;
};

void unroll(const std::vector<Item>& items, const Unrolled& outer, std::vector<Unrolled>& out) {
  for (const auto& item : items) {
    if (const auto* repeat = std::get_if<Repeat>(&item)) {
      for (std::int64_t i = 0; i < repeat->count; ++i) {
        Unrolled inner = outer;
        inner.indices[outer.loops.size()] = i;
        inner.loops.push_back(repeat);
        inner.warmup = inner.warmup || i < repeat->warmup;
        unroll(repeat->body, inner, out);
      }
    } else {
      Unrolled one = outer;
      one.operation = &std::get<Operation>(item);
      out.push_back(one);
    }
  }
}

// How many operations of the stream have to be done before `waiter` may start: up to the instance that the wait means.
std::int64_t needed(const Wait& wait, const Unrolled& waiter, const std::vector<Unrolled>& stream) {
  std::int64_t result = 0;
  for (std::size_t k = 0; k < stream.size(); ++k) {
    const Unrolled& candidate = stream[k];
    if (candidate.operation->name != wait.operation) continue;
    std::size_t common = 0;
    while (common < waiter.loops.size() && common < candidate.loops.size() &&
           waiter.loops[common]->count == candidate.loops[common]->count)
      ++common;
    bool meant = true;
    for (std::size_t d = 0; d < common; ++d)
      meant = meant &&
              candidate.indices[d] == waiter.indices[d] - (d + 1 == common ? wait.iterations_back : std::int64_t{0});
    if (meant) result = static_cast<std::int64_t>(k) + 1;  // deeper loops: the last
  }
  return result;
}

class RandomRole {
 public:
  explicit RandomRole(std::uint64_t seed) : random_(seed) {}
  Role make() {
    Role role;
    role.name = "role";
    role.buffers = {{"data", Bytes{8}}};
    for (int s = 0; s < 3; ++s) {
      names_.emplace_back();
      role.streams.push_back({fmt::format("s{}", s), items(s, 0)});
      if (names_.back().empty()) role.streams.back().items.emplace_back(operation(s));
    }
    for (auto& stream : role.streams) add_waits(stream.items);
    return role;
  }

 private:
  std::uint64_t draw(std::uint64_t most) { return random_() % (most + 1); }
  Operation operation(int stream) {
    auto& names = names_[static_cast<std::size_t>(stream)];
    names.push_back(fmt::format("o{}", names.size()));
    return {names.back(), Mark{"", false}, {}};
  }
  std::vector<Item> items(int stream, std::size_t depth) {
    std::vector<Item> all;
    for (std::uint64_t n = 1 + draw(2); n > 0; --n) {
      if (depth < max_loop_depth && draw(1) == 0) {
        Repeat repeat;
        repeat.count = static_cast<std::int64_t>(draw(3));
        repeat.warmup = std::min<std::int64_t>(repeat.count, static_cast<std::int64_t>(draw(1)));
        repeat.body = items(stream, depth + 1);
        all.emplace_back(std::move(repeat));
      } else {
        all.emplace_back(operation(stream));
      }
    }
    return all;
  }
  void add_waits(std::vector<Item>& all) {
    for (auto& item : all) {
      if (auto* repeat = std::get_if<Repeat>(&item)) {
        add_waits(repeat->body);
      } else if (draw(2) > 0) {
        const auto stream = static_cast<std::size_t>(draw(2));
        const auto& names = names_[stream];
        std::get<Operation>(item).waits.push_back(
            {fmt::format("s{}", stream), names[draw(names.size() - 1)], static_cast<std::int64_t>(draw(2))});
      }
    }
  }
  std::mt19937_64 random_;
  std::vector<std::vector<std::string>> names_;
};

TEST(Program, EqualsItsUnrolledPlan) {
  std::int64_t waits = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    const Role role = RandomRole(seed).make();
    const Program program = compile(role);
    std::vector<std::vector<Unrolled>> streams(role.streams.size());
    for (std::size_t s = 0; s < streams.size(); ++s) unroll(role.streams[s].items, {}, streams[s]);
    for (std::size_t s = 0; s < streams.size(); ++s) {
      Cursor cursor(program.streams[s]);
      for (std::size_t k = 0; k < streams[s].size(); ++k) {
        const Unrolled& expected = streams[s][k];
        ASSERT_FALSE(cursor.done()) << "seed " << seed;
        ASSERT_EQ(cursor.operation().operation, expected.operation) << "seed " << seed;
        ASSERT_EQ(cursor.completed(), static_cast<std::int64_t>(k));
        ASSERT_EQ(cursor.indices(), expected.indices) << "seed " << seed;
        ASSERT_EQ(cursor.warming_up(), expected.warmup) << "seed " << seed;
        ASSERT_EQ(program.by_id[cursor.operation().id], &cursor.operation());
        // A wait for what no iteration runs is no wait.
        std::vector<std::pair<std::uint32_t, std::int64_t>> have;
        std::vector<std::pair<std::uint32_t, std::int64_t>> want;
        for (const auto& wait : cursor.operation().waits)
          if (const auto n = wait.needed(cursor.indices()); n > 0) have.emplace_back(wait.stream, n);
        for (const auto& wait : expected.operation->waits) {
          const auto target = static_cast<std::uint32_t>(wait.stream[1] - '0');
          if (const auto n = needed(wait, expected, streams[target]); n > 0) want.emplace_back(target, n);
        }
        ASSERT_EQ(have, want) << "seed " << seed << ", stream " << s << ", " << expected.operation->name;
        waits += static_cast<std::int64_t>(want.size());
        cursor.advance();
      }
      ASSERT_TRUE(cursor.done()) << "seed " << seed;
    }
  }
  EXPECT_GT(waits, 5'000);
}

TEST(Program, OneIterationOfAnIndependentLoopIsTheLastAndCountsForAll) {
  Plan plan = test::two_streams(2, 10, false);
  for (auto& stream : plan.roles[0].streams) std::get<Repeat>(stream.items[0]).independent = true;
  const Program program = compile(plan.roles[0]);
  Cursor cursor(program.streams[0], true);
  EXPECT_EQ(cursor.indices()[0], 2);
  EXPECT_EQ(cursor.completed(), 8);
  EXPECT_FALSE(cursor.warming_up());
  for (int i = 0; i < 4; ++i) cursor.advance();
  EXPECT_TRUE(cursor.done());
  EXPECT_EQ(cursor.completed(), 12);
  // Waits between such streams are satisfied as if all iterations had run.
  InterpretOptions options;
  options.once = true;
  const auto run = test::interpret_with_random_data(plan, options);
  EXPECT_TRUE(run.outcome.stuck.empty()) << run.outcome.stuck.front();
  EXPECT_TRUE(order_violations(plan, run.timeline, true).empty());
}

TEST(Program, WaitsForUnknownNamesAreBrokenInvariants) {
  Role role{"role", {}, {{"main", {Operation{"x", Mark{}, {{"other", "x", 0}}}}}}};
  EXPECT_THROW(compile(role), BrokenInvariant);
  std::get<Operation>(role.streams[0].items[0]).waits = {{"main", "y", 0}};
  EXPECT_THROW(compile(role), BrokenInvariant);
}

}  // namespace
}  // namespace lockstep
