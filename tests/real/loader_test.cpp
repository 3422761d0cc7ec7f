// Does the real loader read every sample once, whatever the way, and do with bad ones what the policy says?
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <thread>

#include "core/base/error.hpp"
#include "real/loader/checksum.hpp"
#include "real/loader/jpeg.hpp"
#include "real/loader/residency.hpp"
#include "real/loader/run.hpp"
#include "tests/real/loader_files.hpp"

namespace lockstep::real {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

using test::LoaderFiles;

LoaderSpec small(std::int64_t samples = 60) { return test::small_loader(samples); }

LoaderOutcome run(const LoaderSpec& spec, const LoaderFiles& files, LoaderRun options = {}) {
  options.keep_cache = true;
  return run_loader(spec, files.load(), options);
}

std::string failure(const LoaderSpec& spec, const LoaderFiles& files, const LoaderRun& options = {}) {
  try {
    run(spec, files, options);
  } catch (const RunFailure& error) {
    return error.what();
  }
  return "no failure";
}

constexpr std::array accesses{Access::read, Access::mmap, Access::direct, Access::io_uring};
constexpr std::array kinds{ReadersSpec::Kind::threads, ReadersSpec::Kind::processes};

TEST(RealLoader, EverySampleOnceByEveryWay) {
  for (const auto format : {DatasetSpec::Format::files, DatasetSpec::Format::records, DatasetSpec::Format::tar,
                            DatasetSpec::Format::tokens}) {
    LoaderSpec spec = small();
    spec.dataset.format = format;
    if (format == DatasetSpec::Format::tokens) spec.dataset.size = fixed(8192_B);
    const LoaderFiles files(spec.dataset);
    const auto dataset = files.load();
    EXPECT_EQ(dataset.files.size(), format == DatasetSpec::Format::files ? 60U : 3U);
    for (const auto kind : kinds)
      for (const auto access : accesses)
        for (const bool ordered : {true, false}) {
          spec.readers.kind = kind;
          spec.readers.access = access;
          spec.readers.depth = access == Access::io_uring ? 4 : 1;
          spec.readers.ordered = ordered;
          spec.consumer.epochs = 2;
          const auto outcome = run(spec, files);
          EXPECT_EQ(outcome.samples, 120);
          EXPECT_EQ(outcome.bytes, 2 * dataset.bytes());
          EXPECT_EQ(outcome.wrong, 0);
          EXPECT_EQ(outcome.epochs.size(), 2U);
          EXPECT_EQ(outcome.steps, 16);
        }
  }
}

TEST(RealLoader, ImagesAreDecodedInBothKindsOfWorkers) {
  LoaderSpec spec = small(24);
  spec.dataset.content = DatasetSpec::Content::jpeg;
  spec.dataset.image_width = 128;
  spec.dataset.image_height = 96;
  spec.dataset.size = fixed(8000_B);
  spec.decode.kind = DecodeSpec::Kind::jpeg;
  const LoaderFiles files(spec.dataset);
  EXPECT_NEAR(static_cast<double>(files.load().bytes()) / 24, 8000, 1200);
  for (const auto kind : kinds) {
    spec.readers.kind = kind;
    const auto outcome = run(spec, files);
    EXPECT_EQ(outcome.samples, 24);
    EXPECT_EQ(outcome.wrong, 0);
    EXPECT_GT(outcome.stall_by_cause_s[static_cast<std::size_t>(StallCause::decode)], 0);
  }
}

TEST(RealLoader, ADatasetFollowsFromItsSeed) {
  LoaderSpec spec = small();
  const LoaderFiles one(spec.dataset), two(spec.dataset);
  EXPECT_EQ(one.load().sha256, two.load().sha256);
  spec.dataset.seed = 2;
  const LoaderFiles other(spec.dataset);
  EXPECT_NE(other.load().sha256, one.load().sha256);
  try {
    load_dataset(spec.dataset, one.path());
    FAIL() << "a dataset of another seed";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("this dataset was made from another workload: its 'seed' differs"));
  }
  EXPECT_THROW(make_dataset(spec.dataset, one.path()), InputError);
}

