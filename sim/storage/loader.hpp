// A data loader and its consumer in virtual time.
//
// The consumer of a rank takes a batch (waits for it: the stall), thinks, and ends the step with an all-reduce or a
// barrier over all ranks, if there is one. Between them stands the copy to the device, where the workload has one: it
// runs ahead by one batch. Closed forms for deterministic stages (tests/sim/loader_test.cpp):
//
//   steps/s once the pipeline is filled = min(storage, workers / (read + decode), cores / decode, 1 / copy, 1 / think)
//
// Memory: workers x batch size, nothing per sample of the dataset.
#pragma once

#include <cstdint>

#include "core/loader/outcome.hpp"
#include "sim/storage/supply.hpp"

namespace lockstep::sim {

struct LoaderPrediction {
  LoaderMachine machine;
  std::uint64_t seed = 1;
  Duration all_reduce{0};  ///< of `consumer.all_reduce`, all ranks beginning together, nothing else on the links
  /// What a host receives in an all-reduce, where that comes by the same link as its reads (client_bandwidth); else 0.
  /// Reads and collective then take turns, piece by piece, a piece being as large as a sample: a flow each, shared
  /// fairly.
  Bytes all_reduce_received{0};
};

/// Runs the whole of it. Throws RunFailure where the policy says that bad data end the run.
LoaderOutcome simulate_loader(const LoaderSpec& spec, const LoaderPrediction& prediction);

}  // namespace lockstep::sim
