// Do batches get to a device whole, each once, and beside the rank's thinking? Over a device of host memory whose
// copies take as long as the test says; tests/cli/nccl_stand_in_test.cpp goes through the module with CUDA's calls.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "core/base/error.hpp"
#include "core/base/statistics.hpp"
#include "real/loader/run.hpp"
#include "sim/storage/loader.hpp"
#include "tests/real/loader_files.hpp"

namespace lockstep::real {
namespace {

using Clock = std::chrono::steady_clock;

class HostDevice final : public BatchCopier {
 public:
  struct Seen {
    std::int64_t batches = 0;
    std::vector<std::byte> memory;
  };
  HostDevice(Seen& seen, Clock::duration takes, bool loses) : seen_(seen), takes_(takes), loses_(loses) {}

  void begin(std::span<const std::byte> batch) override {
    EXPECT_TRUE(done()) << "one copy at a time";
    ++seen_.batches;
    seen_.memory.assign(batch.begin(), batch.end());
    if (loses_) seen_.memory.back() ^= std::byte{1};
    end_ = Clock::now() + takes_;
  }
  bool done() override { return Clock::now() >= end_; }
  void read_back(std::span<std::byte> batch) override {
    ASSERT_EQ(batch.size(), seen_.memory.size());
    std::copy(seen_.memory.begin(), seen_.memory.end(), batch.begin());
  }

 private:
  Seen& seen_;
  Clock::duration takes_;
  bool loses_;
  Clock::time_point end_{};
};

LoaderRun onto(HostDevice::Seen& seen, Clock::duration takes = {}, bool loses = false) {
  LoaderRun run;
  run.keep_cache = true;
  run.make_copier = [&seen, takes, loses](std::size_t) { return std::make_unique<HostDevice>(seen, takes, loses); };
  return run;
}

LoaderSpec copied(std::int64_t samples, BatchSpec::Staging staging) {
  LoaderSpec spec = test::small_loader(samples);
  spec.batch.staging = staging;
  return spec;
}

TEST(RealLoaderCopies, EveryBatchOnceWhateverTheOrder) {
  const test::LoaderFiles files(copied(60, BatchSpec::Staging::pinned).dataset);
  for (const auto staging : {BatchSpec::Staging::pinned, BatchSpec::Staging::pageable})
    for (const bool ordered : {true, false})
      for (const auto kind : {ReadersSpec::Kind::threads, ReadersSpec::Kind::processes})
        for (const int prefetch : {1, 3}) {
          LoaderSpec spec = copied(60, staging);
          spec.readers.ordered = ordered;
          spec.readers.kind = kind;
          spec.readers.prefetch = prefetch;
          spec.consumer.epochs = 2;
          HostDevice::Seen seen;
          const auto outcome = run_loader(spec, files.load(), onto(seen, std::chrono::microseconds(300)));
          EXPECT_EQ(outcome.samples, 120);
          EXPECT_EQ(outcome.wrong, 0);
          EXPECT_EQ(seen.batches, outcome.steps);
        }
}

TEST(RealLoaderCopies, ADeviceThatHoldsOtherBytesIsFoundOut) {
  const LoaderSpec spec = copied(60, BatchSpec::Staging::pageable);
  const test::LoaderFiles files(spec.dataset);
  HostDevice::Seen seen;
  try {
    run_loader(spec, files.load(), onto(seen, {}, true));
    FAIL() << "no failure";
  } catch (const RunFailure& failure) {
    EXPECT_STREQ(failure.what(), "the device holds other bytes of a batch than were copied to it");
  }
}

// A copy goes on while the rank thinks: a step takes as long as the longer of both, not their sum. The simulation of
// the same says so, too.
TEST(RealLoaderCopies, TheyRunBesideTheThinkingAsPredicted) {
  for (const auto& [think, copy] :
       {std::pair{milliseconds(20), milliseconds(8)}, {milliseconds(8), milliseconds(20)}}) {
    LoaderSpec spec = copied(200, BatchSpec::Staging::pageable);
    spec.consumer.think = think;
    const test::LoaderFiles files(spec.dataset);
    HostDevice::Seen seen;
    const auto outcome = run_loader(spec, files.load(), onto(seen, std::chrono::nanoseconds(copy.count() / 1000)));
    spec.device.latency = copy;
    const auto prediction = sim::simulate_loader(spec, {});
    // Of the steps in the middle; the first wait for the pipeline to fill.
    const std::vector<double> steps(outcome.step_s.begin() + 3, outcome.step_s.end());
    const double predicted = (prediction.time_s - prediction.first_step_s) / static_cast<double>(prediction.steps - 1);
    EXPECT_NEAR(predicted, 20e-3, 0.1e-3);
    EXPECT_NEAR(median(steps), predicted, 2e-3);
    if (copy > think) {
      EXPECT_GT(outcome.stall_by_cause_s[static_cast<std::size_t>(StallCause::copy)], 0.5 * outcome.stall_s);
    }
  }
}

}  // namespace
}  // namespace lockstep::real
