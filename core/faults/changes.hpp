// From the faults of a file to what changes when: names resolved, random ones drawn.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/faults/fault.hpp"
#include "core/topology/topology.hpp"

namespace lockstep {

/// What a fault may hit: one entry per candidate, of which each occurrence hits one (random faults on `any`), or the
/// only one.
struct FaultTarget {
  std::string name;           ///< "leaf0-spine1", "h3", "rank 5"
  std::vector<LinkId> links;  ///< both directions, and all cables between the two
  std::vector<int> ranks;
};

struct ResolvedFault {
  Fault fault;
  std::vector<FaultTarget> targets;  ///< not empty
};

/// Throws InputError with every finding: unknown names (with the nearest), links that are none, ranks outside the run.
std::vector<ResolvedFault> resolve_faults(const std::vector<Fault>& faults, const Topology& topology, int ranks);

/// A change at a moment.
struct FaultChange {
  Duration at{0};
  std::optional<Duration> until;  ///< none: to the end
  FaultTarget target;
  FaultEffects effects;
  std::uint64_t seed = 0;  ///< for the draws of loss and jitter within this change
};

/// The changes of a run in the order of (time, place in the file, occurrence). Random faults go on for ever: ask for
/// the next one when time has come so far.
class FaultStream {
 public:
  /// `seed` of the run; faults with a seed of their own do not depend on it.
  FaultStream(std::vector<ResolvedFault> faults, std::uint64_t seed);

  /// The time of the next change; nothing: there is none left.
  [[nodiscard]] std::optional<Duration> next_time() const;
  /// Takes the next change.
  std::optional<FaultChange> next();

 private:
  struct Source {
    std::uint64_t key = 0;  ///< of the fault's draws
    std::uint64_t occurrence = 0;
    std::optional<Duration> time;
  };
  void draw_time(std::size_t index, Duration from);
  [[nodiscard]] std::optional<std::size_t> first() const;
  std::vector<ResolvedFault> faults_;
  std::vector<Source> sources_;
};

/// All changes that begin before `horizon`.
std::vector<FaultChange> changes_before(FaultStream stream, Duration horizon);

}  // namespace lockstep
