#include "sim/storage/loader.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/base/error.hpp"
#include "core/base/hash.hpp"

namespace lockstep::sim {
namespace {

constexpr std::int64_t write_piece = 8 << 20;
constexpr std::int64_t copy_piece = 1 << 20;  // of a copy that shares its link

/// Batches on their way to one device: one is copied while another is used.
struct Copier {
  std::optional<SuppliedBatch> copied;   // on the device, not taken
  std::optional<SuppliedBatch> copying;  // perhaps arrived already, behind one that is not taken
  bool arrived = false;
  std::int64_t begun = 0, to_copy = 0;  // of `copying`

  void move_up() {
    if (copied || !copying || !arrived) return;
    copied = std::exchange(copying, std::nullopt);
    arrived = false;
  }
};

struct Consumer {
  std::int64_t step = 0;
  std::int64_t step_start = 0;
  std::int64_t epoch = 0;  // of the batch that it took last
  bool waiting = true;
  std::int64_t think = 0, stall = 0, communication = 0;
  std::array<double, stall_cause_count> by_cause{};
  Copier copier;
  std::int64_t to_write = 0;
  std::int64_t to_receive = 0;         // of the collective, by the link of the reads
  std::int64_t to_receive_beside = 0;  // by the link of the copies
  std::int64_t device_link_free = 0;
  bool writing = false;
  std::uint32_t counter = 0;
};

class Run {
 public:
  Run(const LoaderSpec& spec, const LoaderPrediction& prediction)
      : spec_(spec),
        prediction_(prediction),
        costs_(prediction.machine.costs != nullptr ? *prediction.machine.costs : LoaderCosts{}),
        ranks_(prediction.machine.ranks),
        supply_(spec, prediction.machine, prediction.seed),
        copies_(spec.copies_to_device()),
        shared_(copies_ && prediction.device_link && prediction.device_link->all_reduce_received.count() > 0),
        together_(spec.consumer.all_reduce.has_value() || spec.consumer.barrier),
        consumers_(static_cast<std::size_t>(ranks_)),
        epochs_(static_cast<std::size_t>(spec.consumer.epochs)) {}

  LoaderOutcome run() {
    std::vector<int> changed;
    while (ended_ < ranks_) {
      const std::int64_t supply = supply_.next_time();
      const std::int64_t own = events_.next_time();
      const std::int64_t now = std::min(supply, own);
      LOCKSTEP_CHECK(now != EventQueue::never, "a loader stands still after {} of {} steps", consumers_[0].step,
                     supply_.steps());
      changed.clear();
      if (supply <= own)
        supply_.advance(changed);
      else
        handle_own(changed);
      for (const int rank : changed) look(rank, now);
    }
    return outcome();
  }

 private:
  enum EventKind : std::uint8_t { copied, thought, received, received_beside, stepped, written };

  void push(int rank, EventKind kind, std::int64_t time) {
    Consumer& consumer = consumers_[static_cast<std::size_t>(rank)];
    events_.push({.time = time,
                  .entity = static_cast<std::uint32_t>(rank),
                  .counter = consumer.counter++,
                  .data = 0,
                  .kind = std::uint8_t(kind)});
  }

  /// Does what a rank can do now: takes a batch, begins a copy.
  void look(int rank, std::int64_t now) {
    Consumer& consumer = consumers_[static_cast<std::size_t>(rank)];
    if (!copies_) {
      if (!consumer.waiting || !supply_.ready(rank)) return;
      record_queue(rank, now);
      begin_step(rank, supply_.take(rank, now), now);
      return;
    }
    Copier& copier = consumer.copier;
    copier.move_up();
    if (consumer.waiting && copier.copied) {
      begin_step(rank, *copier.copied, now);
      copier.copied.reset();
      copier.move_up();
    }
    if (copier.copying || !supply_.ready(rank)) return;
    record_queue(rank, now);
    copier.copying = supply_.take(rank, now);
    copier.begun = now;
    copier.to_copy = copier.copying->handed_over_bytes;
    std::int64_t start = now + spec_.device.latency.count();
    if (spec_.batch.staging == BatchSpec::Staging::pinned)
      start += StorageDevice::time_for(copier.to_copy, costs_.collate);
    if (const auto& link = prediction_.device_link) start += link->latency.count();
    copy_on(rank, start);
  }

  /// The next piece of a copy; all of it where nothing else uses its link.
  void copy_on(int rank, std::int64_t now) {
    Copier& copier = consumers_[static_cast<std::size_t>(rank)].copier;
    const std::int64_t piece = shared_ ? std::min(copier.to_copy, copy_piece) : copier.to_copy;
    copier.to_copy -= piece;
    std::int64_t end = now + StorageDevice::time_for(piece, spec_.device.bandwidth);
    if (prediction_.device_link) end = std::max(end, over_device_link(rank, now, piece));
    push(rank, copied, end);
  }

