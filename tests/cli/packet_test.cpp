// lockstep simulate --fidelity packet, as a user sees it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "core/base/json.hpp"
#include "tests/cli/command.hpp"

namespace lockstep::test {
namespace {

using testing::HasSubstr;

Json result_of(const Folder& folder, const std::string& more) {
  const auto outcome =
      lockstep_line("simulate -t t.yaml -w w.yaml --fidelity packet -q --json r.json " + more, {folder.path(), {}});
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
  return Json::parse(folder.read("r.json"));
}

void write_files(const Folder& folder) {
  folder.write("t.yaml", "generate: {star: {hosts: 4, link: {bandwidth: 10Gbps, latency: 1us}}}\n");
  folder.write("w.yaml", "name: w\ncollectives: [{kind: gather, sizes: [4MiB]}]\n");
}

TEST(PacketCommand, TheResultHasWhatTheNetworkCounted) {
  Folder folder;
  write_files(folder);
  const Json result = result_of(folder, "--set topology.switching.samples=16");
  EXPECT_EQ(result["fidelity"], "packet");
  const Json& network = result["network"];
  EXPECT_EQ(network["drops"], 0);
  EXPECT_EQ(network["retransmitted"], 0);
  // Three hosts send a quarter of the buffer each, over two links.
  const std::int64_t packets = 3 * ((1 << 20) + 1499) / 1500;
  EXPECT_NEAR(network["packets"].get<double>(), static_cast<double>(packets), 3);
  EXPECT_EQ(network["packet_hops"].get<std::int64_t>(), 2 * network["packets"].get<std::int64_t>());
  double most = 0;
  for (const Json& link : network["links"]) {
    EXPECT_LE(link["utilisation"].get<double>(), 1.0);
    EXPECT_LE(link["over_time"]["largest_queue_bytes"].size(), 16U);
    most = std::max(most, link["utilisation"].get<double>());
  }
  EXPECT_GT(most, 0.99);  // the root's
}

TEST(PacketCommand, MixedRefusesToSprayFlowsBesidePackets) {
  Folder folder;
  folder.write("w.yaml", "name: w\ncollectives: [{kind: gather, sizes: [4MiB]}]\n");
  folder.write("t.yaml",
               "generate: {leaf_spine: {hosts: 4, leaves: 2, spines: 2, link: {bandwidth: 10Gbps}}}\n"
               "routing: {mode: spray}\nswitching: {packets: [spine0]}\n");
  const auto outcome = lockstep_line("simulate -t t.yaml -w w.yaml --fidelity mixed", {folder.path(), {}});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.errors, HasSubstr("'routing' asks for spray"));
  EXPECT_EQ(lockstep_line("simulate -t t.yaml -w w.yaml --fidelity packet", {folder.path(), {}}).code, 0);
}

TEST(PacketCommand, FlowsHaveNoNetworkToReport) {
  Folder folder;
  write_files(folder);
  const auto outcome = lockstep_line("simulate -t t.yaml -w w.yaml -q --json -", {folder.path(), {}});
  EXPECT_TRUE(Json::parse(outcome.output)["network"].is_null());
}

TEST(PacketCommand, KeysOfOtherTransportsAreNamed) {
  Folder folder;
  write_files(folder);
  const auto outcome = lockstep_line(
      "simulate -t t.yaml -w w.yaml --fidelity packet --set profile.transport.initial_window=3 --set "
      "topology.switching.credit_buffer=1MiB",
      {folder.path(), {}});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.errors, HasSubstr("has no effect: the transport is rdma, and this is of tcp"));
  EXPECT_THAT(outcome.errors, HasSubstr("has no effect: flow control is 'pfc', and this is of 'credits'"));
  const auto flow =
      lockstep_line("simulate -t t.yaml -w w.yaml --set topology.switching.xoff=1MiB", {folder.path(), {}});
  EXPECT_THAT(flow.errors, HasSubstr("has no effect: fidelity 'flow' knows no packets"));
}

TEST(PacketCommand, ALinkThatGoesDownAndComesBackIsWaitedFor) {
  Folder folder;
  write_files(folder);
  const double whole = result_of(folder, "")["collectives"][0]["time_s"].get<double>();
  folder.write(
      "t.yaml",
      "generate: {star: {hosts: 4, link: {bandwidth: 10Gbps, latency: 1us}}}\nfaults: [{at: 1ms, for: 2s, link: "
      "h0-s0, down: true}]\n");
  // Without warm-up: else it would be the warm-up that it hits.
  const auto row = result_of(folder, "--set workload.warmup=0")["collectives"][0];
  const auto samples = row["samples_s"].get<std::vector<double>>();
  ASSERT_EQ(samples.size(), row["iterations"].get<std::size_t>());
  EXPECT_NEAR(*std::max_element(samples.begin(), samples.end()), whole + 2, 0.01);
  EXPECT_NEAR(std::accumulate(samples.begin(), samples.end(), 0.0), static_cast<double>(samples.size()) * whole + 2,
              0.01)
      << "of one iteration alone";
}

TEST(PacketCommand, SteadyStepsAreLeftOutWhenAskedTo) {
  const Folder folder;
  folder.write("t.yaml",
               "name: t\ngenerate: {star: {hosts: 32, link: {bandwidth: 100Gbps, latency: 1us, mtu: 4096B}}}\n");
  folder.write("w.yaml", "name: w\ncollectives: [{kind: all_reduce, algorithm: ring, size: 4MiB}]\n");
  const std::string line =
      "simulate --fidelity packet -t " + folder.path() + "/t.yaml -w " + folder.path() + "/w.yaml --json -";
  const auto all = lockstep_line(line);
  ASSERT_EQ(all.code, 0) << all.errors;
  const auto some = lockstep_line(line + " --steady");
  ASSERT_EQ(some.code, 0) << some.errors;
  const auto a = nlohmann::json::parse(all.output), b = nlohmann::json::parse(some.output);
  const double time = a["collectives"][0]["time_s"];
  EXPECT_NEAR(b["collectives"][0]["time_s"].get<double>(), time, 0.01 * time);
  EXPECT_FALSE(a["network"].contains("steps_left_out"));
  EXPECT_GT(b["network"]["steps_left_out"].get<int>(), 500);
  EXPECT_LT(b["network"]["packets"].get<int>(), a["network"]["packets"].get<int>() * 3 / 4);
  const auto refused =
      lockstep_line("simulate --steady -t " + folder.path() + "/t.yaml -w " + folder.path() + "/w.yaml");
  EXPECT_EQ(refused.errors, "error: --steady is of fidelities packet and mixed; 'flow' is exact without\n");
}

}  // namespace
}  // namespace lockstep::test