TEST(RealLoader, ColdAndWarmAreVerified) {
  LoaderSpec spec = small();
  const LoaderFiles files(spec.dataset);
  const auto dataset = files.load();
  drop_from_cache(dataset);
  if (resident_share(dataset) > 0.02) GTEST_SKIP() << "this file system does not drop pages";
  const auto cold = run_loader(spec, dataset);
  EXPECT_LT(cold.hit_ratio(), 0.5);
  EXPECT_GT(resident_share(dataset), 0.98);
  spec.cache.start = CacheSpec::Start::warm;
  EXPECT_GT(run_loader(spec, dataset).hit_ratio(), 0.98);
}

TEST(RealLoader, ThinkTimeIsUtilisation) {
  LoaderSpec spec = small();
  spec.consumer.think = milliseconds(10);
  const LoaderFiles files(spec.dataset);
  const auto outcome = run(spec, files);
  EXPECT_NEAR(outcome.think_s, 0.08, 1e-9);
  EXPECT_GT(outcome.utilisation(), 0.5);
  EXPECT_NEAR(outcome.think_s + outcome.stall_s + outcome.communication_s, outcome.time_s,
              0.01 * outcome.time_s + 1e-3);
  double causes = 0;
  for (const double seconds : outcome.stall_by_cause_s) causes += seconds;
  EXPECT_NEAR(causes, outcome.stall_s, 1e-6);
}

class RealLoaderTroubles : public testing::TestWithParam<std::tuple<ReadersSpec::Kind, Access>> {};

TEST_P(RealLoaderTroubles, AreSkippedRetriedOrEndTheRun) {
  LoaderSpec spec = small();
  std::tie(spec.readers.kind, spec.readers.access) = GetParam();
  spec.policy.retry_delay = milliseconds(1);
  for (const auto trouble :
       {Trouble::corrupt, Trouble::missing, Trouble::truncated, Trouble::empty, Trouble::unreadable}) {
    const auto which = static_cast<std::size_t>(trouble);
    spec.dataset.damaged = {};
    spec.dataset.damaged[which] = 3;
    const LoaderFiles files(spec.dataset);
    spec.policy.actions[which] = PolicySpec::Action::fail;
    EXPECT_THAT(failure(spec, files), HasSubstr(fmt::format("is {}, and the policy is 'fail'", to_string(trouble))));
    spec.policy.actions[which] = PolicySpec::Action::skip;
    const auto outcome = run(spec, files);
    EXPECT_EQ(outcome.samples, 57) << to_string(trouble);
    EXPECT_EQ(outcome.wrong, 0);
    EXPECT_EQ(outcome.troubles[which].seen, 3) << to_string(trouble);
    EXPECT_EQ(outcome.troubles[which].skipped, 3);
    spec.policy.actions[which] = PolicySpec::Action::retry;
    EXPECT_THAT(failure(spec, files), HasSubstr(fmt::format("is {}, and the policy is 'retry'", to_string(trouble))));
  }
}

INSTANTIATE_TEST_SUITE_P(EveryWay, RealLoaderTroubles,
                         testing::Combine(testing::ValuesIn(kinds), testing::ValuesIn(accesses)));

TEST(RealLoader, ARetryHelpsWhereTheTroubleEnds) {
  LoaderSpec spec = small();
  const LoaderFiles files(spec.dataset);
  const auto dataset = files.load();
  const fs::path file = dataset.path_of(17), aside = files.path() / "aside";
  fs::rename(file, aside);
  spec.policy.actions[static_cast<std::size_t>(Trouble::missing)] = PolicySpec::Action::retry;
  spec.policy.retries = 1000;
  std::thread repair([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    fs::rename(aside, file);
  });
  const auto outcome = run(spec, files);
  repair.join();
  EXPECT_EQ(outcome.samples, 60);
  const auto& count = outcome.troubles[static_cast<std::size_t>(Trouble::missing)];
  EXPECT_EQ(count.seen, 1);
  EXPECT_GT(count.retried, 0);
  EXPECT_EQ(count.failed + count.skipped, 0);
}