  void copied_on(int rank, std::int64_t now) {
    Copier& copier = consumers_[static_cast<std::size_t>(rank)].copier;
    if (copier.to_copy > 0) return copy_on(rank, now);
    copier.arrived = true;
    copier.copying->spent[static_cast<std::size_t>(StallCause::copy)] += now - copier.begun;
  }

  /// When so many bytes are through the link to a rank's device, behind what is there already.
  std::int64_t over_device_link(int rank, std::int64_t now, std::int64_t bytes) {
    std::int64_t& free = consumers_[static_cast<std::size_t>(rank)].device_link_free;
    free = std::max(free, now) + StorageDevice::time_for(bytes, prediction_.device_link->bandwidth);
    return free;
  }

  void record_queue(int rank, std::int64_t now) {
    if (rank == 0) queue_.add(to_seconds(Duration{now}), supply_.waiting_batches(rank));
  }

  void begin_step(int rank, const SuppliedBatch& batch, std::int64_t now) {
    Consumer& consumer = consumers_[static_cast<std::size_t>(rank)];
    // Later than it came: what wakes a consumer that slept, and its own software.
    std::int64_t late =
        spec_.consumer.overhead.is_zero()
            ? 0
            : spec_.consumer.overhead.draw(mix64(prediction_.seed) ^ mix64(static_cast<std::uint64_t>(rank) << 40 ^
                                                                           static_cast<std::uint64_t>(consumer.step)));
    if (now > consumer.step_start) late += costs_.worker(spec_.readers.kind).wake.count();
    const std::int64_t stall = now - consumer.step_start;
    consumer.stall += stall + late;
    consumer.by_cause[static_cast<std::size_t>(StallCause::consumer)] += static_cast<double>(late);
    deal(consumer, batch, stall);
    const std::int64_t think = spec_.consumer.think.count();
    const std::int64_t slept = think > 0 ? costs_.sleep.count() : 0;
    consumer.stall += slept;
    consumer.by_cause[static_cast<std::size_t>(StallCause::consumer)] += static_cast<double>(slept);
    consumer.think += think;
    consumer.waiting = false;
    samples_ += batch.samples;
    bytes_ += batch.bytes;
    LoaderEpoch& epoch = epochs_[static_cast<std::size_t>(batch.epoch)];
    epoch.samples += batch.samples;
    epoch.hits += batch.hits;
    consumer.epoch = batch.epoch;
    push(rank, thought, now + late + think + slept);
  }

  /// A stall belongs to what its batch's making took, in proportion.
  static void deal(Consumer& consumer, const SuppliedBatch& batch, std::int64_t stall) {
    double all = 0;
    for (const std::int64_t spent : batch.spent) all += static_cast<double>(std::max<std::int64_t>(spent, 0));
    if (stall == 0) return;
    if (consumer.step == 0 && all < static_cast<double>(stall)) {
      // The first step also waits for the workers to start.
      const double start = static_cast<double>(stall) - all;
      consumer.by_cause[static_cast<std::size_t>(StallCause::start)] += start;
      stall -= static_cast<std::int64_t>(start);
    }
    if (all == 0) {
      if (consumer.step > 0) consumer.by_cause[static_cast<std::size_t>(StallCause::cpu)] += static_cast<double>(stall);
      return;
    }
    for (std::size_t i = 0; i < stall_cause_count; ++i)
      consumer.by_cause[i] +=
          static_cast<double>(stall) * static_cast<double>(std::max<std::int64_t>(batch.spent[i], 0)) / all;
  }

  void handle_own(std::vector<int>& changed) {
    events_.next(moment_);
    for (const Event& event : moment_) {
      const int rank = static_cast<int>(event.entity);
      changed.push_back(rank);
      switch (event.kind) {
        case copied:
          copied_on(rank, event.time);
          break;
        case thought:
          if (together_)
            arrive(event.time);
          else
            end_step(rank, event.time);
          break;
        case received:
        case received_beside:
          receive_on(rank, static_cast<EventKind>(event.kind), event.time);
          break;
        case stepped:
          end_step(rank, event.time);
          break;
        case written:
          write_on(rank, event.time);
          break;
        default:
          LOCKSTEP_CHECK(false, "an event of kind {}", event.kind);
      }
    }
  }

  /// A rank has come to the end of its thinking; with the last one all go on.
  void arrive(std::int64_t now) {
    if (++arrived_ < ranks_) return;
    arrived_ = 0;
    const std::int64_t alone = now + prediction_.all_reduce.count();
    not_before_ = alone;
    receiving_ = 2 * ranks_;
    for (int rank = 0; rank < ranks_; ++rank) {
      Consumer& consumer = consumers_[static_cast<std::size_t>(rank)];
      consumer.to_receive = prediction_.all_reduce_received.count();
      consumer.to_receive_beside = shared_ ? prediction_.device_link->all_reduce_received.count() : 0;
      receive_on(rank, received, now);
      receive_on(rank, received_beside, now);
    }
  }

