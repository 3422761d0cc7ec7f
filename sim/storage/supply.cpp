#include "sim/storage/supply.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/error.hpp"
#include "core/base/hash.hpp"

namespace lockstep::sim {
namespace {

int depth_of(const ReadersSpec& readers) { return readers.access == Access::io_uring ? readers.depth : 1; }

/// What the profile measured stands in for a storage that it was measured on.
StorageSpec storage_of(const LoaderSpec& spec, const LoaderCosts& costs) {
  StorageSpec storage = spec.storage;
  const auto& access = costs.access[static_cast<std::size_t>(spec.readers.access)];
  if (storage.kind != "measured" || !access) return storage;
  storage.open = fixed(access->cold_open);
  storage.latency = fixed(access->latency);
  storage.stream_bandwidth = access->stream_bandwidth;
  if (costs.bandwidth) storage.bandwidth = costs.bandwidth;
  storage.read_ahead = Bytes{0};  // is in what was measured
  return storage;
}

int hosts_of(const LoaderMachine& machine) { return (machine.ranks + machine.per_host() - 1) / machine.per_host(); }

}  // namespace

Supply::Supply(const LoaderSpec& spec, const LoaderMachine& machine, std::uint64_t seed)
    : spec_(spec),
      machine_(machine),
      costs_(machine.costs != nullptr ? *machine.costs : LoaderCosts{}),
      access_(costs_.access[static_cast<std::size_t>(spec.readers.access)]),
      seed_(mix64(seed)),
      steps_(spec.steps(machine.ranks)),
      damaged_(spec.dataset),
      storage_(storage_of(spec, costs_), hosts_of(machine), spec.readers.access == Access::mmap),
      cache_(spec, machine.ranks, machine.per_host()) {
  const auto& kind = costs_.worker(spec.readers.kind);
  const std::int64_t start = spec.readers.start.value_or(kind.start).count();
  per_batch_ = kind.hand_over.count();
  const auto hosts = static_cast<std::size_t>(hosts_of(machine));
  const int workers_per_host = machine.per_host() * spec.readers.workers;
  std::optional<int> cores = spec.readers.cores ? spec.readers.cores : machine.cores;
  if (cores && *cores >= workers_per_host && costs_.slowdown == 1) cores.reset();  // nothing to wait for
  cores_.assign(hosts, Cores(cores.value_or(0), costs_.slowdown));
  processed_.assign(hosts, 0);
  const auto slots = static_cast<std::size_t>(spec.readers.workers) * static_cast<std::size_t>(spec.readers.prefetch);
  for (int r = 0; r < machine.ranks; ++r) {
    Rank& rank = ranks_.emplace_back(SampleStream(spec.sampler, spec.dataset.samples, r, machine.ranks));
    rank.slots.resize(slots);
    rank.waiter.assign(slots, -1);
    rank.done.assign(slots, false);
    for (std::size_t slot = 0; slot < slots; ++slot) rank.turn.push_back(static_cast<std::int64_t>(slot));
    for (int w = 0; w < spec.readers.workers; ++w) {
      Worker worker;
      worker.rank = r;
      worker.host = host_of(r);
      workers_.push_back(std::move(worker));
      // One is started after another.
      push(static_cast<std::uint32_t>(workers_.size() - 1), started, start * (w + 1));
    }
  }
}

void Supply::push(std::uint32_t worker, EventKind kind, std::int64_t time, std::uint64_t data) {
  events_.push({.time = time,
                .entity = worker,
                .counter = workers_[worker].counter++,
                .data = data,
                .kind = std::uint8_t(kind)});
}

SuppliedBatch& Supply::batch_of(const Worker& worker) {
  Rank& rank = ranks_[static_cast<std::size_t>(worker.rank)];
  return rank.slots[static_cast<std::size_t>(worker.task) % rank.slots.size()];
}

std::int64_t Supply::written_of_host(int host) const {
  if (spec_.readers.copy_on_write.count() == 0) return 0;
  const std::int64_t workers = std::int64_t{machine_.per_host()} * spec_.readers.workers;
  const std::int64_t touched = std::min(spec_.dataset.samples, processed_[static_cast<std::size_t>(host)] / workers);
  return touched * workers * spec_.readers.copy_on_write.count();
}

bool Supply::left_out(const SampleStream::Sample& sample) {
  if (damaged_.none()) return false;
  const auto trouble = damaged_.of(sample.index);
  if (!trouble) return false;
  TroubleCount& count = troubles_[static_cast<std::size_t>(*trouble)];
  ++count.seen;
  const auto action = spec_.policy.of(*trouble);
  if (action == PolicySpec::Action::skip) {
    ++count.skipped;
    return true;
  }
  // What is bad stays bad: retries do not help.
  if (action == PolicySpec::Action::retry) count.retried += spec_.policy.retries;
  ++count.failed;
  throw RunFailure(fmt::format("sample {} is {}, and the policy is '{}'", sample.index, to_string(*trouble),
                               action == PolicySpec::Action::retry ? "retry" : "fail"));
}

void Supply::claim(std::uint32_t w, std::int64_t now) {
  Worker& worker = workers_[w];
  Rank& rank = ranks_[static_cast<std::size_t>(worker.rank)];
  worker.task = -1;
  if (rank.next_task >= steps_) return;
  worker.task = rank.next_task++;
  // Which samples: claims are made in the order of tasks.
  const std::int64_t per_epoch = spec_.steps_per_epoch(machine_.ranks);
  if (worker.task % per_epoch == 0) rank.in_epoch = 0;
  const std::int64_t share = share_of_rank(spec_.dataset.samples, worker.rank, machine_.ranks);
  const std::int64_t count = std::min(spec_.batch.size, share - rank.in_epoch);
  rank.in_epoch += count;
  worker.samples.clear();
  for (std::int64_t i = 0; i < count; ++i) worker.samples.push_back(rank.stream.next());
  const auto slot = static_cast<std::size_t>(worker.task) % rank.slots.size();
  if (rank.turn[slot] == worker.task)
    begin_task(w, now);
  else
    rank.waiter[slot] = static_cast<std::int32_t>(w);
}

void Supply::begin_task(std::uint32_t w, std::int64_t now) {
  Worker& worker = workers_[w];
  worker.issued = worker.done = worker.next_arrived = 0;
  worker.arrived.clear();
  SuppliedBatch& batch = batch_of(worker);
  batch = {};
  batch.task = worker.task;
  batch.epoch = worker.task / spec_.steps_per_epoch(machine_.ranks);
  go_on(w, now);
}

void Supply::issue(std::uint32_t w, std::int64_t now) {
  Worker& worker = workers_[w];
  SuppliedBatch& batch = batch_of(worker);
  const int depth = depth_of(spec_.readers);
  while (worker.in_flight + static_cast<int>(worker.arrived.size() - worker.next_arrived) < depth &&
         worker.issued < worker.samples.size()) {
    const auto i = static_cast<std::uint32_t>(worker.issued++);
    const auto& sample = worker.samples[i];
    if (left_out(sample)) {
      ++worker.done;
      continue;
    }
    const std::int64_t bytes = spec_.dataset.bytes_of(sample.index);
    ++reads_;
    ++batch.samples;
    batch.bytes += bytes;
    batch.handed_over_bytes += spec_.handed_over_bytes(bytes);
    const bool hit = !spec_.readers.past_cache() && cache_.holds(sample, written_of_host(worker.host));
    ++processed_[static_cast<std::size_t>(worker.host)];
    if (hit) {
      ++hits_;
      ++batch.hits;
      worker.arrived.push_back(i << 1 | 1);
      continue;
    }
    const std::uint64_t key =
        seed_ ^ mix64(static_cast<std::uint64_t>(sample.index) + mix64(static_cast<std::uint64_t>(sample.epoch)));
    const std::int64_t done = storage_.read(
        now,
        {.bytes = bytes, .host = worker.host, .opens = spec_.dataset.format == DatasetSpec::Format::files, .key = key});
    if (done == now) {  // no wait
      worker.arrived.push_back(i << 1);
      continue;
    }
    ++worker.in_flight;
    push(w, read_done, done, i);
  }
}

void Supply::go_on(std::uint32_t w, std::int64_t now) {
  Worker& worker = workers_[w];
  if (worker.working) return;
  issue(w, now);
  if (worker.next_arrived < worker.arrived.size()) {
    const std::uint32_t next = worker.arrived[worker.next_arrived++];
    if (worker.next_arrived == worker.arrived.size()) {
      worker.arrived.clear();
      worker.next_arrived = 0;
    }
    work_on(w, next, now);
  } else if (worker.done == worker.samples.size()) {
    hand_over(w, now);
  } else {
    worker.waits_since = now;
  }
}

Supply::Work Supply::work_of(const SampleStream::Sample& sample, std::int64_t bytes, bool hit) const {
  Work work;
  if (access_) {
    if (spec_.dataset.format == DatasetSpec::Format::files) work.read += access_->open.count();
    work.read += (hit ? access_->warm_cpu : access_->cpu).count() +
                 StorageDevice::time_for(bytes, hit ? access_->warm_bandwidth : access_->cpu_bandwidth);
  }
  const std::uint64_t key =
      seed_ ^ mix64(static_cast<std::uint64_t>(sample.index) ^ mix64(0xDEC + static_cast<std::uint64_t>(sample.epoch)));
  if (spec_.decode.kind != DecodeSpec::Kind::none) {
    if (spec_.decode.time)
      work.decode += spec_.decode.time->draw(key);
    else
      work.decode += costs_.decode.value_or(Duration{0}).count() +
                     StorageDevice::time_for(spec_.dataset.decoded_bytes(), costs_.decode_bandwidth);
  }
  if (!spec_.decode.augment.is_zero()) work.decode += spec_.decode.augment.draw(key ^ 0xA6);
  work.rest += StorageDevice::time_for(bytes, costs_.check_bandwidth);
  // A decoder writes into the batch itself; what is not decoded is copied there.
  if (spec_.batch.collate)
    work.rest += StorageDevice::time_for(spec_.handed_over_bytes(bytes), spec_.batch.collate);
  else if (spec_.decode.kind != DecodeSpec::Kind::jpeg)
    work.rest += StorageDevice::time_for(bytes, costs_.collate);
  return work;
}

void Supply::work_on(std::uint32_t w, std::uint32_t arrived, std::int64_t now) {
  Worker& worker = workers_[w];
  const auto& sample = worker.samples[arrived >> 1];
  Work work = work_of(sample, spec_.dataset.bytes_of(sample.index), (arrived & 1) != 0);
  if (worker.done + 1 == worker.samples.size()) work.rest += per_batch_;
  worker.working = true;
  auto& spent = batch_of(worker).spent;
  spent[static_cast<std::size_t>(StallCause::decode)] += work.decode;
  const std::int64_t all = work.read + work.decode + work.rest;
  const bool locks = spec_.readers.interpreter > 0;
  if (!locks) {
    spent[static_cast<std::size_t>(StallCause::cpu)] -= work.decode;  // the core adds it with the rest
    run_on_core(w, all, now);
    return;
  }
  const auto serial = static_cast<std::int64_t>(static_cast<double>(all) * spec_.readers.interpreter + 0.5);
  std::int64_t& free = ranks_[static_cast<std::size_t>(worker.rank)].lock_free;
  const std::int64_t end = std::max(now, free) + serial;
  spent[static_cast<std::size_t>(StallCause::lock)] += end - now;
  spent[static_cast<std::size_t>(StallCause::decode)] -= std::min(serial, work.decode);
  spent[static_cast<std::size_t>(StallCause::cpu)] -= std::max<std::int64_t>(0, work.decode - serial);
  free = end;
  worker.parallel_work = all - serial;
  push(w, lock_done, end);
}

void Supply::run_on_core(std::uint32_t w, std::int64_t duration, std::int64_t now) {
  Worker& worker = workers_[w];
  const auto span = cores_[static_cast<std::size_t>(worker.host)].run(now, duration);
  batch_of(worker).spent[static_cast<std::size_t>(StallCause::cpu)] += span.end - now;
  push(w, work_done, span.end);
}

void Supply::hand_over(std::uint32_t w, std::int64_t now) {
  Worker& worker = workers_[w];
  Rank& rank = ranks_[static_cast<std::size_t>(worker.rank)];
  const auto slot = static_cast<std::size_t>(worker.task) % rank.slots.size();
  rank.slots[slot].ready = now;
  rank.done[slot] = true;
  ++rank.ready_count;
  if (supplied_ != nullptr) supplied_->push_back(worker.rank);
  if (!spec_.readers.ordered) {
    if (rank.first_arrival == rank.in_order_of_arrival.size()) {
      rank.in_order_of_arrival.clear();
      rank.first_arrival = 0;
    }
    rank.in_order_of_arrival.push_back(static_cast<std::uint32_t>(slot));
  }
  claim(w, now);
}

void Supply::advance(std::vector<int>& ranks) {
  if (!events_.next(moment_)) return;
  supplied_ = &ranks;
  for (const Event& event : moment_) {
    Worker& worker = workers_[event.entity];
    switch (event.kind) {
      case started:
        claim(event.entity, event.time);
        break;
      case read_done:
        --worker.in_flight;
        if (!worker.working && worker.next_arrived == worker.arrived.size())
          batch_of(worker).spent[static_cast<std::size_t>(StallCause::storage)] += event.time - worker.waits_since;
        worker.arrived.push_back(static_cast<std::uint32_t>(event.data) << 1);
        go_on(event.entity, event.time);
        break;
      case lock_done:
        run_on_core(event.entity, worker.parallel_work, event.time);
        break;
      case work_done:
        worker.working = false;
        ++worker.done;
        go_on(event.entity, event.time);
        break;
      default:
        LOCKSTEP_CHECK(false, "an event of kind {}", event.kind);
    }
  }
  supplied_ = nullptr;
}

bool Supply::ready(int r) const {
  const Rank& rank = ranks_[static_cast<std::size_t>(r)];
  if (!spec_.readers.ordered) return rank.ready_count > 0;
  return rank.done[static_cast<std::size_t>(rank.taken) % rank.slots.size()];
}

SuppliedBatch Supply::take(int r, std::int64_t now) {
  LOCKSTEP_CHECK(ready(r), "rank {} takes a batch that is not there", r);
  Rank& rank = ranks_[static_cast<std::size_t>(r)];
  const std::size_t slot = spec_.readers.ordered ? static_cast<std::size_t>(rank.taken) % rank.slots.size()
                                                 : rank.in_order_of_arrival[rank.first_arrival++];
  SuppliedBatch batch = rank.slots[slot];
  ++rank.taken;
  --rank.ready_count;
  rank.done[slot] = false;
  rank.turn[slot] += static_cast<std::int64_t>(rank.slots.size());
  if (const std::int32_t waiter = std::exchange(rank.waiter[slot], -1); waiter >= 0)
    begin_task(static_cast<std::uint32_t>(waiter), now);
  return batch;
}

}  // namespace lockstep::sim
