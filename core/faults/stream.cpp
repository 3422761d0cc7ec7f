#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/error.hpp"
#include "core/faults/changes.hpp"
#include "core/faults/draws.hpp"

namespace lockstep {
namespace {

// Later than any simulation goes (106 days are the most that a Duration holds): there is no such fault.
constexpr double last_ps = 4.0e18;

Draws draws_of(std::uint64_t key, std::uint64_t occurrence) { return Draws(mix64(key + mix64(occurrence))); }

}  // namespace

FaultStream::FaultStream(std::vector<ResolvedFault> faults, std::uint64_t seed) : faults_(std::move(faults)) {
  sources_.resize(faults_.size());
  for (std::size_t i = 0; i < faults_.size(); ++i) {
    const Fault& fault = faults_[i].fault;
    LOCKSTEP_CHECK(!faults_[i].targets.empty(), "a fault that hits nothing");
    // Faults with the same seed and period are still two faults: their places tell them apart.
    sources_[i].key = mix64(mix64(fault.seed.value_or(seed)) ^ (2 * i + (fault.seed ? 1 : 0)));
    if (fault.every)
      draw_time(i, Duration{0});
    else
      sources_[i].time = fault.at.value_or(Duration{0});
  }
}

void FaultStream::draw_time(std::size_t index, Duration from) {
  Source& source = sources_[index];
  const double wait =
      draws_of(source.key, source.occurrence).exponential() * static_cast<double>(faults_[index].fault.every->count());
  source.time.reset();
  if (const double time = static_cast<double>(from.count()) + wait; time < last_ps)
    source.time = Duration{from.count() + std::llround(wait)};
}

std::optional<std::size_t> FaultStream::first() const {
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < sources_.size(); ++i)
    if (sources_[i].time && (!best || *sources_[i].time < *sources_[*best].time)) best = i;
  return best;
}

std::optional<Duration> FaultStream::next_time() const {
  const auto index = first();
  return index ? sources_[*index].time : std::nullopt;
}

std::optional<FaultChange> FaultStream::next() {
  const auto index = first();
  if (!index) return std::nullopt;
  Source& source = sources_[*index];
  const Fault& fault = faults_[*index].fault;
  const auto& targets = faults_[*index].targets;
  Draws draws = draws_of(source.key, source.occurrence + 0x8000'0000'0000'0000ULL);
  FaultChange change;
  change.at = *source.time;
  if (fault.length) change.until = change.at + *fault.length;
  change.target = targets[targets.size() == 1 ? 0 : draws.below(targets.size())];
  change.effects = fault.effects;
  change.seed = draws.bits();
  ++source.occurrence;
  if (fault.every)
    draw_time(*index, change.at);
  else
    source.time.reset();
  return change;
}

std::vector<FaultChange> changes_before(FaultStream stream, Duration horizon) {
  std::vector<FaultChange> changes;
  while (stream.next_time() && *stream.next_time() < horizon) changes.push_back(*stream.next());
  return changes;
}

}  // namespace lockstep
