// Does a profile fitted on a log of another program predict that log, and is what cannot be fitted refused?
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/cli/command.hpp"

namespace lockstep::test {
namespace {

using testing::HasSubstr;

/// Two hosts on a switch, 100 Gbit/s and 1 us: 0.4 us of software beside the network, one message per 0.15 us, payload
/// 96% of the link.
std::string perftest_logs() {
  std::string latency = "  RDMA_Write Latency Test\n #bytes #iterations  t_min[usec]  t_max[usec]  t_typical[usec]\n";
  std::string bandwidth =
      "  RDMA_Write BW Test\n #bytes #iterations  BW peak[Gb/sec]  BW average[Gb/sec]  MsgRate[Mpps]\n";
  for (long size = 2; size <= (8L << 20); size *= 2) {
    const double wire_us = static_cast<double>(size) / (0.96 * 12500);
    const double lone_us = 1.0 + 0.4 + wire_us;
    const double each_us = std::max(0.15, wire_us);
    latency += fmt::format(" {} 1000 {:.3f} {:.3f} {:.3f}\n", size, lone_us, lone_us, lone_us);
    const double rate = 8e-3 * static_cast<double>(size) / each_us;
    bandwidth += fmt::format(" {} 5000 {:.6f} {:.6f} {:.6f}\n", size, rate, rate, 1 / each_us);
  }
  return latency + bandwidth;
}

class FromLog : public testing::Test {
 protected:
  FromLog() {
    folder_.write("t.yaml",
                  "name: pair\ngenerate: {star: {hosts: 2, link: {bandwidth: 100Gbps, latency: 500ns, mtu: "
                  "4096B}}}\n");
    folder_.write("ib.log", perftest_logs());
  }
  [[nodiscard]] Outcome run(const std::string& line) const { return lockstep_line(line, {folder_.path(), {}}); }
  const Folder folder_;
};

TEST_F(FromLog, TheProfilePredictsTheLog) {
  const Outcome fitted = run("calibrate --from ib.log -t t.yaml -o p.yaml --name ib");
  ASSERT_EQ(fitted.code, 0) << fitted.errors;
  EXPECT_THAT(fitted.output, HasSubstr("# residuals: median 0."));
  EXPECT_THAT(fitted.output, HasSubstr("# not fitted: median 0."));
  EXPECT_THAT(fitted.output, HasSubstr("of which payload 96.0%"));
  EXPECT_THAT(fitted.output, HasSubstr("small messages, many in flight: one per 0.150 us"));
  folder_.write(
      "w.yaml",
      "name: pairs\ncollectives:\n  - {kind: send_recv, type: int32, sizes: {from: 4B, to: 8MiB, factor: 4}}\n");
  const Outcome simulated = run("simulate -t t.yaml -w w.yaml -p p.yaml -q --json r.json");
  ASSERT_EQ(simulated.code, 0) << simulated.errors;
  // The log's latencies come before its bandwidths, so they find the predicted rows first.
  const Outcome compared = run("compare r.json ib.log --json c.json --tolerance 2% --row-tolerance 5%");
  EXPECT_EQ(compared.code, 0) << compared.output;
  const auto rows = nlohmann::json::parse(folder_.read("c.json")).at("rows");
  EXPECT_EQ(rows.size(), 11U);
}

TEST_F(FromLog, WhatCannotBe) {
  const auto errors = [&](const std::string& line) {
    const Outcome outcome = run(line);
    EXPECT_EQ(outcome.code, 2) << line;
    EXPECT_EQ(outcome.output, "") << line;
    return outcome.errors;
  };
  EXPECT_EQ(
      errors("calibrate --from ib.log -o p.yaml"),
      "error: --from needs the topology that was measured (-t FILE): what its links take is taken off the times\n");
  EXPECT_EQ(errors("calibrate --from ib.log -t t.yaml --between 0,5 -o p.yaml"),
            "error: --between 0,5: topology 'pair' has ranks 0 to 1\n");
  EXPECT_EQ(errors("calibrate --from ib.log -t t.yaml --between 0-1 -o p.yaml"),
            "error: --between 0-1: expected two different ranks, as in 0,8\n");
  EXPECT_EQ(
      errors("calibrate --from ib.log -t t.yaml --set topology.generate.star.link.bandwidth=10Gbps -o p.yaml"),
      "error: ib.log: messages reach 12.00 GB/s, and the route between ranks 0 and 1 of 'pair' carries 1.25 GB/s; "
      "is this the topology that was measured?\n");
  EXPECT_EQ(folder_.names(), (std::vector<std::string>{"ib.log", "t.yaml"}));
}

}  // namespace
}  // namespace lockstep::test
