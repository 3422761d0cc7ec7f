// Disturbances: the section `faults:` of a topology or a workload, the same for both clocks.
//
//   faults:
//     - {at: 2s, for: 1s, link: leaf0-spine1, bandwidth: 50%}
//     - {every: 10min, for: 30s, link: any, down: true}
//
// Contract:
//  - a fault names exactly one target (link, node or rank) and at least one effect that the target can have;
//  - `at` (default 0s, the start of the plan) or `every` (the mean of exponentially distributed times from one
//  beginning
//    to the next); `for`: until then, absent: to the end;
//  - names are resolved against the topology by resolve_faults (changes.hpp), which reports every finding with its
//    position;
//  - random faults are drawn from `seed`, or, without it, from the seed of the run: the same seed, the same faults,
//    on every machine. docs/faults.md says what each effect does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/config/type.hpp"

namespace lockstep {

struct FaultEffects {
  std::optional<double> bandwidth;  ///< share of the link's own that is left, over 0
  bool down = false;                ///< the link carries nothing
  std::optional<double> loss;       ///< probability that a packet is lost, in place of the link's own
  std::optional<Duration> jitter;   ///< every message comes later by a draw between 0 and this
  std::optional<double> slow;       ///< the rank's processor and kernels take so many times as long
  bool kill = false;                ///< the rank ends
};

/// An element of `faults:`.
struct Fault {
  config::Position position;
  std::optional<Duration> at, length, every;
  std::optional<std::uint64_t> seed;
  std::optional<std::string> link, node;  ///< names; `any` where `every` is given
  std::optional<std::string> rank;        ///< a number, or `any`
  FaultEffects effects;
};

/// The declaration of the section (reader, messages, schema).
config::Type<std::vector<Fault>> faults_type();

}  // namespace lockstep
