// A data loader and its consumer on real files, in wall time.
//
// Contract:
//  - the same samples in the same order as the simulation's (core/loader/sampler.hpp);
//  - cold: the dataset is dropped from the page cache first, warm: read into it; mincore has to agree;
//  - every sample is checked: its checksum, and that each index comes once per epoch (`wrong` counts the others);
//  - a bad sample, a worker that dies or says nothing for twice `policy.timeout`: as the policy says, counted;
//  RunFailure with
//    what happened where it says fail. No worker outlives the call;
//  - call it while this process has no other threads if the workers are processes: they are forked. (CUDA's threads are
//  there by then, where batches are copied; workers call nothing of it.)
#pragma once

#include <functional>

#include "core/loader/outcome.hpp"
#include "real/loader/batch_copier.hpp"
#include "real/loader/dataset.hpp"
#include "real/loader/worker.hpp"

namespace lockstep::real {

struct LoaderRun {
  std::function<void(int worker, std::int64_t task)> on_task;  ///< in the worker, before a task
  std::function<std::unique_ptr<SampleReader>()> open;         ///< how workers read; empty: local files
  std::function<void(std::int64_t step)> all_reduce;           ///< after the think time of a step; may be empty
  /// How batches are copied to a device, where the workload says so; empty: to a GPU.
  std::function<std::unique_ptr<BatchCopier>(std::size_t most)> make_copier;
  int rank = 0, ranks = 1;
  bool keep_cache = false;  ///< leaves the page cache as it is
};

LoaderOutcome run_loader(const LoaderSpec& spec, const Dataset& dataset, const LoaderRun& options = {});

}  // namespace lockstep::real
