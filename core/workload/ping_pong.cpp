#include "core/workload/ping_pong.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/base/error.hpp"

namespace lockstep {
namespace {

constexpr GroupId near_pairs = 0;
constexpr GroupId far_pairs = 1;

// Number of the pair that `rank` belongs to; its lower rank begins. A rank without a partner has a pair of its own,
// with a number beyond those of any row.
int pair_of(const PingPongRow& row, Rank rank, int ranks) { return row.far ? rank % (ranks / 2) : rank / 2; }
bool begins(const PingPongRow& row, Rank rank, int ranks) { return row.far ? rank < ranks / 2 : rank % 2 == 0; }

// The program of one rank.
Role role_of(Rank rank, int ranks, const std::vector<PingPongRow>& rows, Bytes largest) {
  Role role;
  role.name = fmt::format("rank{}", rank);
  role.buffers = {{"message", largest}, {"other", largest}};
  Stream stream;
  stream.name = "main";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const PingPongRow& row = rows[i];
    Span span{0, {}, row.size};
    Span target{1, {}, row.size};
    if (row.fresh) span.offset.factor[1] = target.offset.factor[1] = row.size.count();
    const bool pings = begins(row, rank, ranks);
    const Peer partner{row.far ? far_pairs : near_pairs, false, pings ? 1 : 0};
    const Send send{partner, 0, span};
    const Receive receive{partner, 0, span};
    // A send and a receive of one step: neither rank waits with its receive until its send is done.
    Collective exchange;
    exchange.kind = CollectiveKind::send_recv;
    exchange.group = partner.group;
    exchange.algorithm = "direct";
    exchange.type = ElementType::int32;
    exchange.count = row.size.count() / 4;
    exchange.source = span;
    exchange.target = target;
    // Ranks that sit a row out have operations of the same number there, so that numbers mean the same in all roles.
    const bool active = pair_of(row, rank, ranks) < row.pairs;
    Repeat rounds;
    rounds.count = row.rounds + 1;
    rounds.warmup = 1;
    rounds.independent = true;
    if (row.fresh) {
      Collective all = exchange;
      all.count *= row.repetitions;
      all.source = {0, {}, row.footprint()};
      all.target = {1, {}, row.footprint()};
      const Action write = active ? Action(Fill{all}) : Action(Mark{"idle"});
      rounds.body.emplace_back(Operation{fmt::format("fresh{}", i), write, {}});
    }
    Repeat trips;
    trips.count = row.repetitions;
    const auto each = [&](Action first, Action second) {
      trips.body = {Operation{fmt::format("first{}", i), std::move(first), {}},
                    Operation{fmt::format("second{}", i), std::move(second), {}}};
    };
    if (!active)
      each(Mark{"idle"}, Mark{"idle"});
    else if (row.exchange)
      each(Mark{"exchange"}, exchange);
    else if (row.one_way)
      each(Mark{"one way"}, pings ? Action(send) : Action(receive));
    else if (pings)
      each(send, receive);
    else
      each(receive, send);
    rounds.body.push_back(Operation{fmt::format("start{}", i), Mark{"start", true, true}, {}});
    rounds.body.emplace_back(std::move(trips));
    rounds.body.push_back(Operation{fmt::format("finish{}", i), Mark{"finish", true, false}, {}});
    stream.items.emplace_back(std::move(rounds));
  }
  role.streams.push_back(std::move(stream));
  return role;
}

}  // namespace

PlannedPingPong plan_ping_pong(int ranks, const std::vector<PingPongRow>& rows) {
  PlannedPingPong planned;
  Plan& plan = planned.plan;
  plan.name = "ping_pong";
  plan.ranks = ranks;
  GroupFamily pairs;
  pairs.name = "pair";
  pairs.size = 2;
  pairs.groups = ranks / 2;
  plan.groups.push_back(pairs);
  const bool some_far = std::any_of(rows.begin(), rows.end(), [](const PingPongRow& row) { return row.far; });
  if (some_far) {
    LOCKSTEP_CHECK(ranks % 2 == 0, "far pairs of {} ranks", ranks);
    pairs.name = "far_pair";
    pairs.stride = ranks / 2;
    plan.groups.push_back(pairs);
  }
  Bytes largest{1};
  for (const auto& row : rows) {
    LOCKSTEP_CHECK(2 * row.pairs <= ranks, "{} pairs of {} ranks", row.pairs, ranks);
    LOCKSTEP_CHECK(row.exchange ? !row.one_way : row.one_way || !row.fresh, "a round trip moves the same data again");
    LOCKSTEP_CHECK(row.size.count() % 4 == 0 || !(row.exchange || row.fresh),
                   "exchanges move whole elements of 4 bytes, not {} bytes", row.size.count());
    largest = std::max(largest, row.footprint());
  }
  for (Rank rank = 0; rank < ranks; ++rank) {
    plan.roles.push_back(role_of(rank, ranks, rows, largest));
    plan.role_ranges.push_back({rank, rank, static_cast<std::uint32_t>(rank)});
  }
  std::uint32_t operation = 0;
  for (const auto& row : rows) {
    if (row.fresh) ++operation;
    planned.rows.push_back({row, operation, operation + 1, operation + 2});
    operation += 4;
  }
  return planned;
}

bool PlannedPingPong::active(const PingPongRow& row, Rank rank) const {
  return pair_of(row, rank, plan.ranks) < row.pairs;
}

std::vector<RoundTimes> round_times(const PlannedPingPong& planned, std::size_t row, const Timeline& timeline) {
  const auto& entry = planned.rows[row];
  struct Round {
    Duration start{0};
    std::map<Rank, std::int64_t> first_ordinal;  // of a rank's first message in the round
    Duration first{0};
    Duration last{0};
  };
  // Iterations are numbered anew in every row: only this row's operations make a round of it.
  std::map<std::int64_t, Round> rounds;
  for (const auto& record : timeline.operations) {
    if (record.warmup || !planned.active(entry.row, record.rank)) continue;
    if (record.operation == entry.start) rounds[record.iteration].start = record.end;
    if (record.operation != entry.second) continue;
    Round& round = rounds[record.iteration];
    round.last = std::max(round.last, record.end);
    const auto [known, fresh] = round.first_ordinal.try_emplace(record.rank, record.ordinal);
    if (!fresh) known->second = std::min(known->second, record.ordinal);
  }
  for (const auto& record : timeline.operations) {
    if (record.operation != entry.second || !planned.active(entry.row, record.rank)) continue;
    const auto round = rounds.find(record.iteration);
    if (round == rounds.end() || round->second.first_ordinal[record.rank] != record.ordinal) continue;
    round->second.first = std::max(round->second.first, record.end);
  }
  const std::int64_t one_way = entry.row.exchange || entry.row.one_way ? 1 : 2;
  std::vector<RoundTimes> times;
  for (const auto& [number, round] : rounds) {
    RoundTimes one;
    one.first_s = to_seconds(round.first - round.start);
    if (entry.row.repetitions > 1)
      one.message_s = to_seconds(round.last - round.first) / static_cast<double>((entry.row.repetitions - 1) * one_way);
    times.push_back(one);
  }
  return times;
}

}  // namespace lockstep
