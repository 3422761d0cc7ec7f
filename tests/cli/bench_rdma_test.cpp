// Does bench print perftest's tables for RDMA, write a result with the keys of the contract, and refuse what does not
// fit?
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/cli/command.hpp"

namespace lockstep::test {
namespace {

using testing::HasSubstr;

const std::string hdr = LOCKSTEP_SOURCE_DIR "/topologies/hdr200_pair.yaml";
const std::string vm = LOCKSTEP_SOURCE_DIR "/topologies/ethernet_vm_pair.yaml";
const std::string a100 = LOCKSTEP_SOURCE_DIR "/topologies/a100_rail_32.yaml";

TEST(BenchRdma, TheTablesAreTheGoldenOnes) {
  const std::string golden = LOCKSTEP_SOURCE_DIR "/tests/data/results/bench_rdma_write.txt";
  const auto outcome = lockstep_line("bench rdma_write -b 2 -e 1M -f 8 -t " + hdr);
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  if (std::getenv("LOCKSTEP_UPDATE_GOLDEN") != nullptr) std::ofstream(golden) << outcome.output;
  std::ostringstream expected;
  expected << std::ifstream(golden).rdbuf();
  EXPECT_EQ(outcome.output, expected.str()) << "refresh: LOCKSTEP_UPDATE_GOLDEN=1 ctest -R BenchRdma";
}

// A ring over verbs: what the profile of the model says of a message, simulated step by step.
TEST(BenchRdma, CollectivesRunOverItsProfile) {
  const Folder folder;
  const std::string profile = folder.path() + "/verbs.yaml";
  const auto written =
      lockstep_line("bench rdma_write -s 1M --test latency -t " + hdr + " --write-profile " + profile + " --json -");
  ASSERT_EQ(written.code, 0) << written.errors;
  const double latency = nlohmann::json::parse(written.output)["rdma"]["latency"][0]["t_avg_s"].get<double>();
  const auto outcome =
      lockstep_line("bench all_reduce -b 2M -e 2M --algorithm ring -p " + profile + " -t " + hdr + " --json -");
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  const auto rows = nlohmann::json::parse(outcome.output)["collectives"];
  EXPECT_NEAR(rows[0]["time_s"].get<double>(), 2 * latency, 0.01 * 2 * latency);
}

TEST(BenchRdma, NoProfileForNodesOfSeveralRanks) {
  const auto outcome = lockstep_line("bench rdma_write -t " + a100 + " --gpu direct --write-profile p.yaml");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.errors, HasSubstr("has 8 ranks, and what they send each other would cost the same"));
}

TEST(BenchRdma, AllSizesInUnderASecond) {
  const auto outcome = lockstep_line("bench rdma_read -a -t " + hdr);
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_THAT(outcome.output, HasSubstr("8388608"));
  EXPECT_LT(outcome.time.count(), 3000);  // 0.3 s on an idle machine
}

TEST(BenchRdma, TheResultHasTheKeysOfTheContract) {
  const auto outcome = lockstep_line("bench rdma_send -s 4K -t " + hdr + " --json -");
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  const auto json = nlohmann::json::parse(outcome.output);
  EXPECT_EQ(json["schema"], "lockstep.result/1");
  EXPECT_EQ(json["kind"], "simulation");
  EXPECT_EQ(json["fidelity"], "rdma");
  ASSERT_EQ(json["collectives"].size(), 1U);
  EXPECT_EQ(json["collectives"][0]["protocol"], "send");
  const auto& rdma = json["rdma"];
  EXPECT_EQ(rdma["nic"], "connectx6");
  const auto& latency = rdma["latency"][0];
  double sum = 0;
  for (const auto& [stage, time] : latency["stages_s"].items()) sum += time.get<double>();
  EXPECT_NEAR(sum, latency["t_typical_s"].get<double>(), 1e-15);
  const auto& bandwidth = rdma["bandwidth"][0];
  EXPECT_EQ(bandwidth["size_bytes"], 4096);
  EXPECT_NEAR(bandwidth["bw_average_Gbps"].get<double>(), 8 * bandwidth["bw_average_GBps"].get<double>(), 1e-9);
  EXPECT_NEAR(bandwidth["bw_average_Gbps"].get<double>(), bandwidth["msg_rate_Mpps"].get<double>() * 4096 * 8e-3, 1e-9);
  EXPECT_FALSE(rdma["message_rate"].empty());
}

TEST(BenchRdma, ItsResultStandsBesideALogOfPerftest) {
  const Folder folder;
  const std::string file = folder.path() + "/r.json";
  ASSERT_EQ(lockstep_line("bench rdma_write --test bandwidth -t " + hdr + " -q --json " + file).code, 0);
  const auto outcome =
      lockstep_line("compare " + file + " " LOCKSTEP_SOURCE_DIR "/tests/data/logs/ib_write_bw_gbits.log");
  EXPECT_THAT(outcome.output, HasSubstr("send_recv")) << outcome.errors;
}

TEST(BenchRdma, SoftwareNicsAndGpus) {
  for (const std::string& line :
       {"rdma_send --software ucx -t " + hdr, "rdma_send --software ucx_tcp -t " + vm,
        "rdma_write --gpu direct -t " + a100, "rdma_write --gpu staged -t " + a100,
        "rdma_read --qps 16 --nic connectx8 --mtu 1024 -s 64 -t " + hdr,
        "rdma_write --imm --post doorbell --registration each -s 8 --from node0.gpu3 --to 12 -t " + a100}) {
    const auto outcome = lockstep_line("bench " + line);
    EXPECT_EQ(outcome.code, 0) << line << "\n" << outcome.errors;
    EXPECT_THAT(outcome.output, HasSubstr("#bytes"));
  }
}

TEST(BenchRdma, UnknownNamesAreToldOfIt) {
  const auto outcome = lockstep_line("bench rdma_wirte -t " + hdr);
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.errors, HasSubstr("unknown collective 'rdma_wirte'; did you mean 'rdma_write'?"));
}

