// Does the simulated loader keep to the bounds and closed forms of its stages, and cost what it should?
#include "sim/storage/loader.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <list>
#include <unordered_map>

#include "core/base/clock.hpp"
#include "core/base/error.hpp"

namespace lockstep::sim {
namespace {

/// Deterministic stages: a sample is read in `read`, worked on in `work`; a step thinks for `think`.
LoaderSpec pipeline(Duration read, Duration work, Duration think) {
  LoaderSpec spec;
  spec.dataset.samples = 4096;
  spec.dataset.size = fixed(100'000_B);
  spec.storage = storage_catalogue().front().spec;
  spec.storage.latency = fixed(read);
  spec.decode = {.kind = DecodeSpec::Kind::busy, .time = fixed(work), .augment = {}};
  spec.batch.size = 8;
  spec.consumer.think = think;
  return spec;
}

LoaderOutcome simulate(const LoaderSpec& spec, int ranks = 1) {
  LoaderPrediction prediction;
  prediction.machine.ranks = ranks;
  return simulate_loader(spec, prediction);
}

/// Picoseconds per step between the first and the last step.
double interval(const LoaderOutcome& outcome) {
  return (outcome.time_s - outcome.first_step_s) / static_cast<double>(outcome.steps - 1) * 1e12;
}

TEST(LoaderBounds, TheDecoderDominates) {
  for (const int workers : {1, 2, 4, 8}) {
    LoaderSpec spec = pipeline(Duration{0}, milliseconds(1), milliseconds(1));
    spec.dataset.samples = 8 * 8 * 64;
    spec.readers.workers = workers;
    spec.readers.ordered = true;
    const auto outcome = simulate(spec);
    // Groups of `workers` batches every 8 ms; the last group is complete.
    const double steps = static_cast<double>(outcome.steps);
    const double busy = steps / workers * 8e-3;
    EXPECT_NEAR(outcome.time_s, busy + std::min(1.0, 8.0 / workers) * 1e-3 * (workers == 8 ? workers : workers), 1e-12)
        << workers;
    EXPECT_NEAR(outcome.stall_by_cause_s[static_cast<std::size_t>(StallCause::decode)], outcome.stall_s, 1e-9);
  }
}

TEST(LoaderBounds, OneWorkerWaitsForReadsAndWorks) {
  const auto outcome = simulate(pipeline(milliseconds(3), milliseconds(1), milliseconds(5)));
  EXPECT_DOUBLE_EQ(interval(outcome), 8 * 4e9);  // 8 samples of 4 ms, in picoseconds
}

TEST(LoaderBounds, ThinkingDominates) {
  LoaderSpec spec = pipeline(milliseconds(1), milliseconds(1), milliseconds(50));
  spec.readers.workers = 2;
  const auto outcome = simulate(spec);
  EXPECT_DOUBLE_EQ(interval(outcome), 50e9);
  // The only stall is that of the first batch.
  EXPECT_DOUBLE_EQ(outcome.stall_s, 16e-3);
}

TEST(LoaderBounds, TheStorageDominates) {
  LoaderSpec spec = pipeline(Duration{0}, microseconds(1), microseconds(10));
  spec.storage.bandwidth = Bandwidth::bytes_per_second(1'000'000'000);
  spec.readers.workers = 4;
  const auto outcome = simulate(spec);
  // 100 kB at 1 GB/s: 100 us a sample, whoever reads it.
  // The first four batches end together: three steps of 512 are not in the interval.
  EXPECT_NEAR(outcome.steady_samples_per_s(), 10'000, 10'000 * 3.0 / 511);
  spec.storage.bandwidth.reset();
  spec.storage.client_bandwidth = Bandwidth::bytes_per_second(500'000'000);
  EXPECT_NEAR(simulate(spec).steady_samples_per_s(), 5'000, 5'000 * 3.0 / 511);
}

TEST(LoaderBounds, DepthTimesRateIsLittlesLaw) {
  // A read takes 1 ms + 100 us at its own 1 GB/s; k in flight give k / 1.1 ms until the pipe's 20,000 a second.
  LoaderSpec spec = pipeline(milliseconds(1), Duration{0}, Duration{0});
  spec.dataset.samples = 40'000;
  spec.batch.size = 4000;
  spec.storage.stream_bandwidth = Bandwidth::bytes_per_second(1'000'000'000);
  spec.storage.bandwidth = Bandwidth::bytes_per_second(2'000'000'000);
  spec.readers.access = Access::io_uring;
  for (const int depth : {1, 4, 16}) {
    spec.readers.depth = depth;
    EXPECT_NEAR(simulate(spec).samples_per_s(), depth / 1.1e-3, 0.01 * depth / 1.1e-3);
  }
  spec.readers.depth = 64;
  EXPECT_NEAR(simulate(spec).samples_per_s(), 20'000, 400);
  // The storage serves 8 at a time, whatever is asked for.
  spec.storage.depth = 8;
  EXPECT_NEAR(simulate(spec).samples_per_s(), 8 / 1.1e-3, 0.01 * 8 / 1.1e-3);
}

TEST(LoaderBounds, LimitsOfRequestsOpensAndPrefixes) {
  LoaderSpec spec = pipeline(Duration{0}, Duration{0}, Duration{0});
  spec.readers.workers = 8;
  spec.storage.requests_per_s = 4000;
  EXPECT_NEAR(simulate(spec).samples_per_s(), 4000, 20);
  spec.storage.requests_per_s = 0;
  spec.storage.opens_per_s = 3000;
  EXPECT_NEAR(simulate(spec).samples_per_s(), 3000, 20);
  spec.dataset.format = DatasetSpec::Format::records;  // nothing to open
  spec.storage.prefix_rate = 1000;
  spec.storage.prefixes = 1;
  EXPECT_NEAR(simulate(spec).samples_per_s(), 1000, 10);
}

TEST(LoaderBounds, TheCopyDominates) {
  LoaderSpec spec = pipeline(Duration{0}, microseconds(10), milliseconds(1));
  spec.device.bandwidth = Bandwidth::bytes_per_second(100'000'000);
  spec.device.latency = milliseconds(2);
  const auto outcome = simulate(spec);
  EXPECT_DOUBLE_EQ(interval(outcome), 10e9);  // 800 kB at 100 MB/s and 2 ms
  EXPECT_GT(outcome.stall_by_cause_s[static_cast<std::size_t>(StallCause::copy)], 0.9 * outcome.stall_s);
}

TEST(LoaderBounds, CoresAndTheInterpreterLockLimitWorkers) {
  LoaderSpec spec = pipeline(Duration{0}, milliseconds(1), Duration{0});
  spec.readers.workers = 8;
  spec.readers.cores = 2;
  EXPECT_NEAR(simulate(spec).samples_per_s(), 2000, 20);
  spec.readers.cores.reset();
  spec.readers.interpreter = 0.5;  // half a millisecond of every sample, one thread at a time
  EXPECT_NEAR(simulate(spec).samples_per_s(), 2000, 20);
  spec.readers.interpreter = 1;
  EXPECT_NEAR(simulate(spec).samples_per_s(), 1000, 10);
}

TEST(LoaderBounds, MinimumOfTheStages) {
  rc::check("steps take as long as the slowest stage lets them", [] {
    const auto stage = [] { return microseconds(*rc::gen::inRange(1, 2000)); };
    const Duration read = stage(), work = stage(), think = stage();
    LoaderSpec spec = pipeline(read, work, 8 * think);
    spec.dataset.samples = 16'384;
    spec.readers.workers = *rc::gen::inRange(1, 9);
    spec.readers.ordered = *rc::gen::arbitrary<bool>();
    spec.readers.prefetch = *rc::gen::inRange(1, 4);
    const auto copy = *rc::gen::inRange(0, 2000);
    spec.device.latency = 8 * microseconds(copy);
    const double worker = static_cast<double>((read + work).count()) / spec.readers.workers;
    const double slowest = std::max({worker, static_cast<double>(think.count()), copy * 1e6});
    const auto outcome = simulate(spec);
    const double bound = slowest * 8;
    RC_ASSERT(outcome.time_s * 1e12 >= bound * static_cast<double>(outcome.steps) * (1 - 1e-9));
    // Above it only by what the pipeline takes to fill and to empty, unless every batch needs its worker at once.
    const double latency = static_cast<double>((read + work).count()) * 8;
    const double filling = 2 * latency + 16.0 * static_cast<double>(think.count()) + 16e6 * copy;
    if (spec.readers.prefetch > 1)
      RC_ASSERT(outcome.time_s * 1e12 <= bound * static_cast<double>(outcome.steps) * 1.0001 + filling);
  });
}

TEST(LoaderQueue, PrefetchHidesJitterUpToItsDepth) {
  // Every batch takes 10 ms of reading in the mean, thinking 12 ms: with room ahead a slow batch is hidden.
  LoaderSpec spec = pipeline(Duration{0}, Duration{0}, milliseconds(12));
  spec.batch.size = 1;
  spec.dataset.samples = 4000;
  spec.storage.latency = {.shape = Distribution::Shape::exponential, .mean = milliseconds(10).count()};
  double before = 1;
  for (const int prefetch : {1, 2, 4, 8, 16}) {
    spec.readers.prefetch = prefetch;
    const double stall = simulate(spec).stall_fraction();
    EXPECT_LT(stall, before) << prefetch;
    before = stall;
  }
  EXPECT_LT(before, 0.01);
}

TEST(LoaderQueue, MoreWorkersAndLargerBatchesAreNeverSlower) {
  double before = 1e9;
  for (const int workers : {1, 2, 3, 4, 6}) {
    LoaderSpec spec = pipeline(milliseconds(1), milliseconds(1), milliseconds(3));
    spec.readers.workers = workers;
    const double time = simulate(spec).time_s;
    EXPECT_LE(time, before);
    before = time;
  }
}

TEST(LoaderSamples, EveryIndexOncePerEpochWhateverTheOrder) {
  for (const auto order :
       {SamplerSpec::Order::sequential, SamplerSpec::Order::shuffle, SamplerSpec::Order::shuffle_buffer}) {
    SamplerSpec sampler;
    sampler.order = order;
    sampler.buffer = 37;
    for (const int ranks : {1, 3, 8}) {
      constexpr std::int64_t samples = 1001;
      for (std::int64_t epoch = 0; epoch < 2; ++epoch) {
        std::vector<int> times(samples);
        for (int rank = 0; rank < ranks; ++rank) {
          SampleStream stream(sampler, samples, rank, ranks);
          for (std::int64_t i = 0; i < share_of_rank(samples, rank, ranks) * (epoch + 1); ++i) {
            const auto sample = stream.next();
            if (sample.epoch == epoch) ++times[static_cast<std::size_t>(sample.index)];
          }
        }
        EXPECT_EQ(std::count(times.begin(), times.end(), 1), samples);
      }
    }
  }
}

TEST(LoaderSamples, ThePermutationHasAnInverse) {
  rc::check("place_of undoes the permutation", [] {
    const auto n = *rc::gen::inRange<std::uint64_t>(1, 5000);
    const Permutation permutation(n, *rc::gen::arbitrary<std::uint64_t>());
    std::vector<bool> seen(n);
    for (std::uint64_t i = 0; i < n; ++i) {
      const auto value = permutation(i);
      RC_ASSERT(value < n);
      RC_ASSERT(!seen[value]);
      seen[value] = true;
      RC_ASSERT(permutation.place_of(value) == i);
    }
  });
}

TEST(LoaderSamples, WeightsAreKept) {
  SamplerSpec sampler;
  sampler.order = SamplerSpec::Order::weighted;
  sampler.weights = {{0.1, 9}, {0.9, 1}};  // the first tenth is drawn as often as all the rest
  const EpochOrder order(sampler, 1000, 0);
  int first = 0;
  for (std::int64_t place = 0; place < 20'000; ++place) first += order.index(place) < 100 ? 1 : 0;
  EXPECT_NEAR(first, 10'000, 300);
}

/// The same cache as a list.
double hit_ratio_of_a_list(const LoaderSpec& spec, std::int64_t capacity) {
  SampleStream stream(spec.sampler, spec.dataset.samples, 0, 1);
  std::list<std::int64_t> held;
  std::unordered_map<std::int64_t, std::list<std::int64_t>::iterator> where;
  std::int64_t hits = 0;
  const std::int64_t reads = spec.dataset.samples * spec.consumer.epochs;
  for (std::int64_t i = 0; i < reads; ++i) {
    const auto index = stream.next().index;
    if (const auto found = where.find(index); found != where.end()) {
      ++hits;
      held.erase(found->second);
    } else if (static_cast<std::int64_t>(held.size()) == capacity) {
      where.erase(held.back());
      held.pop_back();
    }
    held.push_front(index);
    where[index] = held.begin();
  }
  return static_cast<double>(hits) / static_cast<double>(reads);
}

TEST(LoaderCache, AgreesWithAListOfWhatIsHeld) {
  for (const auto order : {SamplerSpec::Order::sequential, SamplerSpec::Order::shuffle}) {
    for (const double share : {0.25, 0.5, 0.9, 1.01}) {
      LoaderSpec spec = pipeline(microseconds(1), Duration{0}, Duration{0});
      spec.dataset.format = DatasetSpec::Format::records;
      spec.dataset.samples = 5000;
      spec.sampler.order = order;
      spec.consumer.epochs = 4;
      const auto capacity = static_cast<std::int64_t>(share * 5000);
      spec.cache.memory = capacity * 100'000_B;
      EXPECT_NEAR(simulate(spec).hit_ratio(), hit_ratio_of_a_list(spec, capacity), 0.01)
          << share << (order == SamplerSpec::Order::shuffle ? " shuffle" : " sequential");
    }
  }
}

TEST(LoaderCache, ColdThenWarmThenThrashing) {
  LoaderSpec spec = pipeline(milliseconds(1), Duration{0}, Duration{0});
  spec.consumer.epochs = 2;
  auto outcome = simulate(spec);
  EXPECT_EQ(outcome.epochs[0].hits, 0);
  EXPECT_EQ(outcome.epochs[1].hits, 4096);
  spec.cache.start = CacheSpec::Start::warm;
  EXPECT_EQ(simulate(spec).epochs[0].hits, 4096);
  spec.cache = {};
  spec.cache.memory = 300_MiB;  // of 400 MB, in order: what comes next was just thrown out
  spec.sampler.order = SamplerSpec::Order::sequential;
  EXPECT_EQ(simulate(spec).hits, 0);
  // Workers that make memory their own leave less for the cache.
  spec.cache.memory = 420_MiB;
  EXPECT_EQ(simulate(spec).epochs[1].hits, 4096);
  spec.readers.kind = ReadersSpec::Kind::processes;
  spec.readers.copy_on_write = 20_KiB;
  outcome = simulate(spec);
  EXPECT_EQ(outcome.epochs[1].hits, 0);
  EXPECT_EQ(outcome.worker_bytes, 4096 * 20 * 1024);
}

TEST(LoaderSteps, RanksWaitForEachOther) {
  LoaderSpec spec = pipeline(Duration{0}, Duration{0}, milliseconds(10));
  spec.consumer.all_reduce = 1_MiB;
  spec.consumer.overhead = {.shape = Distribution::Shape::exponential, .mean = milliseconds(1).count()};
  LoaderPrediction prediction;
  prediction.all_reduce = milliseconds(5);
  prediction.machine.ranks = 4;
  const auto outcome = simulate_loader(spec, prediction);
  // The mean of the largest of four exponential times of mean 1 ms is 1 + 1/2 + 1/3 + 1/4.
  EXPECT_NEAR(interval(outcome), 17.083e9, 0.3e9);
  EXPECT_NEAR(outcome.communication_s / static_cast<double>(outcome.steps), 6.083e-3, 0.3e-3);
  EXPECT_NEAR(outcome.think_s + outcome.stall_s + outcome.communication_s, outcome.time_s, 1e-9);
}

TEST(LoaderSteps, ReadsAndCollectivesTakeTurnsOnALink) {
  LoaderSpec spec = pipeline(Duration{0}, Duration{0}, Duration{0});
  spec.storage.kind = "object_store";
  spec.storage.client_bandwidth = Bandwidth::bytes_per_second(100'000'000);
  spec.readers.workers = 2;
  spec.consumer.all_reduce = Bytes{1'000'000};
  LoaderPrediction prediction;
  prediction.machine.ranks = 2;
  prediction.machine.ranks_per_host = 1;
  prediction.all_reduce = milliseconds(10);
  // Apart: 8 samples of 1 ms of the link, and 10 ms of the collective, of which the longer counts as reads run ahead.
  EXPECT_NEAR(interval(simulate_loader(spec, prediction)), 10e9, 0.1e9);
  // On one link both have to pass.
  prediction.all_reduce_received = Bytes{1'000'000};
  EXPECT_NEAR(interval(simulate_loader(spec, prediction)), 18e9, 0.2e9);
}

TEST(LoaderOutcomes, ComeBackFromTheirJsonAndAddUp) {
  LoaderSpec spec = pipeline(milliseconds(1), milliseconds(1), milliseconds(3));
  spec.dataset.damaged[static_cast<std::size_t>(Trouble::empty)] = 2;
  spec.policy.actions[static_cast<std::size_t>(Trouble::empty)] = PolicySpec::Action::skip;
  const auto outcome = simulate(spec);
  const auto again = loader_outcome_from_json(to_json(outcome), "r.json");
  EXPECT_EQ(again.samples, outcome.samples);
  EXPECT_EQ(again.bytes, outcome.bytes);
  EXPECT_EQ(again.time_s, outcome.time_s);
  EXPECT_EQ(again.stall_by_cause_s, outcome.stall_by_cause_s);
  EXPECT_EQ(again.troubles[static_cast<std::size_t>(Trouble::empty)].skipped, 2);
  const auto both = together({outcome, again});
  EXPECT_EQ(both.ranks, 2);
  EXPECT_EQ(both.samples, 2 * outcome.samples);
  EXPECT_DOUBLE_EQ(both.stall_s, outcome.stall_s);
  EXPECT_EQ(both.time_s, outcome.time_s);
  EXPECT_THROW(loader_outcome_from_json(Json{{"steps", 1}}, "r.json"), InputError);
}

TEST(LoaderSteps, CopiesAndCollectivesShareTheDevicesLink) {
  LoaderSpec spec = pipeline(Duration{0}, Duration{0}, milliseconds(1));
  spec.dataset.size = fixed(1'000'000_B);
  spec.batch.staging = BatchSpec::Staging::pageable;
  LoaderPrediction prediction;
  prediction.machine.ranks = 2;
  prediction.device_link = {.bandwidth = Bandwidth::bytes_per_second(1'000'000'000)};
  // A batch is 8 MB and takes 8 ms; so does a collective. Alone, the copy hides the thinking, and is hidden by both.
  EXPECT_DOUBLE_EQ(interval(simulate_loader(spec, prediction)), 8e9);
  spec.consumer.all_reduce = Bytes{8'000'000};
  prediction.all_reduce = milliseconds(8);
  EXPECT_DOUBLE_EQ(interval(simulate_loader(spec, prediction)), 9e9);
  // On one link they are 16 ms of work.
  prediction.device_link->all_reduce_received = *spec.consumer.all_reduce;
  const auto shared = simulate_loader(spec, prediction);
  EXPECT_NEAR(interval(shared), 16e9, 0.05e9);
  EXPECT_GT(shared.communication_s, static_cast<double>(shared.steps) * 12e-3);
  // A copy that is slower than its link by itself leaves the link to the collective.
  prediction.device_link->bandwidth = Bandwidth::bytes_per_second(100'000'000'000);
  spec.device.bandwidth = Bandwidth::bytes_per_second(800'000'000);
  EXPECT_NEAR(interval(simulate_loader(spec, prediction)), 10e9, 0.2e9);
}

TEST(LoaderSteps, CheckpointsCompeteWithReads) {
  LoaderSpec spec = pipeline(Duration{0}, Duration{0}, milliseconds(1));
  spec.storage.bandwidth = Bandwidth::bytes_per_second(1'000'000'000);
  const double without = simulate(spec).time_s;
  spec.consumer.checkpoint = {.every = 100, .bytes = Bytes{100'000'000}};  // 0.1 s of the storage, five times
  EXPECT_NEAR(simulate(spec).time_s - without, 0.5, 0.1);
}

TEST(LoaderTroubles, AreCountedOrEndTheRun) {
  LoaderSpec spec = pipeline(Duration{0}, microseconds(1), Duration{0});
  spec.dataset.damaged[static_cast<std::size_t>(Trouble::corrupt)] = 3;
  spec.dataset.damaged[static_cast<std::size_t>(Trouble::missing)] = 2;
  EXPECT_THROW(simulate(spec), RunFailure);
  spec.policy.actions[static_cast<std::size_t>(Trouble::corrupt)] = PolicySpec::Action::skip;
  spec.policy.actions[static_cast<std::size_t>(Trouble::missing)] = PolicySpec::Action::skip;
  const auto outcome = simulate(spec);
  EXPECT_EQ(outcome.samples, 4091);
  EXPECT_EQ(outcome.troubles[static_cast<std::size_t>(Trouble::corrupt)].skipped, 3);
  EXPECT_EQ(outcome.troubles[static_cast<std::size_t>(Trouble::missing)].skipped, 2);
}

TEST(LoaderDeterminism, TheSameSeedTheSameResult) {
  LoaderSpec spec = pipeline(microseconds(50), Duration{0}, microseconds(300));
  spec.dataset.size = {.shape = Distribution::Shape::normal, .mean = 100'000, .deviation = 40'000};
  spec.storage.latency = {.shape = Distribution::Shape::exponential, .mean = 50'000'000};
  spec.readers.workers = 3;
  const auto json = [&](std::uint64_t seed) {
    LoaderPrediction prediction;
    prediction.machine.ranks = 2;
    prediction.seed = seed;
    return to_json(simulate_loader(spec, prediction)).dump();
  };
  EXPECT_EQ(json(1), json(1));
  EXPECT_NE(json(1), json(2));
}

std::int64_t peak_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

TEST(LoaderSpeed, AMillionSamplesInTwoSecondsAndConstantMemory) {
  LoaderSpec spec = pipeline(microseconds(80), milliseconds(1), milliseconds(20));
  spec.batch.size = 64;
  spec.dataset.size = {.shape = Distribution::Shape::normal, .mean = 114'660, .deviation = 40'000};
  spec.storage.latency = {.shape = Distribution::Shape::exponential, .mean = 80'000'000};
  spec.readers.workers = 8;
  spec.readers.cores = 8;
  spec.cache.memory = 64_GiB;
  spec.dataset.samples = 10'000;
  spec.consumer.epochs = 2;
  simulate(spec);
  const std::int64_t before = peak_kib();
  spec.dataset.samples = 1'000'000;
  spec.consumer.epochs = 1;
  const double start = monotonic_s();
  const auto outcome = simulate(spec);
  const double seconds = monotonic_s() - start;
  EXPECT_EQ(outcome.samples, 1'000'000);
  RecordProperty("seconds", std::to_string(seconds));
#ifdef __OPTIMIZE__
  EXPECT_LT(seconds, 2);
#endif
  spec.consumer.epochs = 2;
  simulate(spec);
  EXPECT_LT(peak_kib() - before, 2048) << "memory grows with the number of samples";
}

}  // namespace
}  // namespace lockstep::sim
