// What loading costs in software on one machine: the section `loader:` of a profile. Measured on single stages by
// `lockstep calibrate --backend loader`; without it these costs are nothing.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "core/config/type.hpp"
#include "core/loader/spec.hpp"

namespace lockstep {

/// One way to read samples. Waits are at an idle storage, with nobody's CPU; CPU is of the worker.
struct AccessCost {
  Duration open{0};                           ///< CPU per sample that is a file of its own: open, close
  Duration cold_open{0};                      ///< wait per such sample, beside that, where its data are not cached
  Duration latency{0};                        ///< cold: wait per sample
  std::optional<Bandwidth> stream_bandwidth;  ///< cold: the wait grows with bytes at this rate
  Duration cpu{0};                            ///< cold: CPU per sample
  std::optional<Bandwidth> cpu_bandwidth;     ///< cold: CPU per byte
  Duration warm_cpu{0};                       ///< cached: CPU per sample
  std::optional<Bandwidth> warm_bandwidth;    ///< cached: CPU per byte
};

struct WorkerCost {
  Duration start{0};      ///< until a new worker works
  Duration hand_over{0};  ///< CPU per batch, worker and consumer together
  Duration wake{0};       ///< wait per batch of a consumer that sleeps for it
};

struct LoaderCosts {
  std::array<std::optional<AccessCost>, access_count> access;
  std::optional<Bandwidth> bandwidth;         ///< cold: of all reads together; replaces the storage's
  std::optional<Duration> decode;             ///< CPU per image ...
  std::optional<Bandwidth> decode_bandwidth;  ///< ... and per decoded byte
  std::optional<Bandwidth> check_bandwidth;   ///< CPU per byte whose checksum is verified
  std::optional<Bandwidth> collate;           ///< CPU per byte copied into a batch
  WorkerCost threads, processes;
  double slowdown = 1;  ///< CPU time of work while all cores are busy, over the same alone
  Duration sleep{0};    ///< how much later than asked for a sleeping consumer goes on

  [[nodiscard]] const WorkerCost& worker(ReadersSpec::Kind kind) const {
    return kind == ReadersSpec::Kind::threads ? threads : processes;
  }
};

config::Type<LoaderCosts> loader_costs_type();
/// YAML lines under `loader:`, indented by two.
std::string to_yaml(const LoaderCosts& costs);

}  // namespace lockstep
