#include "real/loader/worker.hpp"

#include <algorithm>
#include <cstring>
#include <exception>
#include <thread>

#include "core/base/error.hpp"
#include "core/base/hash.hpp"
#include "real/launch/futex.hpp"
#include "real/loader/checksum.hpp"
#include "real/loader/jpeg.hpp"

namespace lockstep::real {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

constexpr nanoseconds look_again = std::chrono::milliseconds(100);

std::int64_t since_start_ns() { return Clock::now().time_since_epoch().count(); }

/// The policy says that this run ends; why is in the control block.
struct Stop {};

class Worker {
 public:
  explicit Worker(const WorkerJob& job)
      : spec_(*job.spec),
        dataset_(*job.dataset),
        shared_(*job.shared),
        job_(job),
        record_(shared_.worker(job.index)),
        reader_(job.open()) {
    if (spec_.decode.kind == DecodeSpec::Kind::jpeg) decoder_ = std::make_unique<JpegDecoder>();
  }

  void run() {
    shared_.control().started.fetch_add(1);
    std::int64_t task = job_.first_task;
    if (task == WorkerRecord::none) task = claim();
    for (; task < job_.tasks && !stopped(); task = claim()) {
      if (!wait_for_turn(task)) break;
      if (job_.on_task) job_.on_task(job_.index, task);
      record_.busy_since_ns = since_start_ns();
      make(task);
      record_.busy_since_ns = 0;
      shared_.slot_of(task).done.store(1);
      record_.task = WorkerRecord::none;
      futex_wake(shared_.control().news);
    }
    record_.task = WorkerRecord::none;
  }

 private:
  [[nodiscard]] bool stopped() const { return shared_.control().stop.load() != 0; }

  /// Written down before it is claimed: if this worker dies, the consumer knows what it had.
  std::int64_t claim() {
    auto& next = shared_.control().next_task;
    std::int64_t task = next.load();
    do {
      if (task >= job_.tasks) return task;
      record_.task = task;
    } while (!next.compare_exchange_weak(task, task + 1));
    return task;
  }

  bool wait_for_turn(std::int64_t task) {
    BatchSlot& slot = shared_.slot_of(task);
    auto& turns = shared_.control().turns;
    for (;;) {
      const std::uint32_t seen = turns.load();
      if (slot.turn.load() == task) return true;
      if (stopped()) return false;
      futex_wait(turns, seen, Clock::now() + look_again);
    }
  }

  void make(std::int64_t task) {
    BatchSlot& slot = shared_.slot_of(task);
    slot.samples = slot.bytes = 0;
    slot.spent_ns = {};
    slot.troubles = {};
    auto indices = shared_.indices(task).first(static_cast<std::size_t>(slot.count));
    attempts_.assign(indices.size(), 0);
    std::size_t asked = 0, settled = 0;
    int in_flight = 0;
    while (settled < indices.size()) {
      const auto wall = Clock::now();
      const auto cpu = thread_cpu_time();
      while (in_flight < reader_->depth() && asked < indices.size()) {
        reader_->ask(static_cast<std::uint32_t>(asked), sample(indices[asked]));
        ++asked;
        ++in_flight;
      }
      const auto arrived = reader_->wait();
      record_.busy_since_ns = since_start_ns();
      const auto cpu_used = thread_cpu_time() - cpu;
      const auto waited = std::max(nanoseconds(Clock::now() - wall) - cpu_used, nanoseconds(0));
      add(slot, StallCause::storage, waited);
      add(slot, StallCause::cpu, cpu_used);
      const auto trouble = arrived.trouble ? arrived.trouble : use(task, arrived.ticket, arrived.data);
      reader_->done(arrived.ticket);
      if (!trouble) {
        ++slot.samples;
        slot.bytes += static_cast<std::int64_t>(arrived.data.size());
      } else if (again(slot, *trouble, indices[arrived.ticket], attempts_[arrived.ticket])) {
        reader_->ask(arrived.ticket, sample(indices[arrived.ticket]));
        continue;
      } else {
        indices[arrived.ticket] = -1;
      }
      ++settled;
      --in_flight;
    }
  }