struct Refusal {
  const char* name;
  const char* line;
  const char* message;
};
void PrintTo(const Refusal& refusal, std::ostream* out) { *out << refusal.line; }

class BenchRdmaRefusals : public testing::TestWithParam<Refusal> {};

TEST_P(BenchRdmaRefusals, HaveTheirExactMessage) {
  const Folder folder;
  folder.write("t.yaml", "name: t\ngenerate: {star: {hosts: 2, link: {bandwidth: 200Gbps, kind: infiniband}}}\n");
  const auto outcome = lockstep_line("bench " + std::string(GetParam().line), {folder.path(), {}});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.output, "");
  EXPECT_EQ(outcome.errors, "error: " + std::string(GetParam().message) + "\n");
}

const Refusal refusals[] = {
    {"OptionOfCollectives", "rdma_write -t t.yaml -d float",
     "--datatype is an option of collectives and does nothing for rdma_write"},
    {"OptionOfRdma", "all_reduce -t t.yaml --qps 2",
     "--qps is an option of rdma_write, rdma_read, rdma_send and does nothing for all_reduce"},
    {"Mtu", "rdma_write -t t.yaml --mtu 1500", "--mtu 1500: an MTU of RDMA is 256, 512, 1024, 2048 or 4096"},
    {"Nic", "rdma_write -t t.yaml --nic connectx9",
     "unknown NIC 'connectx9'; did you mean 'connectx5'? known: connectx5, connectx6, connectx7, connectx8"},
    {"Software", "rdma_write -t t.yaml --software mpi", "unknown software 'mpi'; known: verbs, ucx, ucx_tcp"},
    {"MpiOnlySends", "rdma_write -t t.yaml --software ucx", "--software ucx: MPI sends messages, which is rdma_send"},
    {"DepthOfMpi", "rdma_send -t t.yaml --software ucx --depth 4",
     "--depth is an option of --software verbs and does nothing for ucx"},
    {"TcpOverInfiniband", "rdma_send -t t.yaml --software ucx_tcp",
     "--software ucx_tcp: TCP needs links of kind ethernet or roce on the route"},
    {"GpuOfAHost", "rdma_write -t t.yaml --gpu direct", "--gpu: h0 is no GPU"},
    {"Gpu", "rdma_write -t t.yaml --gpu directly",
     "unknown way to GPU memory 'directly'; did you mean 'direct'? known: direct, staged"},
    {"Depth", "rdma_write -t t.yaml --depth 0", "--depth 0: from 1 to 32768"},
    {"DepthWithLeadingZero", "rdma_write -t t.yaml --depth 010",
     "--depth: '010' is no plain whole number (digits alone: no sign, no leading zeros, no 0x)\nRun 'lockstep bench "
     "--help' for the options."},
    {"Qps", "rdma_write -t t.yaml --qps 100000", "--qps 100000: from 1 to 65536"},
    {"Moderation", "rdma_write -t t.yaml --depth 4 --cq-mod 8", "--cq-mod 8: more than the depth, 4"},
    {"Inline", "rdma_write -t t.yaml --inline 4096", "--inline 4096: from 0 to 220 for connectx6"},
    {"Size", "rdma_write -t t.yaml -s big",
     "-s big: not a size; write bytes, or K, M or G (powers of 1024), up to 1024G"},
    {"NoSize", "rdma_write -t t.yaml -s 0", "a message of 0 bytes has no bandwidth; sizes are 1 at least"},
    {"HugeSize", "rdma_write -t t.yaml -s 2G", "messages of 2GiB: 1GiB at most"},
    {"TwoSizes", "rdma_write -t t.yaml -s 8 -a", "-s is one size; it goes without -a, -b and -e"},
    {"SizesBackwards", "rdma_write -t t.yaml -b 8K -e 4", "-e is less than -b: 4B and 8KiB"},
    {"ImmediateRead", "rdma_read -t t.yaml --imm", "--imm: reads carry no immediate data"},
    {"Rank", "rdma_write -t t.yaml --to 2", "--to 2: t has ranks 0 to 1"},
    {"Device", "rdma_write -t t.yaml --from h5",
     "--from h5: unknown device of a rank 'h5'; did you mean 'h0'? known: h0, h1"},
    {"SameRank", "rdma_write -t t.yaml --from 1 --to 1",
     "h1 to itself: RDMA is between two nodes; see --from and --to"},
    {"MaxPayload", "rdma_write -t t.yaml --max-payload 300", "--max-payload 300: 128, 256, 512, 1024, 2048 or 4096"},
    {"ProfileOfReads", "rdma_read -t t.yaml --write-profile p.yaml",
     "--write-profile: of writes and sends by verbs or ucx"},
    {"Profile", "rdma_write -t t.yaml --set profile.tcp.overhead=1us",
     "--set profile.tcp.overhead=1us: would have no effect; tests of RDMA take no profile"},
};

INSTANTIATE_TEST_SUITE_P(All, BenchRdmaRefusals, testing::ValuesIn(refusals),
                         [](const auto& instance) { return std::string(instance.param.name); });

}  // namespace
}  // namespace lockstep::test
