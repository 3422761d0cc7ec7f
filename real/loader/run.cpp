#include "real/loader/run.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/json.hpp"
#include "core/base/number.hpp"
#include "core/loader/sampler.hpp"
#include "real/launch/futex.hpp"
#include "real/launch/sleep.hpp"
#include "real/loader/batch_copier.hpp"
#include "real/loader/residency.hpp"

namespace lockstep::real {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

constexpr nanoseconds look_after_workers = std::chrono::milliseconds(20);
constexpr nanoseconds look_after_copies = std::chrono::microseconds(100);

double seconds_between(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

/// Bytes that this process had the storage read (Linux accounts them to who asked).
std::int64_t storage_bytes() {
  const std::string text = read_text_file("/proc/self/io");
  const std::string key = "\nread_bytes: ";
  const auto at = text.find(key);
  if (at == std::string::npos) return 0;
  const auto begin = at + key.size();
  return whole_number_in<std::int64_t>(std::string_view(text).substr(begin, text.find('\n', begin) - begin))
      .value_or(0);
}

/// The workers of a rank, threads or processes; ends them when it goes.
class Workers {
 public:
  Workers(const LoaderSpec& spec, WorkerJob job) : spec_(spec), job_(std::move(job)) {
    children_.assign(static_cast<std::size_t>(spec.readers.workers), -1);
    for (int i = 0; i < spec.readers.workers; ++i) start(i, WorkerRecord::none);
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  ~Workers() {
    job_.shared->control().stop = 1;
    futex_wake(job_.shared->control().turns);
    for (auto& thread : threads_) thread.join();
    const auto deadline = Clock::now() + std::chrono::seconds(1);
    for (const pid_t child : children_) {
      if (child < 0) continue;
      int status = 0;
      while (::waitpid(child, &status, WNOHANG) == 0) {
        if (Clock::now() > deadline) ::kill(child, SIGKILL);  // in a read that does not end
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
  }

  void start(int index, std::int64_t first_task) {
    WorkerJob job = job_;
    job.index = index;
    job.first_task = first_task;
    job_.shared->worker(index).task = first_task;
    job_.shared->worker(index).busy_since_ns = 0;
    if (spec_.readers.kind == ReadersSpec::Kind::threads) {
      threads_.emplace_back([job] { work(job); });
      return;
    }
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) throw RunFailure("a worker process cannot be started");
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(1);
      const std::int64_t before = storage_bytes();
      work(job);
      job_.shared->control().storage_bytes += storage_bytes() - before;
      ::_exit(0);
    }
    children_[static_cast<std::size_t>(index)] = child;
  }

  /// A process that has ended otherwise than by itself, with what ended it.
  struct Death {
    int index = 0;
    std::string how;
  };
  std::optional<Death> dead() {
    for (std::size_t i = 0; i < children_.size(); ++i) {
      int status = 0;
      if (children_[i] < 0 || ::waitpid(children_[i], &status, WNOHANG) <= 0) continue;
      children_[i] = -1;
      if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
      return Death{static_cast<int>(i),
                   WIFSIGNALED(status)
                       ? fmt::format("was killed by signal {} ({})", WTERMSIG(status), sigdescr_np(WTERMSIG(status)))
                       : fmt::format("ended with code {}", WEXITSTATUS(status))};
    }
    return std::nullopt;
  }
  /// Ends one that stalls; its end is then found by dead(). False for a thread, which nobody can end.
  bool kill(int index) {
    const pid_t child = children_[static_cast<std::size_t>(index)];
    if (child < 0) return false;
    ::kill(child, SIGKILL);
    return true;
  }
  [[nodiscard]] bool lives(int index) const {
    return spec_.readers.kind == ReadersSpec::Kind::threads || children_[static_cast<std::size_t>(index)] >= 0;
  }
  /// All have done what there was to do.
  void wait_for_end() {
    for (auto& thread : threads_) thread.join();
    threads_.clear();
    for (pid_t& child : children_) {
      int status = 0;
      if (child >= 0) ::waitpid(child, &status, 0);
      child = -1;
    }
  }

 private:
  const LoaderSpec& spec_;
  WorkerJob job_;
  std::vector<std::thread> threads_;
  std::vector<pid_t> children_;
};

class Run {
 public:
  Run(const LoaderSpec& spec, const Dataset& dataset, const LoaderRun& options)
      : spec_(spec),
        dataset_(dataset),
        options_(options),
        tasks_(spec.steps(options.ranks)),
        shared_(spec, spec.handed_over_bytes(dataset.largest()), spec.readers.workers),
        stream_(spec.sampler, spec.dataset.samples, options.rank, options.ranks) {}

  LoaderOutcome run() {
    if (spec_.copies_to_device()) {
      const std::size_t most = batch_bytes(spec_.batch.size);
      copier_ = options_.make_copier ? options_.make_copier(most) : make_batch_copier(spec_, most, options_.rank);
      read_back_.resize(most);
    }
    if (!options_.keep_cache) prepare_cache();
    for (std::int64_t task = 0; task < std::min(shared_.slots(), tasks_); ++task) fill(task);
    WorkerJob job;
    job.spec = &spec_;
    job.dataset = &dataset_;
    job.shared = &shared_;
    job.tasks = tasks_;
    job.open = options_.open ? options_.open : reader_of(spec_, dataset_);
    job.on_task = options_.on_task;
    const std::int64_t read_before = storage_bytes();
    start_ = Clock::now();
    Workers workers(spec_, job);
    workers_ = &workers;
    consume();
    workers.wait_for_end();
    const bool threads = spec_.readers.kind == ReadersSpec::Kind::threads;
    const std::int64_t read = threads ? storage_bytes() - read_before : shared_.control().storage_bytes.load();
    return outcome(read);
  }

 private:
  void prepare_cache() const {
    if (options_.open) return;  // not on this machine's files
    if (spec_.cache.start == CacheSpec::Start::cold) {
      drop_from_cache(dataset_);
      if (const double share = resident_share(dataset_); share > 0.02)
        throw RunFailure(fmt::format(
            "a cold run: {:.0f}% of {} are in the page cache after it was dropped (a file system in memory, or "
            "somebody maps the files)",
            100 * share, dataset_.folder));
    } else if (!spec_.readers.past_cache()) {
      read_into_cache(dataset_);
      if (const double share = resident_share(dataset_); share < 0.98)
        throw RunFailure(
            fmt::format("a warm run: only {:.0f}% of {} are in the page cache after reading all of it; is "
                        "it larger than the memory?",
                        100 * share, dataset_.folder));
    }
  }

  /// Says which samples a task has. Tasks are asked for in any order; the sampler gives them in one.
  void fill(std::int64_t task) {
    while (next_sampled_ <= task) {
      const std::int64_t per_epoch = spec_.steps_per_epoch(options_.ranks);
      if (next_sampled_ % per_epoch == 0) in_epoch_ = 0;
      const std::int64_t share = share_of_rank(spec_.dataset.samples, options_.rank, options_.ranks);
      const std::int64_t count = std::min(spec_.batch.size, share - in_epoch_);
      in_epoch_ += count;
      auto& sampled = sampled_[next_sampled_++];
      for (std::int64_t i = 0; i < count; ++i) sampled.push_back(stream_.next().index);
    }
    const auto found = sampled_.find(task);
    BatchSlot& slot = shared_.slot_of(task);
    slot.count = static_cast<std::int64_t>(found->second.size());
    slot.epoch = task / spec_.steps_per_epoch(options_.ranks);
    std::copy(found->second.begin(), found->second.end(), shared_.indices(task).begin());
    sampled_.erase(found);
    slot.done = 0;
    slot.turn = task;
    futex_wake(shared_.control().turns);
  }

  /// The task that can be taken now, or copied.
  std::optional<std::int64_t> ready() const {
    if (spec_.readers.ordered) {
      const std::int64_t next = copier_ ? copies_ : taken_;
      if (next >= tasks_) return std::nullopt;
      const BatchSlot& slot = shared_.slot_of(next);
      return slot.turn.load() == next && slot.done.load() != 0 ? std::optional(next) : std::nullopt;
    }
    std::optional<std::int64_t> first;
    for (std::int64_t i = 0; i < shared_.slots(); ++i) {
      const BatchSlot& slot = shared_.slot_of(i);
      const std::int64_t task = slot.turn.load();
      if (slot.done.load() == 0 || (copying_ && copying_->task == task) || copied_ == task) continue;
      if (!first || task < *first) first = task;
    }
    return first;
  }

  /// As it lies in memory: samples of unequal size each take the largest one's place.
  [[nodiscard]] std::size_t batch_bytes(std::int64_t samples) const {
    return static_cast<std::size_t>(samples) * shared_.data(0, 0).size();
  }

  /// Batches go to the device one after another: one is there while the next one is copied.
  void copy_on() {
    if (copying_ && !copying_->arrived && copier_->done()) arrive();
    if (copying_ && copying_->arrived && !copied_) {
      copied_ = copying_->task;
      copying_.reset();
    }
    if (copying_) return;
    const auto task = ready();
    if (!task) return;
    ++copies_;
    copying_ = {*task, Clock::now(), false};
    copier_->begin({shared_.data(*task, 0).data(), batch_bytes(shared_.slot_of(*task).count)});
  }

  void arrive() {
    copying_->arrived = true;
    BatchSlot& slot = shared_.slot_of(copying_->task);
    slot.spent_ns[static_cast<std::size_t>(StallCause::copy)] +=
        std::chrono::duration_cast<nanoseconds>(Clock::now() - copying_->begun).count();
    if (checked_) return;
    checked_ = true;
    const std::span<std::byte> there(read_back_.data(), batch_bytes(slot.count));
    copier_->read_back(there);
    if (std::memcmp(there.data(), shared_.data(copying_->task, 0).data(), there.size()) != 0)
      throw RunFailure("the device holds other bytes of a batch than were copied to it");
  }

  /// Thinking, while copies go on. How much longer it took because a copy kept this thread: to have its bytes in
  /// page-locked memory, or because CUDA copies pageable memory in part before it returns.
  double think_until(Clock::time_point end) {
    if (!copier_) {
      sleep_until(end);
      return 0;
    }
    double longer = 0;
    for (auto now = Clock::now(); now < end; now = Clock::now()) {
      copy_on();
      longer = seconds_between(end, Clock::now());
      sleep_until(std::min(end, now + look_after_copies));
    }
    return std::max(longer, 0.0);
  }

  [[nodiscard]] std::int64_t count_ready() const {
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < shared_.slots(); ++i) count += shared_.slot_of(i).done.load() != 0 ? 1 : 0;
    return count - (copying_ ? 1 : 0) - (copied_ ? 1 : 0);
  }

  void consume() {
    auto step_start = start_;
    const auto think = std::chrono::duration_cast<nanoseconds>(spec_.consumer.think);
    for (taken_ = 0; taken_ < tasks_; ++taken_) {
      const std::int64_t task = wait_for_batch();
      const auto taken_at = Clock::now();
      queue_.add(seconds_between(start_, taken_at), count_ready());
      take(task, seconds_between(step_start, taken_at));
      auto end = Clock::now();
      if (think.count() > 0) {
        const double copying = think_until(taken_at + think);
        end = Clock::now();
        // Waking late is the consumer's own.
        const double late = seconds_between(taken_at + think, end);
        stall_s_ += late;
        by_cause_[static_cast<std::size_t>(StallCause::copy)] += copying;
        by_cause_[static_cast<std::size_t>(StallCause::consumer)] += late - copying;
      }
      if (options_.all_reduce) {
        options_.all_reduce(taken_);
        const auto reduced = Clock::now();
        communication_s_ += seconds_between(end, reduced);
        end = reduced;
      }
      if (taken_ == 0) first_step_s_ = seconds_between(start_, end);
      step_s_.push_back(seconds_between(step_start, end));
      auto& epoch = epochs_[task / spec_.steps_per_epoch(options_.ranks)];
      epoch.end_s = seconds_between(start_, end);
      step_start = end;
    }
    end_ = step_start;
  }

  std::int64_t wait_for_batch() {
    LoaderControl& control = shared_.control();
    auto looked = Clock::now();
    for (;;) {
      const std::uint32_t news = control.news.load();
      if (copier_) {
        copy_on();
        if (const auto task = std::exchange(copied_, std::nullopt)) return *task;
      } else if (const auto task = ready()) {
        return *task;
      }
      throw_failure();
      // Nobody rings when a copy is done.
      futex_wait(control.news, news, Clock::now() + (copying_ ? nanoseconds(look_after_copies) : look_after_workers));
      if (Clock::now() - looked > look_after_workers) {
        look_after();
        looked = Clock::now();
      }
    }
  }

  void throw_failure() const {
    const LoaderControl& control = shared_.control();
    if (const std::uint32_t failed = control.failed.load(); failed != 0)
      throw RunFailure(fmt::format(
          "sample {} ({}) is {}, and the policy is '{}'", control.failed_sample,
          dataset_.files[dataset_.samples[static_cast<std::size_t>(control.failed_sample)].file],
          to_string(static_cast<Trouble>(failed - 1)),
          spec_.policy.of(static_cast<Trouble>(failed - 1)) == PolicySpec::Action::retry ? "retry" : "fail"));
    if (control.broken.load() == 2) throw RunFailure(control.message);
  }

  /// Finds workers that are dead or say nothing.
  void look_after() {
    while (const auto death = workers_->dead()) replace(death->index, death->how);
    // A read may take the time-out, and one more is for what follows it.
    const auto timeout = 2 * std::chrono::duration_cast<nanoseconds>(spec_.policy.timeout);
    for (int i = 0; i < spec_.readers.workers; ++i) {
      const std::int64_t since = shared_.worker(i).busy_since_ns.load();
      if (since == 0 || Clock::now().time_since_epoch().count() - since < timeout.count()) continue;
      if (stalled_.contains(i)) continue;
      if (spec_.policy.of(Trouble::stall) == PolicySpec::Action::fail || !workers_->kill(i))
        throw RunFailure(
            fmt::format("worker {} says nothing for {}{}", i, format_duration(2 * spec_.policy.timeout),
                        spec_.readers.kind == ReadersSpec::Kind::threads ? ", and threads cannot be ended" : ""));
      stalled_[i] = true;
    }
  }

  void replace(int index, const std::string& how) {
    const bool stalled = stalled_.erase(index) > 0;
    const Trouble trouble = stalled ? Trouble::stall : Trouble::worker_death;
    TroubleCount& count = troubles_[static_cast<std::size_t>(trouble)];
    ++count.seen;
    const auto action = spec_.policy.of(trouble);
    if (action == PolicySpec::Action::fail) {
      ++count.failed;
      throw RunFailure(fmt::format("worker {} {}, and the policy is 'fail'", index, how));
    }
    std::int64_t task = shared_.worker(index).task.load();
    // It may have written down a task that another one got.
    bool its_own = task != WorkerRecord::none && task < shared_.control().next_task.load();
    for (int i = 0; i < spec_.readers.workers; ++i)
      if (i != index && workers_->lives(i) && shared_.worker(i).task.load() == task) its_own = false;
    BatchSlot& slot = shared_.slot_of(std::max<std::int64_t>(task, 0));
    if (its_own && slot.turn.load() == task && slot.done.load() != 0) its_own = false;
    if (its_own && slot.turn.load() > task) its_own = false;
    if (!its_own) {
      workers_->start(index, WorkerRecord::none);
      return;
    }
    if (action == PolicySpec::Action::skip && slot.turn.load() == task) {
      slot.samples = slot.bytes = 0;
      slot.spent_ns = {};
      slot.troubles = {};
      auto indices = shared_.indices(task);
      std::fill(indices.begin(), indices.end(), -1);
      count.skipped += slot.count;
      slot.done = 1;
      workers_->start(index, WorkerRecord::none);
      return;
    }
    if (++deaths_of_task_[task] > spec_.policy.retries) {
      ++count.failed;
      throw RunFailure(
          fmt::format("worker {} {}; batch {} has ended {} workers", index, how, task, deaths_of_task_[task]));
    }
    ++count.retried;
    workers_->start(index, task);
  }

  void take(std::int64_t task, double stall_s) {
    BatchSlot& slot = shared_.slot_of(task);
    // The stall is dealt to what the making of this batch took.
    stall_s_ += stall_s;
    double all = 0;
    for (const std::int64_t spent : slot.spent_ns) all += static_cast<double>(spent) * 1e-9;
    double rest = stall_s;
    if (taken_ == 0 && all < rest) {
      by_cause_[static_cast<std::size_t>(StallCause::start)] += rest - all;
      rest = all;
    }
    for (std::size_t i = 0; i < stall_cause_count && all > 0; ++i)
      by_cause_[i] += rest * static_cast<double>(slot.spent_ns[i]) * 1e-9 / all;
    think_s_ += to_seconds(spec_.consumer.think);
    samples_ += slot.samples;
    bytes_ += slot.bytes;
    auto& epoch = epochs_[slot.epoch];
    epoch.samples += slot.samples;
    auto& times = seen_[slot.epoch];
    times.resize(dataset_.samples.size());
    const auto indices = shared_.indices(task).first(static_cast<std::size_t>(slot.count));
    for (const std::int64_t index : indices)
      if (index < 0)
        ++skipped_[slot.epoch];
      else if (times[static_cast<std::size_t>(index)] < 255)
        ++times[static_cast<std::size_t>(index)];
    for (std::size_t i = 0; i < trouble_count; ++i) {
      troubles_[i].seen += slot.troubles[i].seen;
      troubles_[i].skipped += slot.troubles[i].skipped;
      troubles_[i].retried += slot.troubles[i].retried;
    }
    slot.done = 0;
    const std::int64_t next = task + shared_.slots();
    if (next < tasks_) fill(next);
  }

  /// Samples of whole epochs that came twice, or not at all and uncounted.
  [[nodiscard]] std::int64_t count_wrong() const {
    if (spec_.sampler.order == SamplerSpec::Order::weighted || options_.ranks > 1) return 0;
    std::int64_t wrong = 0;
    const std::int64_t whole = tasks_ / spec_.steps_per_epoch(1);
    for (const auto& [epoch, times] : seen_) {
      std::int64_t missing = 0;
      for (const std::uint8_t count : times) {
        if (count > 1) wrong += count - 1;
        if (count == 0) ++missing;
      }
      const auto skipped = skipped_.find(epoch);
      if (epoch < whole) wrong += std::abs(missing - (skipped == skipped_.end() ? 0 : skipped->second));
    }
    return wrong;
  }

  LoaderOutcome outcome(std::int64_t read_from_storage) {
    LoaderOutcome outcome;
    outcome.ranks = options_.ranks;
    outcome.steps = tasks_;
    outcome.samples = samples_;
    outcome.bytes = bytes_;
    outcome.time_s = seconds_between(start_, end_);
    outcome.first_step_s = first_step_s_;
    outcome.think_s = think_s_;
    outcome.stall_s = outcome.min_stall_s = outcome.max_stall_s = stall_s_;
    outcome.communication_s = communication_s_;
    outcome.stall_by_cause_s = by_cause_;
    outcome.reads = options_.open ? 0 : samples_;  // of this machine's page cache
    // By bytes: what the storage did not have to give was in the cache.
    const double missed = bytes_ > 0 ? static_cast<double>(read_from_storage) / static_cast<double>(bytes_) : 1;
    outcome.hits = static_cast<std::int64_t>(static_cast<double>(outcome.reads) * std::clamp(1 - missed, 0.0, 1.0));
    for (const auto& [number, epoch] : epochs_) outcome.epochs.push_back(epoch);
    outcome.queue = queue_.points();
    outcome.troubles = troubles_;
    outcome.wrong = count_wrong();
    outcome.step_s = step_s_;
    return outcome;
  }

  const LoaderSpec& spec_;
  const Dataset& dataset_;
  const LoaderRun& options_;
  std::int64_t tasks_;
  SharedBatches shared_;
  SampleStream stream_;
  Workers* workers_ = nullptr;
  std::int64_t next_sampled_ = 0, in_epoch_ = 0, taken_ = 0;
  std::map<std::int64_t, std::vector<std::int64_t>> sampled_;
  std::map<std::int64_t, LoaderEpoch> epochs_;
  std::map<std::int64_t, std::vector<std::uint8_t>> seen_;  // by epoch: how often every sample came
  std::map<std::int64_t, std::int64_t> skipped_;
  std::map<std::int64_t, int> deaths_of_task_;
  std::map<int, bool> stalled_;
  std::array<TroubleCount, trouble_count> troubles_{};
  QueueRecord queue_;
  struct Copying {
    std::int64_t task = 0;
    Clock::time_point begun;
    bool arrived = false;
  };
  std::unique_ptr<BatchCopier> copier_;
  std::optional<Copying> copying_;      // perhaps arrived already, behind one that is not taken
  std::optional<std::int64_t> copied_;  // on the device, not taken
  std::int64_t copies_ = 0;             // begun
  bool checked_ = false;                // what the device holds of the first batch
  std::vector<std::byte> read_back_;
  Clock::time_point start_, end_;
  double first_step_s_ = 0, stall_s_ = 0, think_s_ = 0, communication_s_ = 0;
  std::array<double, stall_cause_count> by_cause_{};
  std::vector<double> step_s_;
  std::int64_t samples_ = 0, bytes_ = 0;
};

}  // namespace

LoaderOutcome run_loader(const LoaderSpec& spec, const Dataset& dataset, const LoaderRun& options) {
  return Run(spec, dataset, options).run();
}

}  // namespace lockstep::real
