// What the workers and the consumer share: a control block, slots for batches, and their data, in one mapping that
// forked workers share and threads see anyway. All waiting is on futexes, so nobody holds a lock when it dies.
//
// Protocol: task k (a batch) lives in slot k % slots. A slot's `turn` is the task that it is free for; the consumer
// fills in which samples those are, then sets it. A worker writes down the task that it wants, claims it by advancing
// `next_task`, waits for its turn, makes the batch, sets `done`, and rings `news`. The consumer takes it, and gives the
// slot its next turn.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string>

#include "core/loader/outcome.hpp"
#include "core/loader/spec.hpp"

namespace lockstep::real {

struct LoaderControl {
  std::atomic<std::int64_t> next_task{0};
  std::atomic<std::uint32_t> news{0};     ///< rung for every batch, failure and end of a worker
  std::atomic<std::uint32_t> stop{0};     ///< somebody failed, or the consumer has all it wants
  std::atomic<std::uint32_t> turns{0};    ///< rung when a slot is free again
  std::atomic<std::uint32_t> failing{0};  ///< somebody writes down what failed
  std::atomic<std::uint32_t> failed{0};   ///< 1 + Trouble; 0: nothing
  std::atomic<std::uint32_t> started{0};  ///< workers that have begun to work
  std::int64_t failed_sample = -1;
  char message[256] = "";  ///< of a worker that failed otherwise
  std::atomic<std::uint32_t> broken{0};
  std::atomic<std::int64_t> storage_bytes{0};  ///< read from the device, by workers that have ended
};

struct WorkerRecord {
  static constexpr std::int64_t none = -1;
  std::atomic<std::int64_t> task{none};
  std::atomic<std::int64_t> busy_since_ns{0};  ///< of its task, for those who wonder whether it stalls
};

struct BatchSlot {
  std::atomic<std::int64_t> turn{0};
  std::atomic<std::uint32_t> done{0};
  std::int64_t count = 0;  ///< samples asked for
  std::int64_t epoch = 0;
  std::int64_t samples = 0, bytes = 0;  ///< that are in it
  std::array<std::int64_t, stall_cause_count> spent_ns{};
  std::array<TroubleCount, trouble_count> troubles{};
};

class SharedBatches {
 public:
  SharedBatches(const LoaderSpec& spec, std::int64_t bytes_per_sample, int workers);
  ~SharedBatches();
  SharedBatches(const SharedBatches&) = delete;
  SharedBatches& operator=(const SharedBatches&) = delete;

  [[nodiscard]] LoaderControl& control() const { return *control_; }
  [[nodiscard]] std::int64_t slots() const { return slots_; }
  [[nodiscard]] BatchSlot& slot_of(std::int64_t task) const { return slot_[task % slots_]; }
  [[nodiscard]] WorkerRecord& worker(int index) const { return workers_[index]; }
  /// The samples of a task: asked for, and afterwards the ones that are in it (-1: skipped).
  [[nodiscard]] std::span<std::int64_t> indices(std::int64_t task) const {
    return {indices_ + (task % slots_) * batch_, static_cast<std::size_t>(batch_)};
  }
  [[nodiscard]] std::span<std::byte> data(std::int64_t task, std::int64_t place) const {
    return {data_ + ((task % slots_) * batch_ + place) * sample_bytes_, static_cast<std::size_t>(sample_bytes_)};
  }

 private:
  std::int64_t slots_, batch_, sample_bytes_;
  std::size_t bytes_ = 0;
  void* map_ = nullptr;
  LoaderControl* control_ = nullptr;
  WorkerRecord* workers_ = nullptr;
  BatchSlot* slot_ = nullptr;
  std::int64_t* indices_ = nullptr;
  std::byte* data_ = nullptr;
};

}  // namespace lockstep::real