  [[nodiscard]] const StoredSample& sample(std::int64_t index) const {
    return dataset_.samples[static_cast<std::size_t>(index)];
  }

  static void add(BatchSlot& slot, StallCause cause, nanoseconds time) {
    slot.spent_ns[static_cast<std::size_t>(cause)] += time.count();
  }

  /// Checks a sample and puts it where the batch has its place.
  std::optional<Trouble> use(std::int64_t task, std::uint32_t place, std::span<const std::byte> data) {
    BatchSlot& slot = shared_.slot_of(task);
    const std::int64_t index = shared_.indices(task)[place];
    const auto begin = Clock::now();
    if (checksum(data) != sample(index).checksum) return Trouble::corrupt;
    const auto checked = Clock::now();
    add(slot, StallCause::cpu, checked - begin);
    const auto target = shared_.data(task, place);
    bool decoded = true;
    switch (spec_.decode.kind) {
      case DecodeSpec::Kind::jpeg:
        decoded = decoder_->decode(data, spec_.dataset.image_width, spec_.dataset.image_height, target);
        break;
      case DecodeSpec::Kind::busy:
        busy_for(time_of(*spec_.decode.time, index, slot.epoch));
        [[fallthrough]];
      case DecodeSpec::Kind::none:
        std::memcpy(target.data(), data.data(), data.size());
        break;
    }
    if (!decoded) return Trouble::corrupt;
    if (!spec_.decode.augment.is_zero()) busy_for(time_of(spec_.decode.augment, index, slot.epoch + 1'000'000));
    add(slot, spec_.decode.kind == DecodeSpec::Kind::none ? StallCause::cpu : StallCause::decode,
        Clock::now() - checked);
    return std::nullopt;
  }

  static nanoseconds time_of(const Distribution& time, std::int64_t index, std::int64_t epoch) {
    return std::chrono::duration_cast<nanoseconds>(
        Duration{time.draw(mix64(static_cast<std::uint64_t>(index)) ^ mix64(static_cast<std::uint64_t>(epoch)))});
  }

  /// What the policy says: try once more, leave it out, or stop everything.
  bool again(BatchSlot& slot, Trouble trouble, std::int64_t index, int& attempts) {
    TroubleCount& count = slot.troubles[static_cast<std::size_t>(trouble)];
    if (attempts == 0) ++count.seen;
    const auto action = spec_.policy.of(trouble);
    if (action == PolicySpec::Action::skip) {
      ++count.skipped;
      return false;
    }
    if (action == PolicySpec::Action::retry && attempts < spec_.policy.retries) {
      ++attempts;
      ++count.retried;
      std::this_thread::sleep_for(std::chrono::duration_cast<nanoseconds>(spec_.policy.retry_delay));
      return true;
    }
    ++count.failed;
    LoaderControl& control = shared_.control();
    std::uint32_t nobody = 0;
    if (control.failing.compare_exchange_strong(nobody, 1)) {
      control.failed_sample = index;
      control.failed = 1 + static_cast<std::uint32_t>(trouble);
    }
    throw Stop{};
  }

  const LoaderSpec& spec_;
  const Dataset& dataset_;
  SharedBatches& shared_;
  const WorkerJob& job_;
  WorkerRecord& record_;
  std::unique_ptr<SampleReader> reader_;
  std::unique_ptr<JpegDecoder> decoder_;
  std::vector<int> attempts_;
};

}  // namespace

void work(const WorkerJob& job) {
  LoaderControl& control = job.shared->control();
  try {
    Worker(job).run();
    return;
  } catch (const Stop&) {
    control.stop = 1;
  } catch (const std::exception& error) {
    std::uint32_t nobody = 0;
    if (control.broken.compare_exchange_strong(nobody, 1))
      std::strncpy(control.message, error.what(), sizeof control.message - 1);
    control.broken = 2;  // the message is whole
  }
  control.stop = 1;
  futex_wake(control.news);
  futex_wake(control.turns);
}

std::function<std::unique_ptr<SampleReader>()> reader_of(const LoaderSpec& spec, const Dataset& dataset) {
  return [&spec, &dataset] { return open_reader(spec, dataset); };
}

}  // namespace lockstep::real