TEST(RealLoader, AWorkerThatDies) {
  LoaderSpec spec = small();
  spec.readers.kind = ReadersSpec::Kind::processes;
  const LoaderFiles files(spec.dataset);
  const auto which = static_cast<std::size_t>(Trouble::worker_death);
  const fs::path died = files.path() / "died";
  LoaderRun options;
  options.on_task = [&](int, std::int64_t task) {
    if (task != 3 || fs::exists(died)) return;
    fs::create_directory(died);
    ::raise(SIGKILL);
  };
  EXPECT_THAT(failure(spec, files, options), HasSubstr("was killed by signal 9 (Killed), and the policy is 'fail'"));
  fs::remove(died);
  spec.policy.actions[which] = PolicySpec::Action::retry;
  auto outcome = run(spec, files, options);
  EXPECT_EQ(outcome.samples, 60);
  EXPECT_EQ(outcome.wrong, 0);
  EXPECT_EQ(outcome.troubles[which].retried, 1);
  fs::remove(died);
  spec.policy.actions[which] = PolicySpec::Action::skip;
  outcome = run(spec, files, options);
  EXPECT_EQ(outcome.samples, 52);
  EXPECT_EQ(outcome.wrong, 0);
  EXPECT_EQ(outcome.troubles[which].skipped, 8);
  // One that dies again and again.
  options.on_task = [](int, std::int64_t task) {
    if (task == 3) ::raise(SIGKILL);
  };
  spec.policy.actions[which] = PolicySpec::Action::retry;
  EXPECT_THAT(failure(spec, files, options), HasSubstr("batch 3 has ended 4 workers"));
}

TEST(RealLoader, AWorkerThatSaysNothing) {
  LoaderSpec spec = small();
  const LoaderFiles files(spec.dataset);
  spec.policy.timeout = milliseconds(1500);  // a busy machine stalls for hundreds of milliseconds
  const fs::path stalled = files.path() / "stalled";
  // The stall is in the reading, where the worker is watched.
  class Stalling final : public SampleReader {
   public:
    Stalling(std::unique_ptr<SampleReader> reader, fs::path mark, bool forever)
        : reader_(std::move(reader)), mark_(std::move(mark)), forever_(forever) {}
    void ask(std::uint32_t ticket, const StoredSample& sample) override { reader_->ask(ticket, sample); }
    Arrived wait() override {
      // One of them alone.
      if (fs::create_directory(mark_))
        std::this_thread::sleep_for(forever_ ? std::chrono::seconds(3600) : std::chrono::milliseconds(1200));
      return reader_->wait();
    }
    void done(std::uint32_t ticket) override { reader_->done(ticket); }

   private:
    std::unique_ptr<SampleReader> reader_;
    fs::path mark_;
    bool forever_;
  };
  const auto dataset = files.load();
  LoaderRun options;
  options.open = [&] { return std::make_unique<Stalling>(open_reader(spec, dataset), stalled, true); };
  spec.readers.kind = ReadersSpec::Kind::processes;
  auto outcome = run(spec, files, options);
  EXPECT_EQ(outcome.samples, 60);
  EXPECT_EQ(outcome.troubles[static_cast<std::size_t>(Trouble::stall)].retried, 1);
  fs::remove(stalled);
  spec.policy.timeout = milliseconds(300);
  spec.policy.actions[static_cast<std::size_t>(Trouble::stall)] = PolicySpec::Action::fail;
  EXPECT_THAT(failure(spec, files, options), HasSubstr("says nothing for 600ms"));
  fs::remove(stalled);
  spec.readers.kind = ReadersSpec::Kind::threads;
  options.open = [&] { return std::make_unique<Stalling>(open_reader(spec, dataset), stalled, false); };
  EXPECT_THAT(failure(spec, files, options), HasSubstr("threads cannot be ended"));
}

TEST(RealLoader, ChecksumsTellOneByteApart) {
  std::vector<std::byte> data(1000);
  const auto sum = checksum(data);
  for (std::size_t i = 0; i < data.size(); ++i) {
    data[i] ^= std::byte{1};
    EXPECT_NE(checksum(data), sum) << i;
    data[i] ^= std::byte{1};
  }
  EXPECT_NE(checksum(std::span(data).first(999)), sum);
}

TEST(RealLoader, ADecoderRefusesWhatIsNoSuchImage) {
  JpegDecoder decoder;
  std::vector<std::byte> pixels(3 * 64 * 48);
  auto jpeg = JpegMaker(64, 48).make(3000, 7);
  EXPECT_TRUE(decoder.decode(jpeg, 64, 48, pixels));
  EXPECT_FALSE(decoder.decode(jpeg, 48, 64, pixels));
  EXPECT_FALSE(decoder.decode(std::span(jpeg).first(10), 64, 48, pixels));
}

}  // namespace
}  // namespace lockstep::real
