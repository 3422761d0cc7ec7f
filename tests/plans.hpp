// Plans that several rooms run: every algorithm in many sizes, streams that wait for each other, messages without
// collectives. And seeded data to put in them, whose sums depend on the order of adding.
#pragma once

#include <fmt/format.h>

#include <cstring>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/base/hash.hpp"
#include "core/collective/schedule.hpp"
#include "core/plan/interpret.hpp"
#include "core/plan/plan.hpp"
#include "tests/shapes.hpp"

namespace lockstep::test {

inline GroupFamily everyone(const std::string& name, int ranks) {
  GroupFamily group;
  group.name = name;
  group.size = ranks;
  return group;
}

/// Every algorithm and kind in these sizes; types, reductions, roots, channels and pipelining vary along the way.
inline std::vector<Collective> varied_collectives(int ranks, const std::vector<std::int64_t>& counts) {
  std::vector<Collective> all;
  int number = ranks;
  for (const auto& algorithm : algorithm_catalogue())
    for (const auto kind : algorithm.kinds)
      for (const std::int64_t count : counts) {
        Collective collective;
        collective.kind = kind;
        collective.algorithm = algorithm.name;
        collective.count = kind == CollectiveKind::barrier ? 0 : count;
        ++number;
        collective.type = static_cast<ElementType>(number % 4);
        collective.reduction = static_cast<Reduction>(number / 4 % 4);
        collective.root = number % ranks;
        collective.channels = 1 + number % 3;
        collective.chunk = number % 5 == 0 ? Bytes{4096} : Bytes{0};
        give_shape(collective, ranks, number);
        const bool in_place = number % 2 == 0 && !needs_separate_source(kind);
        collective.target = {0, {}, collective.target_size()};
        collective.source = in_place ? collective.target : Span{1, {}, collective.size()};
        all.push_back(collective);
      }
  return all;
}

/// 0, 1, n-1, n+1, a prime, and one of about 300 KiB.
inline std::vector<std::int64_t> odd_counts(int ranks) { return {0, 1, ranks - 1, ranks + 1, 1021, 76'801}; }

/// The number behind the colon of a Verify's name is the group: what the runs of one plan are compared by.
inline Operation verify(const std::string& name, const Collective& collective) {
  return Operation{fmt::format("{}:{}", name, collective.group), Verify{collective}, {}};
}

/// One collective after another on one stream, each between a common start and a check.
inline Plan plan_of(const std::vector<Collective>& collectives, int ranks) {
  Plan plan;
  plan.name = "collectives";
  plan.ranks = ranks;
  plan.groups.push_back(everyone("world", ranks));
  Bytes largest{0};
  Stream stream;
  stream.name = "main";
  for (std::size_t i = 0; i < collectives.size(); ++i) {
    const Collective& collective = collectives[i];
    largest = std::max(largest, collective.target_size());
    stream.items.emplace_back(Operation{fmt::format("fill{}", i), Fill{collective}, {}});
    stream.items.emplace_back(Operation{fmt::format("start{}", i), Mark{"start", true, true}, {}});
    stream.items.emplace_back(Operation{fmt::format("collective{}", i), collective, {}});
    stream.items.emplace_back(verify(fmt::format("verify{}", i), collective));
  }
  plan.roles = {{"all", {{"target", largest}, {"source", largest}}, {stream}}};
  plan.role_ranges = {{0, ranks - 1, 0}};
  return plan;
}

/// Two streams with a group each: rings and trees at the same time in loops of three; the second waits for the
/// iteration before in the first. `together`: the first one's iterations begin with a common start, while the second
/// may be at work.
inline Plan two_streams(int ranks, std::int64_t count, bool together) {
  Plan plan;
  plan.name = "two streams";
  plan.ranks = ranks;
  plan.groups = {everyone("left", ranks), everyone("right", ranks)};
  const auto collective = [&](GroupId group, const std::string& algorithm, BufferId buffer) {
    Collective c;
    c.algorithm = algorithm;
    c.group = group;
    c.count = count;
    c.channels = 2;
    c.target = c.source = {buffer, {}, c.size()};
    return c;
  };
  const Collective left = collective(0, "ring", 0);
  const Collective right = collective(1, "tree", 1);
  Stream first{"first", {}};
  Repeat loop;
  loop.count = 3;
  loop.warmup = 1;
  loop.body.push_back(Operation{"fill", Fill{left}, {}});
  if (together) loop.body.push_back(Operation{"start", Mark{"start", true, true}, {}});
  loop.body.push_back(Operation{"ring", left, {}});
  loop.body.push_back(verify("verify", left));
  loop.body.push_back(Operation{"keep", Copy{left.target, Span{2, {}, left.size()}}, {}});
  first.items.emplace_back(loop);
  Stream second{"second", {}};
  Repeat other;
  other.count = 3;
  other.body.push_back(Operation{"fill", Fill{right}, {}});
  other.body.push_back(Operation{"tree", right, {{"first", "ring", 1}}});
  other.body.push_back(Operation{"add",
                                 Combine{Span{2, {}, left.size()}, right.target, ElementType::float32, Reduction::sum},
                                 {{"first", "keep", 0}}});
  other.body.push_back(verify("verify", right));
  second.items.emplace_back(other);
  // The first overwrites what the second adds: not before it is done.
  std::get<Operation>(std::get<Repeat>(first.items[0]).body.back()).waits.push_back({"second", "verify:1", 1});
  plan.roles = {{"all", {{"left", left.size()}, {"right", right.size()}, {"kept", left.size()}}, {first, second}}};
  plan.role_ranges = {{0, ranks - 1, 0}};
  return plan;
}

inline Collective whole_buffer(BufferId buffer, std::int64_t count) {
  Collective c;
  c.count = count;
  c.target = c.source = {buffer, {}, c.size()};
  return c;
}

/// Two ranks that answer each other, five times, a small message and a large one each, at offsets that move along.
inline Plan ping_pong() {
  constexpr std::int64_t small = 100;
  constexpr std::int64_t large = 300'000;
  constexpr std::int64_t rounds = 5;
  Plan plan;
  plan.name = "ping-pong";
  plan.ranks = 2;
  plan.groups = {everyone("world", 2)};
  const Collective data = whole_buffer(0, rounds * (small + large) / 4);
  Affine at_small;
  at_small.factor[0] = small;
  Affine at_large;
  at_large.base = rounds * small;
  at_large.factor[0] = large;
  const Span first{0, at_small, Bytes{small}};
  const Span second{0, at_large, Bytes{large}};
  const Peer other{0, true, 1};
  const auto role = [&](const std::string& name, bool begins) {
    Repeat loop;
    loop.count = rounds;
    const std::vector<Item> out{Operation{"send", Send{other, 7, first}, {}},
                                Operation{"send more", Send{other, 7, second}, {}}};
    const std::vector<Item> in{Operation{"receive", Receive{other, 7, first}, {}},
                               Operation{"receive more", Receive{other, 7, second}, {}}};
    for (const auto* part : {begins ? &out : &in, begins ? &in : &out})
      loop.body.insert(loop.body.end(), part->begin(), part->end());
    Stream stream{"main", {Operation{"fill", Fill{data}, {}}, loop, verify("verify", data)}};
    return Role{name, {{"data", data.size()}}, {stream}};
  };
  plan.roles = {role("ping", true), role("pong", false)};
  plan.role_ranges = {{0, 0, 0}, {1, 1, 1}};
  return plan;
}

/// Three stages: each adds its own data to what comes in and passes it on; receiving, adding and sending are streams of
/// their own, and a slot is not received into before the one two before has been passed on.
inline Plan pipeline() {
  constexpr std::int64_t slot = 120'000;
  constexpr std::int64_t batches = 4;
  Plan plan;
  plan.name = "pipeline";
  plan.ranks = 3;
  plan.groups = {everyone("world", 3)};
  const Collective own = whole_buffer(0, batches * slot / 4);
  const Collective passed = whole_buffer(1, batches * slot / 4);
  Affine at;
  at.factor[0] = slot;
  const Span mine{0, at, Bytes{slot}};
  const Span theirs{1, at, Bytes{slot}};
  const auto loop = [](Operation operation) {
    Repeat repeat;
    repeat.count = batches;
    repeat.body.push_back(std::move(operation));
    return repeat;
  };
  const auto role = [&](const std::string& name, bool first, bool last) {
    Role r{name, {{"own", own.size()}, {"passed", passed.size()}}, {}};
    Stream setup{"setup", {Operation{"fill", Fill{own}, {}}, Operation{"clear", Fill{passed}, {}}}};
    Stream in{"in", {}};
    Stream work{"work", {}};
    Stream out{"out", {}};
    if (!first) {
      Operation receive{"receive", Receive{Peer{0, true, -1}, 3, theirs}, {{"setup", "clear", 0}}};
      if (!last) receive.waits.push_back({"out", "send", 2});
      in.items.emplace_back(loop(receive));
    }
    Operation add{"add", Combine{mine, theirs, ElementType::float32, Reduction::sum}, {{"setup", "clear", 0}}};
    if (!first) add.waits.push_back({"in", "receive", 0});
    work.items.emplace_back(loop(add));
    if (!last) out.items.emplace_back(loop(Operation{"send", Send{Peer{0, true, 1}, 3, theirs}, {{"work", "add", 0}}}));
    Operation check = verify("verify", passed);
    check.waits.push_back(last ? Wait{"work", "add", 0} : Wait{"out", "send", 0});
    setup.items.emplace_back(check);
    r.streams = {setup, in, work, out};
    return r;
  };
  plan.roles = {role("first", true, false), role("middle", false, false), role("last", false, true)};
  plan.role_ranges = {{0, 0, 0}, {1, 1, 1}, {2, 2, 2}};
  return plan;
}

/// Values of this rank and place whose sums depend on the order of adding.
inline void put_random(Rank rank, const Collective& collective, std::span<std::byte> data) {
  std::uint64_t state = mix64(static_cast<std::uint64_t>(rank) << 32 ^ static_cast<std::uint64_t>(collective.count));
  const auto width = element_bytes(collective.type);
  for (std::size_t at = 0; at + width <= data.size(); at += width) {
    state = mix64(state);
    const double value = static_cast<double>(static_cast<std::int64_t>(state)) / 9.3e18;
    if (collective.type == ElementType::float64) {
      std::memcpy(data.data() + at, &value, sizeof value);
    } else if (collective.type == ElementType::float32 || collective.type == ElementType::bfloat16) {
      const auto single = static_cast<float>(value);
      // The upper half of a float is a bfloat16.
      std::memcpy(data.data() + at, reinterpret_cast<const std::byte*>(&single) + (4 - width), width);
    } else {
      std::memcpy(data.data() + at, &state, width);
    }
  }
}

inline std::uint64_t fingerprint(std::span<const std::byte> data) {
  std::uint64_t hash = data.size();
  for (std::size_t at = 0; at < data.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, data.data() + at, std::min<std::size_t>(8, data.size() - at));
    hash = mix64(hash ^ word);
  }
  return hash;
}

/// Fingerprints of what every Verify saw, in order, by rank and group.
using Seen = std::map<std::pair<Rank, GroupId>, std::vector<std::uint64_t>>;

inline GroupId group_of_verify(const std::string& name) {
  return static_cast<GroupId>(std::stoul(name.substr(name.find(':') + 1)));
}

struct Interpreted {
  Interpretation outcome;
  Timeline timeline{true};
  Seen seen;
};
inline Interpreted interpret_with_random_data(const Plan& plan, const InterpretOptions& options = {}) {
  Interpreted run;
  Interpreter interpreter(options);
  interpreter.on_fill = [](Rank rank, const Collective& collective, std::span<std::byte> source, std::span<std::byte>) {
    put_random(rank, collective, source);
  };
  interpreter.on_verify = [&](Rank rank, const std::string& name, std::span<const std::byte> target) {
    run.seen[{rank, group_of_verify(name)}].push_back(fingerprint(target));
  };
  run.outcome = interpreter.interpret(plan, run.timeline);
  return run;
}

}  // namespace lockstep::test
