// Does a profile fitted on a log of another program predict that log, and is what cannot be fitted refused?
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
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

/// A published table as nccl-tests prints it (tests/data/measurements says whose it is).
std::string nccl_log(const std::string& table) {
  std::ifstream csv(std::string(LOCKSTEP_SOURCE_DIR) + "/tests/data/measurements/collectives/" + table + ".csv");
  std::string log =
      "# nccl-tests version 2.17.2 nccl-headers=22809 nccl-library=22809\n# Collective test starting: all_reduce_perf\n"
      "# Using devices\n";
  for (int r = 0; r < 8; ++r)
    log += fmt::format(
        "#  Rank {:2} Group  0 Pid  41210 on     node-a1 device  {} [0000:19:00] NVIDIA H100 80GB HBM3\n", r, r);
  log +=
      "#\n#       size         count      type   redop    root     time   algbw   busbw #wrong     time   algbw   "
      "busbw "
      "#wrong\n#        (B)    (elements)                               (us)  (GB/s)  (GB/s)            (us)  (GB/s)  "
      "(GB/s)       \n";
  std::string line;
  std::getline(csv, line);  // names of the columns
  while (std::getline(csv, line)) {
    const auto comma = line.find(',');
    const std::int64_t size = std::stoll(line.substr(0, comma));
    const std::string time = line.substr(comma + 1, line.find(',', comma + 1) - comma - 1);
    log += fmt::format("{:12} {:12}     float     sum      -1 {:>8} 0 0 0 {:>8} 0 0 0\n", size, size / 4, time, time);
  }
  return log;
}

TEST_F(FromLog, EveryFourthSizeOfASystemPredictsTheOthers) {
  folder_.write("nccl.log", nccl_log("h100_dgx8_1node_all_reduce"));
  const Outcome fitted = run("calibrate --from nccl.log -t " + std::string(LOCKSTEP_SOURCE_DIR) +
                             "/topologies/h100_node.yaml -o p.yaml --name site");
  ASSERT_EQ(fitted.code, 0) << fitted.errors;
  const auto median_of = [&](const std::string& band) {
    const auto at = fitted.output.find("# not fitted, " + band);
    EXPECT_NE(at, std::string::npos) << fitted.output;
    const auto number = fitted.output.find("median error ", at) + 13;
    return std::stod(fitted.output.substr(number));
  };
  EXPECT_LE(median_of("1MiB and more"), 7.0);
  // This table alone (small sizes of it jump by three times); the bound over all tables stands in tests/sim.
  EXPECT_LE(median_of("below 1MiB"), 10.0);
  // The profile can be used.
  folder_.write("w.yaml", "name: sweep\ncollectives: [{kind: all_reduce, algorithm: auto, size: 64MiB}]\n");
  const Outcome simulated = run("simulate -t " + std::string(LOCKSTEP_SOURCE_DIR) +
                                "/topologies/h100_node.yaml -w w.yaml -p p.yaml -q --json r.json");
  EXPECT_EQ(simulated.code, 0) << simulated.errors;
  const std::string few = nccl_log("h100_dgx8_1node_all_reduce").substr(0, 2000);
  folder_.write("few.log", few.substr(0, few.rfind('\n') + 1));
  const Outcome refused =
      run("calibrate --from few.log -t " + std::string(LOCKSTEP_SOURCE_DIR) + "/topologies/h100_node.yaml -o q.yaml");
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.errors, HasSubstr("rows that NCCL's model knows; 12 at least are needed"));
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