  /// The next piece of the collective by one of its links, behind what was asked for there before it: `received` by
  /// that of the reads, `received_beside` by that to the rank's device.
  void receive_on(int rank, EventKind by, std::int64_t now) {
    Consumer& consumer = consumers_[static_cast<std::size_t>(rank)];
    const bool beside = by == received_beside;
    std::int64_t& left = beside ? consumer.to_receive_beside : consumer.to_receive;
    const std::int64_t largest = beside ? copy_piece : std::max<std::int64_t>(spec_.dataset.size.expected(), 1);
    const std::int64_t piece = std::min(left, largest);
    if (piece == 0) return one_has_received(now);
    left -= piece;
    push(rank, by, beside ? over_device_link(rank, now, piece) : supply_.transfer(now, piece, rank));
  }

  /// A collective ends when its last rank has everything, by both of its links.
  void one_has_received(std::int64_t now) {
    if (--receiving_ > 0) return;
    for (int rank = 0; rank < ranks_; ++rank) push(rank, stepped, std::max(now, not_before_));
  }

  void end_step(int rank, std::int64_t end) {
    Consumer& consumer = consumers_[static_cast<std::size_t>(rank)];
    // What was neither think nor stall until now was the collective, and waiting for the others in it.
    consumer.communication = end - consumer.think - consumer.stall;
    ++consumer.step;
    last_end_ = std::max(last_end_, end);
    if (consumer.step == 1) first_end_ = std::max(first_end_, end);
    LoaderEpoch& epoch = epochs_[static_cast<std::size_t>(consumer.epoch)];
    epoch.end_s = std::max(epoch.end_s, to_seconds(Duration{end}));
    consumer.step_start = end;
    const auto& checkpoint = spec_.consumer.checkpoint;
    if (checkpoint.every > 0 && consumer.step % checkpoint.every == 0) {
      consumer.to_write += checkpoint.bytes.count();
      if (!consumer.writing) write_on(rank, end);
    }
    if (consumer.step == supply_.steps())
      ++ended_;
    else
      consumer.waiting = true;
  }

  /// A checkpoint is written in pieces, one after another, beside the reads.
  void write_on(int rank, std::int64_t now) {
    Consumer& consumer = consumers_[static_cast<std::size_t>(rank)];
    const std::int64_t piece = std::min(consumer.to_write, write_piece);
    consumer.writing = piece > 0;
    if (piece == 0) return;
    consumer.to_write -= piece;
    push(rank, written, supply_.write(now, piece, rank));
  }

  LoaderOutcome outcome() {
    LoaderOutcome outcome;
    outcome.ranks = ranks_;
    outcome.steps = supply_.steps();
    outcome.samples = samples_;
    outcome.bytes = bytes_;
    outcome.time_s = to_seconds(Duration{last_end_});
    outcome.first_step_s = to_seconds(Duration{first_end_});
    outcome.min_stall_s = std::numeric_limits<double>::max();
    for (const Consumer& consumer : consumers_) {
      const double share = 1.0 / ranks_;
      const double stall = to_seconds(Duration{consumer.stall});
      outcome.think_s += share * to_seconds(Duration{consumer.think});
      outcome.stall_s += share * stall;
      outcome.communication_s += share * to_seconds(Duration{consumer.communication});
      outcome.min_stall_s = std::min(outcome.min_stall_s, stall);
      outcome.max_stall_s = std::max(outcome.max_stall_s, stall);
      for (std::size_t i = 0; i < stall_cause_count; ++i)
        outcome.stall_by_cause_s[i] += share * consumer.by_cause[i] * 1e-12;
    }
    outcome.hits = supply_.hits();
    outcome.reads = supply_.reads();
    outcome.troubles = supply_.troubles();
    outcome.worker_bytes = supply_.worker_bytes();
    outcome.queue = queue_.points();
    for (const LoaderEpoch& epoch : epochs_)
      if (epoch.samples > 0) outcome.epochs.push_back(epoch);
    return outcome;
  }

  const LoaderSpec& spec_;
  LoaderPrediction prediction_;
  LoaderCosts costs_;
  int ranks_;
  Supply supply_;
  bool copies_, shared_, together_;
  std::vector<Consumer> consumers_;
  std::vector<LoaderEpoch> epochs_;
  EventQueue events_;
  std::vector<Event> moment_;
  QueueRecord queue_;
  std::int64_t samples_ = 0, bytes_ = 0, first_end_ = 0, last_end_ = 0;
  int arrived_ = 0, ended_ = 0, receiving_ = 0;
  std::int64_t not_before_ = 0;
};

}  // namespace

LoaderOutcome simulate_loader(const LoaderSpec& spec, const LoaderPrediction& prediction) {
  return Run(spec, prediction).run();
}

}  // namespace lockstep::sim
