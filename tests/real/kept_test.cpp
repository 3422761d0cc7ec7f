// What rank 0 has seen outlives it: real processes, and files with and without a name.
#include "real/measure/kept.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "core/base/error.hpp"
#include "real/measure/measurement.hpp"

namespace lockstep::real {
namespace {

OperationRecord record(std::int64_t number) {
  OperationRecord one;
  one.rank = 3;
  one.operation = static_cast<std::uint32_t>(number % 7);
  one.ordinal = number;
  one.warmup = number < 2;
  one.start = Duration{number * 1000};
  one.end = Duration{number * 1000 + 999};
  return one;
}

void expect_records(const KeptFile& file, std::int64_t count) {
  const auto kept = file.records();
  ASSERT_EQ(static_cast<std::int64_t>(kept.size()), count);
  for (std::int64_t i = 0; i < count; ++i) {
    const OperationRecord& one = kept[static_cast<std::size_t>(i)];
    const OperationRecord expected = record(i);
    ASSERT_EQ(one.operation, expected.operation) << i;
    ASSERT_EQ(one.ordinal, expected.ordinal) << i;
    ASSERT_EQ(one.warmup, expected.warmup) << i;
    ASSERT_EQ(one.end, expected.end) << i;
  }
}

TEST(KeptRecords, AreReadAsTheyWereWritten) {
  const KeptFile empty;
  expect_records(empty, 0);
  for (const std::int64_t count : {0, 1, 8191, 8192, 8193, 30'000}) {
    const KeptFile file;
    Timeline timeline;
    {
      KeepingRecorder recorder(file, timeline);
      for (std::int64_t i = 0; i < count; ++i) recorder.operation(record(i));
    }
    expect_records(file, count);
    EXPECT_EQ(static_cast<std::int64_t>(timeline.operations.size()), count);
    const std::string name = std::filesystem::path(testing::TempDir()) / fmt::format("kept.{}", ::getpid());
    {
      const KeptFile named(name);
      named.copy(file);
    }
    expect_records(KeptFile(name), count);
    std::filesystem::remove(name);
  }
}

TEST(KeptRecords, OutliveTheProcessThatWroteThem) {
  const KeptFile file;
  const pid_t writer = ::fork();
  if (writer == 0) {
    Timeline timeline;
    KeepingRecorder recorder(file, timeline);
    for (std::int64_t i = 0; i < 20'000; ++i) recorder.operation(record(i));
    ::raise(SIGKILL);
  }
  ::waitpid(writer, nullptr, 0);
  expect_records(file, 20'000);
}

TEST(KeptRecords, AFullDiskIsAnErrorAndNoSignal) {
  const pid_t writer = ::fork();
  if (writer == 0) {
    // Less than one window of records.
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100'000, 100'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    int status = 1;
    try {
      const KeptFile file;
      Timeline timeline;
      KeepingRecorder recorder(file, timeline);
      recorder.operation(record(0));
    } catch (const RunFailure& failure) {
      status = std::string(failure.what()).starts_with("cannot keep what rank 0 measures: ") ? 0 : 2;
    }
    ::_exit(status);
  }
  int status = -1;
  ::waitpid(writer, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(KeptRecords, AFailureWithSomethingSeenIsAnInterruptedRun) {
  MeasurementOptions options;
  options.transport = "ucx";
  const auto nothing_seen = [](const MeasurementOptions&) -> Measurement { throw RunFailure("too early"); };
  try {
    keep_if_it_fails(options, nothing_seen);
    FAIL();
  } catch (const InterruptedRun&) {
    FAIL() << "nothing was seen";
  } catch (const RunFailure& failure) {
    EXPECT_STREQ(failure.what(), "too early");
  }
  const auto something_seen = [](const MeasurementOptions& keeping) -> Measurement {
    Timeline timeline;
    KeepingRecorder(*keeping.kept, timeline).operation(record(5));
    throw RunFailure("on the way");
  };
  try {
    keep_if_it_fails(options, something_seen);
    FAIL();
  } catch (const InterruptedRun& failure) {
    EXPECT_STREQ(failure.what(), "on the way");
    EXPECT_EQ(failure.seen().sends_by, "ucx");
    ASSERT_EQ(failure.seen().timeline.operations.size(), 1U);
    EXPECT_EQ(failure.seen().timeline.operations[0].ordinal, 5);
  }
}

}  // namespace
}  // namespace lockstep::real
