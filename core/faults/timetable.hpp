// What is in force when: the faults of a run, walked through in time. The simulator and the lab walk through the same
// table, each by its own clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/faults/changes.hpp"

namespace lockstep {

class FaultTimetable {
 public:
  /// `seed` of the run (FaultStream).
  FaultTimetable(std::vector<ResolvedFault> faults, std::uint64_t seed) : stream_(std::move(faults), seed) {}

  /// When the next fault begins or ends; nothing: never again.
  [[nodiscard]] std::optional<Duration> next_time() const;

  struct Active : FaultChange {
    std::size_t ordinal = 0;  ///< among the changes of the run, in the order of the stream
  };
  struct Changes {
    std::vector<Active> ended, begun;
    /// Of both; a link or rank may stand there twice.
    std::vector<LinkId> links;
    std::vector<int> ranks;
  };
  /// Goes on to `now`, which never decreases: what ends by then ends first, then what begins by then begins.
  Changes advance(Duration now);
  /// In the order in which they began.
  [[nodiscard]] const std::vector<Active>& active() const { return active_; }

 private:
  FaultStream stream_;
  std::vector<Active> active_;
  std::size_t begun_ = 0;
};

/// Whether every iteration of a run meets the same: it holds from the start to the end, and draws nothing.
bool steady(const Fault& fault);
bool steady(const std::vector<ResolvedFault>& faults);

/// Why a run ended, in both worlds: "rank 1 was killed at 500us by a fault of h1; the others cannot finish without it".
std::string killed_by_fault(int rank, Duration at, const std::string& target);

}  // namespace lockstep
