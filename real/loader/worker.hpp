// What a worker does, be it a thread or a process: claims tasks, reads, checks, decodes, hands over.
#pragma once

#include <functional>

#include "core/loader/spec.hpp"
#include "real/loader/dataset.hpp"
#include "real/loader/reading.hpp"
#include "real/loader/shared.hpp"

namespace lockstep::real {

struct WorkerJob {
  const LoaderSpec* spec = nullptr;
  const Dataset* dataset = nullptr;
  SharedBatches* shared = nullptr;
  int index = 0;
  std::int64_t tasks = 0;                                      ///< of the run
  std::int64_t first_task = WorkerRecord::none;                ///< what one that died has left
  std::function<std::unique_ptr<SampleReader>()> open;         ///< how it reads
  std::function<void(int worker, std::int64_t task)> on_task;  ///< called before every task; may be empty
};

/// Works until no task is left or somebody says stop. Does not throw: a failure is written into the control block.
void work(const WorkerJob& job);

/// The way of reading of the section, for WorkerJob::open.
std::function<std::unique_ptr<SampleReader>()> reader_of(const LoaderSpec& spec, const Dataset& dataset);

}  // namespace lockstep::real
