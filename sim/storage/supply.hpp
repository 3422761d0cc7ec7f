// The workers of all ranks as a supply of batches, in virtual time: a discrete-event simulation with an event queue of
// its own, one or two events per sample.
//
// Whoever drives it (the think-time consumer of loader.cpp, later the streams of a plan) asks next_time(), lets it
// advance() to that moment, and take()s batches. docs/loader.md has the pipeline; in short: a worker claims the next
// task (batch) of its rank, waits until the batch `workers * prefetch` before it was taken, reads each sample (page
// cache or storage), works on it on a core, and hands the batch over.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "core/loader/costs.hpp"
#include "core/loader/outcome.hpp"
#include "core/loader/sampler.hpp"
#include "sim/engine/event_queue.hpp"
#include "sim/storage/cores.hpp"
#include "sim/storage/device.hpp"
#include "sim/storage/page_cache.hpp"

namespace lockstep::sim {

/// The machines that a loader runs on.
struct LoaderMachine {
  int ranks = 1;
  int ranks_per_host = 0;              ///< 0: all on one host
  std::optional<int> cores;            ///< of a host; the workload's `readers.cores` goes first
  const LoaderCosts* costs = nullptr;  ///< none: free
  [[nodiscard]] int per_host() const { return ranks_per_host > 0 ? ranks_per_host : ranks; }
};

/// A batch that was handed over.
struct SuppliedBatch {
  std::int64_t task = -1;  ///< its number among those of its rank
  std::int64_t ready = 0;  ///< when it could be taken
  std::int64_t samples = 0, bytes = 0, handed_over_bytes = 0, hits = 0, epoch = 0;
  std::array<std::int64_t, stall_cause_count> spent{};  ///< by what, while it was made
};

class Supply {
 public:
  Supply(const LoaderSpec& spec, const LoaderMachine& machine, std::uint64_t seed);

  [[nodiscard]] std::int64_t next_time() { return events_.next_time(); }
  /// Handles all events of next_time(); appends the ranks that got a batch to `ranks`. Throws RunFailure where the
  /// policy says that bad data end the run.
  void advance(std::vector<int>& ranks);
  /// Is there a batch for this rank now? Ordered: the next of the sampler's order.
  [[nodiscard]] bool ready(int rank) const;
  /// Takes it; its place is free for another. Needs ready().
  SuppliedBatch take(int rank, std::int64_t now);
  [[nodiscard]] std::int64_t waiting_batches(int rank) const {
    return ranks_[static_cast<std::size_t>(rank)].ready_count;
  }
  /// Writes beside the reads (checkpoints); when the piece is done.
  std::int64_t write(std::int64_t now, std::int64_t bytes, int rank) {
    return storage_.write(now, bytes, host_of(rank));
  }

  /// Other traffic on the links that reads come by (collectives); when the piece is through.
  std::int64_t transfer(std::int64_t now, std::int64_t bytes, int rank) {
    return storage_.pass_host(now, bytes, host_of(rank));
  }

  [[nodiscard]] std::int64_t steps() const { return steps_; }
  [[nodiscard]] std::int64_t reads() const { return reads_; }
  [[nodiscard]] std::int64_t hits() const { return hits_; }
  [[nodiscard]] const std::array<TroubleCount, trouble_count>& troubles() const { return troubles_; }
  [[nodiscard]] std::int64_t worker_bytes() const { return written_of_host(0); }
  [[nodiscard]] int host_of(int rank) const { return rank / machine_.per_host(); }

 private:
  enum EventKind : std::uint8_t { started, read_done, lock_done, work_done };
  struct Worker {
    int rank = 0, host = 0;
    std::int64_t task = -1;
    std::vector<SampleStream::Sample> samples;  // of its task
    std::size_t issued = 0, done = 0;           // of these
    int in_flight = 0;
    std::vector<std::uint32_t> arrived;  // read, not worked on; the first one at `next_arrived`
    std::size_t next_arrived = 0;
    bool waiting = false;  // for a slot
    bool working = false;
    std::int64_t waits_since = 0;  // for reads
    std::int64_t parallel_work = 0;
    std::uint32_t counter = 0;
  };
  struct Rank {
    explicit Rank(SampleStream samples) : stream(std::move(samples)) {}
    SampleStream stream;
    std::int64_t next_task = 0, taken = 0, in_epoch = 0;
    std::vector<SuppliedBatch> slots;  // task k in slot k % size
    std::vector<std::int64_t> turn;    // the task that a slot is free for, or was made for
    std::vector<std::int32_t> waiter;  // the worker that waits for the slot
    std::vector<bool> done;
    std::int64_t ready_count = 0;
    std::vector<std::uint32_t> in_order_of_arrival;  // unordered: slots that are ready; the first at `first_arrival`
    std::size_t first_arrival = 0;
    std::int64_t lock_free = 0;
  };
  struct Work {  // CPU of one sample
    std::int64_t read = 0, decode = 0, rest = 0;
  };

  void claim(std::uint32_t worker, std::int64_t now);
  void begin_task(std::uint32_t worker, std::int64_t now);
  void go_on(std::uint32_t worker, std::int64_t now);
  void issue(std::uint32_t worker, std::int64_t now);
  void work_on(std::uint32_t worker, std::uint32_t sample, std::int64_t now);
  void run_on_core(std::uint32_t worker, std::int64_t duration, std::int64_t now);
  void hand_over(std::uint32_t worker, std::int64_t now);
  [[nodiscard]] Work work_of(const SampleStream::Sample& sample, std::int64_t bytes, bool hit) const;
  /// Counts a bad sample; true if it is left out.
  bool left_out(const SampleStream::Sample& sample);
  [[nodiscard]] std::int64_t written_of_host(int host) const;
  void push(std::uint32_t worker, EventKind kind, std::int64_t time, std::uint64_t data = 0);
  SuppliedBatch& batch_of(const Worker& worker);

  LoaderSpec spec_;
  LoaderMachine machine_;
  LoaderCosts costs_;
  std::optional<AccessCost> access_;
  std::uint64_t seed_;
  std::int64_t steps_;
  std::int64_t per_batch_ = 0;  // CPU of a worker per batch
  DamagedSamples damaged_;
  StorageDevice storage_;
  PageCache cache_;
  std::vector<Worker> workers_;
  std::vector<Rank> ranks_;
  std::vector<Cores> cores_;             // by host
  std::vector<std::int64_t> processed_;  // samples, by host
  EventQueue events_;
  std::vector<Event> moment_;
  std::vector<int>* supplied_ = nullptr;  // of advance(), while it runs
  std::int64_t reads_ = 0, hits_ = 0;
  std::array<TroubleCount, trouble_count> troubles_{};
};

}  // namespace lockstep::sim
