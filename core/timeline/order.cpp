// Does a timeline keep the order that its plan asks for?
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>

#include "core/plan/program.hpp"
#include "core/timeline/timeline.hpp"

namespace lockstep {
namespace {

constexpr GroupId no_group = std::numeric_limits<GroupId>::max();

std::string name_of(const Plan& plan, const std::vector<Program>& programs, const OperationRecord& record) {
  const auto& program = programs[record.role];
  return fmt::format("rank {}, stream '{}', operation '{}' (number {})", record.rank,
                     plan.roles[record.role].streams[record.stream].name,
                     program.by_id[record.operation]->operation->name, record.ordinal);
}

}  // namespace

std::vector<std::string> order_violations(const Plan& plan, const Timeline& timeline, bool once) {
  std::vector<std::string> violations;
  std::vector<Program> programs;
  for (const auto& role : plan.roles) programs.push_back(compile(role));

  std::map<std::tuple<Rank, std::uint32_t>, std::vector<const OperationRecord*>> streams;
  for (const auto& record : timeline.operations) streams[{record.rank, record.stream}].push_back(&record);
  for (auto& [key, records] : streams) {
    std::sort(records.begin(), records.end(), [](const auto* a, const auto* b) { return a->ordinal < b->ordinal; });
    const auto& [rank, stream] = key;
    Cursor cursor(programs[plan.role_index(rank)].streams[stream], once);
    for (std::size_t i = 0; i < records.size(); ++i) {
      const auto& record = *records[i];
      if (cursor.done() || cursor.operation().id != record.operation || record.ordinal != cursor.completed()) {
        violations.push_back(name_of(plan, programs, record) + " is not what the plan has there");
        break;
      }
      if (record.end < record.start) violations.push_back(name_of(plan, programs, record) + " ends before it starts");
      if (i > 0 && record.start < records[i - 1]->end)
        violations.push_back(name_of(plan, programs, record) + " starts before its predecessor ends");
      for (const auto& wait : cursor.operation().waits) {
        const std::int64_t needed = wait.needed(cursor.indices());
        if (needed <= 0) continue;
        const auto other = streams.find({rank, wait.stream});
        const OperationRecord* target = nullptr;
        if (other != streams.end())
          for (const auto* candidate : other->second)
            if (candidate->ordinal == needed - 1) target = candidate;
        // An iteration left out has no records; its loop was entered if something behind it was run.
        const bool left_out = once && target == nullptr && other != streams.end() &&
                              std::any_of(other->second.begin(), other->second.end(),
                                          [&](const auto* r) { return r->ordinal >= needed; });
        if (left_out) continue;
        if (target == nullptr || target->end > record.start)
          violations.push_back(name_of(plan, programs, record) + " does not wait as it should");
      }
      cursor.advance();
    }
    if (!cursor.done()) violations.push_back(fmt::format("rank {}, stream {} was not run to its end", rank, stream));
  }

  struct Bounds {
    Duration first_start{std::numeric_limits<std::int64_t>::max()};
    Duration last_end{std::numeric_limits<std::int64_t>::min()};
  };
  std::map<std::tuple<Rank, std::uint32_t, std::int64_t, std::int32_t>, std::map<std::int64_t, Bounds>> threads;
  // Lanes are numbered within a group.
  const auto group_of = [&](const PartRecord& part) {
    const auto stream = streams.find({part.rank, part.stream});
    if (stream == streams.end()) return no_group;
    const auto record =
        std::lower_bound(stream->second.begin(), stream->second.end(), part.ordinal,
                         [](const OperationRecord* a, std::int64_t ordinal) { return a->ordinal < ordinal; });
    if (record == stream->second.end() || (*record)->ordinal != part.ordinal) return no_group;
    const auto& action = programs[(*record)->role].by_id[(*record)->operation]->operation->action;
    const auto* collective = std::get_if<Collective>(&action);
    return collective == nullptr ? no_group : collective->group;
  };
  std::map<std::tuple<Rank, Rank, GroupId, std::uint16_t>,
           std::pair<std::vector<const PartRecord*>, std::vector<const PartRecord*>>>
      lanes;
  for (const auto& part : timeline.parts) {
    auto& bounds = threads[{part.rank, part.stream, part.ordinal, part.thread}][part.step];
    bounds.first_start = std::min(bounds.first_start, part.start);
    bounds.last_end = std::max(bounds.last_end, part.end);
    const GroupId group = group_of(part);
    if (group == no_group)
      violations.push_back(fmt::format("rank {}, stream {}, number {} has parts and is no collective that was run",
                                       part.rank, part.stream, part.ordinal));
    if (part.send)
      lanes[{part.rank, part.peer, group, part.lane}].first.push_back(&part);
    else
      lanes[{part.peer, part.rank, group, part.lane}].second.push_back(&part);
  }
  for (const auto& [key, steps] : threads) {
    const Bounds* previous = nullptr;
    for (const auto& [step, bounds] : steps) {
      if (previous != nullptr && bounds.first_start < previous->last_end)
        violations.push_back(fmt::format("rank {}, thread {}: step {} starts before the step before it ends",
                                         std::get<0>(key), std::get<3>(key), step));
      previous = &bounds;
    }
  }
  for (auto& [key, lane] : lanes) {
    auto& [sends, receives] = lane;
    const auto in_order = [](const PartRecord* a, const PartRecord* b) {
      return std::tie(a->ordinal, a->step) < std::tie(b->ordinal, b->step);
    };
    std::stable_sort(sends.begin(), sends.end(), in_order);
    std::stable_sort(receives.begin(), receives.end(), in_order);
    if (sends.size() != receives.size())
      violations.push_back(fmt::format("{} sends but {} receives from rank {} to rank {}", sends.size(),
                                       receives.size(), std::get<0>(key), std::get<1>(key)));
    for (std::size_t i = 0; i < std::min(sends.size(), receives.size()); ++i) {
      if (sends[i]->bytes != receives[i]->bytes)
        violations.push_back(
            fmt::format("message {} from rank {} to rank {} changes its size", i, std::get<0>(key), std::get<1>(key)));
      if (receives[i]->end < sends[i]->start)
        violations.push_back(fmt::format("message {} from rank {} to rank {} arrives before it is sent", i,
                                         std::get<0>(key), std::get<1>(key)));
    }
  }
  return violations;
}

}  // namespace lockstep
