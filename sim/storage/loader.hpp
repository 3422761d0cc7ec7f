// A data loader and its consumer in virtual time.
//
// The consumer of a rank takes a batch (waits for it: the stall), thinks, and ends the step with an all-reduce or a
// barrier over all ranks, if there is one. Between them stands the copy to the device, where the workload has one: it
// runs ahead: one batch is there, and the next one comes, while one is used. Closed forms for deterministic stages
// (tests/sim/loader_test.cpp):
//
//   steps/s once the pipeline is filled = min(storage, workers / (read + decode), cores / decode, 1 / copy, 1 / think)
//
// Where a collective comes by the links of reads or copies, it and they take turns there, piece by piece, as flows
// would that share fairly; the collective ends when it would alone, or when all its pieces are through.
//
// Memory: workers x batch size, nothing per sample of the dataset.
#pragma once

#include <cstdint>
#include <optional>

#include "core/loader/outcome.hpp"
#include "sim/storage/supply.hpp"

namespace lockstep::sim {

struct LoaderPrediction {
  LoaderMachine machine;
  std::uint64_t seed = 1;
  Duration all_reduce{0};  ///< of `consumer.all_reduce`, all ranks beginning together, nothing else on the links
  /// What a host receives in an all-reduce, where that comes by the same link as its reads (client_bandwidth); else 0.
  /// A piece is as large as a sample.
  Bytes all_reduce_received{0};
  /// The way from a host's memory to the device of a rank, and what an all-reduce brings over it: alike for all ranks.
  struct DeviceLink {
    Bandwidth bandwidth;
    Duration latency{0};
    Bytes all_reduce_received{0};
  };
  std::optional<DeviceLink> device_link;  ///< none: only `device:` of the workload says what a copy takes
};

/// Runs the whole of it. Throws RunFailure where the policy says that bad data end the run.
LoaderOutcome simulate_loader(const LoaderSpec& spec, const LoaderPrediction& prediction);

}  // namespace lockstep::sim
