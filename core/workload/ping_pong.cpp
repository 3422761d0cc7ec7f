#include "core/workload/ping_pong.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/base/error.hpp"

namespace lockstep {
namespace {

enum class Part { ping, pong };

// The program of the ranks that take part in rows with at least `least_pairs` pairs.
Role role_of(const std::string& name, const std::vector<PingPongRow>& rows, Part part, int least_pairs, Bytes largest) {
  Role role;
  role.name = name;
  role.buffers.push_back({"message", largest});
  Stream stream;
  stream.name = "main";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const PingPongRow& row = rows[i];
    const Span span{0, {}, row.size};
    const Send send{{0, false, part == Part::ping ? 1 : 0}, 0, span};
    const Receive receive{{0, false, part == Part::ping ? 1 : 0}, 0, span};
    // Ranks that sit a row out have operations of the same number there, so that numbers mean the same in all roles.
    const bool active = row.pairs >= least_pairs;
    Repeat trips;
    trips.count = row.repetitions;
    if (!active) {
      trips.body = {Operation{fmt::format("first{}", i), Mark{"idle"}, {}},
                    Operation{fmt::format("second{}", i), Mark{"idle"}, {}}};
    } else if (part == Part::ping) {
      trips.body = {Operation{fmt::format("first{}", i), send, {}}, Operation{fmt::format("second{}", i), receive, {}}};
    } else {
      trips.body = {Operation{fmt::format("first{}", i), receive, {}}, Operation{fmt::format("second{}", i), send, {}}};
    }
    Repeat rounds;
    rounds.count = row.rounds + 1;
    rounds.warmup = 1;
    rounds.independent = true;
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
  Bytes largest{1};
  for (const auto& row : rows) {
    LOCKSTEP_CHECK(2 * row.pairs <= ranks, "{} pairs of {} ranks", row.pairs, ranks);
    largest = std::max(largest, row.size);
  }
  for (Rank rank = 0; rank < ranks; ++rank) {
    const int pair = rank / 2;
    const bool alone = rank + 1 == ranks && ranks % 2 == 1;
    const int least = alone ? ranks : pair + 1;
    plan.roles.push_back(
        role_of(fmt::format("rank{}", rank), rows, rank % 2 == 0 ? Part::ping : Part::pong, least, largest));
    plan.role_ranges.push_back({rank, rank, static_cast<std::uint32_t>(rank)});
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto base = static_cast<std::uint32_t>(4 * i);
    planned.rows.push_back({rows[i], base, base + 1, base + 2});
  }
  return planned;
}

std::vector<double> one_way_times(const PlannedPingPong& planned, std::size_t row, const Timeline& timeline) {
  const auto& entry = planned.rows[row];
  // By rank and round: round trips in order.
  std::map<std::pair<Rank, std::int64_t>,
           std::pair<std::vector<const OperationRecord*>, std::vector<const OperationRecord*>>>
      trips;
  for (const auto& record : timeline.operations) {
    if (record.warmup || record.rank % 2 != 0 || record.rank / 2 >= entry.row.pairs) continue;
    if (record.operation == entry.first) trips[{record.rank, record.iteration}].first.push_back(&record);
    if (record.operation == entry.second) trips[{record.rank, record.iteration}].second.push_back(&record);
  }
  std::vector<double> times;
  for (auto& [key, trip] : trips) {
    const auto by_ordinal = [](const auto* a, const auto* b) { return a->ordinal < b->ordinal; };
    std::sort(trip.first.begin(), trip.first.end(), by_ordinal);
    std::sort(trip.second.begin(), trip.second.end(), by_ordinal);
    for (std::size_t i = 1; i < std::min(trip.first.size(), trip.second.size()); ++i)
      times.push_back(to_seconds(trip.second[i]->end - trip.first[i]->start) / 2);
  }
  return times;
}

}  // namespace lockstep
