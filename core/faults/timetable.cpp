#include "core/faults/timetable.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/units/duration.hpp"

namespace lockstep {

std::optional<Duration> FaultTimetable::next_time() const {
  std::optional<Duration> next = stream_.next_time();
  for (const Active& fault : active_)
    if (fault.until && (!next || *fault.until < *next)) next = fault.until;
  return next;
}

FaultTimetable::Changes FaultTimetable::advance(Duration now) {
  Changes changes;
  const auto touch = [&](const FaultChange& change) {
    changes.links.insert(changes.links.end(), change.target.links.begin(), change.target.links.end());
    changes.ranks.insert(changes.ranks.end(), change.target.ranks.begin(), change.target.ranks.end());
  };
  std::erase_if(active_, [&](Active& fault) {
    if (!fault.until || *fault.until > now) return false;
    touch(fault);
    changes.ended.push_back(std::move(fault));
    return true;
  });
  while (stream_.next_time() && *stream_.next_time() <= now) {
    active_.push_back({*stream_.next(), begun_++});
    touch(active_.back());
    changes.begun.push_back(active_.back());
  }
  return changes;
}

bool steady(const Fault& fault) {
  const FaultEffects& effects = fault.effects;
  return !fault.every && !fault.length && fault.at.value_or(Duration{0}) == Duration{0} && !effects.jitter &&
         !effects.loss && !effects.kill;
}

bool steady(const std::vector<ResolvedFault>& faults) {
  return std::all_of(faults.begin(), faults.end(),
                     [](const ResolvedFault& resolved) { return steady(resolved.fault); });
}

std::string killed_by_fault(int rank, Duration at, const std::string& target) {
  return fmt::format("rank {} was killed at {} by a fault of {}; the others cannot finish without it", rank,
                     format_duration(at), target);
}

}  // namespace lockstep
