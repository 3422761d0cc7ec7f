// Does a fit of logs recover the constants that made them, predict what it was not fitted on, and refuse what cannot
// be?
#include "study/calibration/log_fit.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/base/error.hpp"

namespace lockstep {
namespace {

PathFigures path() {
  return {.name = "ranks 0 and 8 of 'pair'", .latency = nanoseconds(700), .bandwidth = 200_Gbps, .mtu = 4096_B};
}

constexpr double rate = 25e9;
constexpr double efficiency = 0.98;
constexpr double software_s = 1.0e-6;
constexpr double gap_s = 0.2e-6;

void add(Result& result, std::int64_t size, double time_s, bool throughput) {
  CollectiveRow& row = result.collectives.emplace_back();
  row.kind = CollectiveKind::send_recv;
  row.ranks = 2;
  row.size_bytes = size;
  row.time_s = time_s;
  if (throughput) row.throughput = true;
}

double wire_s(std::int64_t size) { return static_cast<double>(size) / (rate * efficiency); }

Result lone_and_stream(bool lone, bool stream) {
  Result result;
  result.kind = Result::Kind::measurement;
  for (std::int64_t size = 2; size <= (8 << 20); size *= 2) {
    if (lone) add(result, size, 0.7e-6 + software_s + wire_s(size), false);
    if (stream) add(result, size, std::max(gap_s, wire_s(size)), true);
  }
  return result;
}

TEST(LogFit, RecoversWhatMadeTheLog) {
  const LogFit fit = fit_log(lone_and_stream(true, true), path(), "x.log");
  EXPECT_NEAR(fit.efficiency, efficiency, 1e-9);
  EXPECT_EQ(fit.transport.framing.frame_header, Bytes{84}) << "4096 (1 / 0.98 - 1)";
  ASSERT_TRUE(fit.gap_s);
  EXPECT_NEAR(*fit.gap_s, gap_s, 1e-12);
  const MessageCost& cost = fit.transport.messages.front();
  EXPECT_EQ(cost.overhead, nanoseconds(200)) << "the gap is processor time at either end,";
  EXPECT_EQ(cost.receive_overhead, nanoseconds(200));
  EXPECT_NEAR(to_seconds(cost.latency), software_s - 2 * gap_s, 2e-9) << "the rest is nobody's";
  ASSERT_FALSE(fit.not_fitted.empty());
  for (const auto& residual : fit.not_fitted) EXPECT_LT(std::abs(residual.relative), 0.01) << residual.size.count();
  EXPECT_LT(fit.fit.max_error, 0.01);
}

TEST(LogFit, WithoutARateOfSmallMessagesAllIsProcessorTime) {
  const LogFit fit = fit_log(lone_and_stream(true, false), path(), "x.log");
  EXPECT_NEAR(fit.efficiency, efficiency, 1e-6) << "from the slope of large messages";
  EXPECT_EQ(fit.gap_s, std::nullopt);
  EXPECT_NEAR(to_seconds(fit.transport.messages.front().overhead), software_s / 2, 2e-9);
  EXPECT_EQ(fit.transport.messages.front().latency, Duration{0});
  EXPECT_TRUE(fit.not_fitted.empty());
  EXPECT_THAT(fit.notes.back(), testing::HasSubstr("no rate of small messages"));
}

TEST(LogFit, AStreamAloneGivesOverheadAndRate) {
  const LogFit fit = fit_log(lone_and_stream(false, true), path(), "x.log");
  EXPECT_NEAR(to_seconds(fit.transport.messages.front().overhead), gap_s, 2e-9);
  EXPECT_EQ(fit.transport.messages.front().receive_overhead, Duration{0});
  EXPECT_GT(fit.not_fitted.size(), 5U) << "the sizes that the link limits";
  for (const auto& residual : fit.not_fitted) EXPECT_LT(std::abs(residual.relative), 0.12) << residual.size.count();
  EXPECT_THAT(fit.notes.back(), testing::HasSubstr("no lone messages in the log"));
}

std::string message_of(const Result& result, const PathFigures& figures = path()) {
  try {
    fit_log(result, figures, "x.log");
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

TEST(LogFit, WhatCannotBeIsRefused) {
  EXPECT_EQ(message_of(Result{}),
            "x.log: needs messages of at least three sizes between two ranks (perftest -a, osu_latency, a send_recv of "
            "two ranks); has 0 sizes of lone messages and 0 of streams");
  PathFigures slow = path();
  slow.bandwidth = 100_Gbps;
  EXPECT_EQ(message_of(lone_and_stream(true, true), slow),
            "x.log: messages reach 24.50 GB/s, and the route between ranks 0 and 8 of 'pair' carries 12.50 GB/s; is "
            "this the topology that was measured?");
  PathFigures far = path();
  far.latency = microseconds(5);
  EXPECT_EQ(message_of(lone_and_stream(true, true), far),
            "x.log: a message takes 1.70 us, and the route between ranks 0 and 8 of 'pair' alone 5.00 us; is this the "
            "topology that was measured?");
}

TEST(LogFit, ReadsAreLeftOut) {
  Result result = lone_and_stream(true, false);
  for (auto& row : result.collectives) row.protocol = "read";
  EXPECT_THAT(message_of(result), testing::HasSubstr("has 0 sizes of lone messages"));
}

}  // namespace
}  // namespace lockstep
