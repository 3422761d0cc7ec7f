// Question: does every stage of the RDMA model follow its closed form, do parameters move the answer the right way, and
// do published tables agree with it?
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "bench/p2p/tables.hpp"
#include "core/base/error.hpp"
#include "core/base/statistics.hpp"
#include "core/config/document.hpp"
#include "sim/rdma/tcp.hpp"

namespace lockstep::sim::rdma {
namespace {

Topology topology_of(const std::string& yaml) { return read_topology(config::parse_text(yaml, "t.yaml"), "t.yaml"); }

Topology pair_of(const std::string& link, const std::string& node = "host") {
  return topology_of("name: t\nnode: " + node + "\ngenerate:\n  star: {hosts: 2, link: {" + link + "}}\n");
}

const std::string hdr = "bandwidth: 200Gbps, latency: 500ns, kind: infiniband";
const std::string edr = "bandwidth: 100Gbps, latency: 500ns, kind: infiniband";

Path path_of(const Topology& topology, const PathOptions& options = {}) {
  DeviceId to = topology.endpoint(topology.rank_capacity() - 1);
  return path_between(topology, Routing(topology), topology.endpoint(0), to, options);
}
Path path_of(const std::string& link, const PathOptions& options = {}) { return path_of(pair_of(link), options); }

const Software& verbs = software_of(Layer::verbs);
const Software& ucx = software_of(Layer::ucx);

VerbsTest test_of(Verb verb, Bytes size) {
  VerbsTest test;
  test.verb = verb;
  test.size = size;
  return test;
}

double GBps(const Throughput& found, Bytes size) {
  return found.messages_per_s() * static_cast<double>(size.count()) * 1e-9;
}

// FIELD-FACTS 2.2.
TEST(RdmaPcie, PayloadRates) {
  const auto GBps_of = [](Bandwidth rate) { return rate.bytes_per_second() * 1e-9; };
  const double usual[] = {14.1, 28.2, 56.4}, small[] = {12.8, 25.5, 51.1}, large[] = {14.9, 29.8, 59.5};
  for (int i = 0; i < 3; ++i) {
    EXPECT_NEAR(GBps_of(pcie_payload_rate(3 + i, 16)), usual[i], 0.06);
    EXPECT_NEAR(GBps_of(pcie_payload_rate(3 + i, 16, 128_B)), small[i], 0.06);
    EXPECT_NEAR(GBps_of(pcie_payload_rate(3 + i, 16, 512_B)), large[i], 0.06);
    EXPECT_NEAR(GBps_of(at_max_payload(pcie_payload_rate(3 + i, 16), 512_B)), large[i], 0.06);
  }
}

TEST(RdmaPcie, OutstandingReadsLimit) {
  const Dma dma{pcie_payload_rate(4, 16), nanoseconds(100), nanoseconds(300), {}};
  EXPECT_EQ(with_read_limit(dma, 512_B, 128).read_rate, dma.rate);
  EXPECT_EQ(with_read_limit(dma, 512_B, 16).read_rate, Bandwidth::bytes_per_second(std::int64_t{16} * 512 * 2'000'000));
}

// FIELD-FACTS 2.3.
TEST(RdmaWire, Efficiency) {
  const double infiniband[] = {0.961, 0.980, 0.990}, roce[] = {0.913, 0.954, 0.977};
  for (int i = 0; i < 3; ++i) {
    EXPECT_NEAR(wire_efficiency(Fabric::infiniband, 1_KiB * (1 << i)), infiniband[i], 0.0005);
    EXPECT_NEAR(wire_efficiency(Fabric::roce, 1_KiB * (1 << i)), roce[i], 0.0005);
  }
}

TEST(RdmaWire, Packets) {
  EXPECT_EQ(packets_of(0_B, 4_KiB), 1);
  EXPECT_EQ(packets_of(4_KiB, 4_KiB), 1);
  EXPECT_EQ(packets_of(4097_B, 4_KiB), 2);
}

TEST(RdmaPath, HostsHaveThePcieOfTheirNic) {
  const Path path = path_of(hdr);
  EXPECT_EQ(path.nic->name, "connectx6");
  EXPECT_EQ(path.fabric, Fabric::infiniband);
  EXPECT_EQ(path.latency, microseconds(1));
  EXPECT_EQ(path.mtu, 4_KiB);
  EXPECT_EQ(path.from.payload.rate, pcie_payload_rate(4, 16));
  EXPECT_EQ(path.from.payload.round_trip(), nanoseconds(500));
}

TEST(RdmaPath, NicByTheRateOfTheLink) {
  EXPECT_EQ(nic_for(40_Gbps).name, "connectx5");
  EXPECT_EQ(nic_for(100_Gbps).name, "connectx5");
  EXPECT_EQ(nic_for(200_Gbps).name, "connectx6");
  EXPECT_EQ(nic_for(400_Gbps).name, "connectx7");
  EXPECT_EQ(nic_for(800_Gbps).name, "connectx8");
  EXPECT_EQ(nic_for(1600_Gbps).name, "connectx8");
}

TEST(RdmaPath, EthernetFramesHoldSmallerPackets) {
  EXPECT_EQ(path_of("bandwidth: 100Gbps").mtu, 1_KiB);
  EXPECT_EQ(path_of("bandwidth: 100Gbps, mtu: 9000B").mtu, 4_KiB);
  EXPECT_EQ(path_of("bandwidth: 100Gbps, kind: roce").mtu, 4_KiB);
  EXPECT_EQ(path_of("bandwidth: 100Gbps, kind: roce").fabric, Fabric::roce);
}

TEST(RdmaPath, GpusTakeTheLinksOfTheirNode) {
  const Topology topology = pair_of("bandwidth: 400Gbps, latency: 500ns, kind: infiniband", "hgx_h100");
  const Path host = path_of(topology);
  EXPECT_EQ(host.from.payload.latency, nanoseconds(200));  // NIC, PCIe switch, CPU
  EXPECT_EQ(host.from.staging, Bandwidth{});
  const Path direct = path_of(topology, {.memory = Memory::gpu_direct, .nic = nullptr, .mtu = {}});
  EXPECT_EQ(direct.from.payload.latency, nanoseconds(200));  // NIC, PCIe switch, GPU
  EXPECT_EQ(direct.from.payload.rate, host.from.payload.rate);
  EXPECT_GT(direct.from.payload.memory, host.from.payload.memory);
  const Path staged = path_of(topology, {.memory = Memory::gpu_staged, .nic = nullptr, .mtu = {}});
  EXPECT_GT(staged.from.staging, Bandwidth{});
  const VerbsTest test = test_of(Verb::write, 1_MiB);
  EXPECT_GT(verbs_latency(staged, verbs, test).total(), verbs_latency(direct, verbs, test).total() + microseconds(20));
  EXPECT_GT(verbs_latency(staged, verbs, test)[Stage::stage_in], Duration{0});
}

TEST(RdmaPath, Refusals) {
  const auto message = [](const Topology& topology, int from, int to, const PathOptions& options = {}) -> std::string {
    try {
      path_between(topology, Routing(topology), topology.endpoint(from), topology.endpoint(to), options);
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  };
  const Topology pair = pair_of(hdr);
  EXPECT_EQ(message(pair, 0, 0), "h0 to itself: RDMA is between two nodes; see --from and --to");
  EXPECT_EQ(message(pair, 0, 1, {.nic = nullptr, .mtu = 1000_B}),
            "--mtu 1000: an MTU of RDMA is 256, 512, 1024, 2048 or 4096");
  EXPECT_EQ(message(pair_of("bandwidth: 100Gbps"), 0, 1, {.nic = nullptr, .mtu = 4096_B}),
            "--mtu 4096: the links of the route have MTU 1500, which 1024 fits into");
  EXPECT_EQ(message(pair, 0, 1, {.memory = Memory::gpu_direct, .nic = nullptr, .mtu = {}}), "--gpu: h0 is no GPU");
  EXPECT_EQ(message(pair_of("bandwidth: 100Gbps, kind: efa"), 0, 1),
            "the route from h0 to h1 has a link of kind 'efa'; the model of RDMA knows infiniband, roce and ethernet");
  const Topology staged = pair_of(hdr, "pcie_8gpu_staged");
  EXPECT_EQ(message(staged, 0, 8, {.memory = Memory::gpu_direct, .nic = nullptr, .mtu = {}}),
            "--gpu direct: the NICs of node0 do not reach the memory of its GPUs (gpudirect: false); use --gpu staged");
  EXPECT_EQ(message(staged, 0, 1),
            "node0.gpu0 and node0.gpu1 are in the same node: RDMA is between two nodes; see --from and --to");
}

// A lone small write, by hand: 80 post + 40 doorbell + 100 over PCIe + 40 NIC + wire + 1000 + 40 NIC + PCIe write
// + 20 poll.
TEST(RdmaLatency, ASmallWriteByHand) {
  const Path path = path_of(hdr);
  VerbsTest test = test_of(Verb::write, 8_B);
  test.inline_up_to = 220_B;
  const Breakdown parts = verbs_latency(path, verbs, test);
  const Duration wire = transfer_time(8_B + 42_B, usable_rate(Fabric::infiniband, 200_Gbps));
  EXPECT_EQ(parts[Stage::post], nanoseconds(80));
  EXPECT_EQ(parts[Stage::doorbell], nanoseconds(140));
  EXPECT_EQ(parts[Stage::payload_read], Duration{0});
  EXPECT_EQ(parts[Stage::wire], wire);
  EXPECT_EQ(parts.total(),
            nanoseconds(80 + 140 + 40 + 1000 + 40 + 100 + 20) + wire + transfer_time(8_B, path.to.payload.rate));
}

TEST(RdmaLatency, InlineSavesOneRead) {
  const Path path = path_of(hdr);
  VerbsTest test = test_of(Verb::write, 16_B);
  const Duration without = verbs_latency(path, verbs, test).total();
  test.inline_up_to = 16_B;
  const Duration saved = without - verbs_latency(path, verbs, test).total();
  EXPECT_EQ(saved, nanoseconds(500) + transfer_time(16_B, path.from.payload.read_rate));
  test.blueflame = false;
  EXPECT_EQ(verbs_latency(path, verbs, test)[Stage::fetch], nanoseconds(500));
}

TEST(RdmaLatency, AReadIsARoundTrip) {
  const Path path = path_of(hdr);
  const Breakdown read = verbs_latency(path, verbs, test_of(Verb::read, 8_B));
  EXPECT_EQ(read[Stage::network], microseconds(1));
  EXPECT_EQ(read[Stage::request], Channel(path).control(reth));
  EXPECT_GT(read[Stage::request], microseconds(1));
  EXPECT_GT(read.total(), verbs_latency(path, verbs, test_of(Verb::write, 8_B)).total() + microseconds(1));
}

TEST(RdmaLatency, ImmediateDataTakeACompletion) {
  const Path path = path_of(hdr);
  VerbsTest test = test_of(Verb::write, 8_B);
  EXPECT_EQ(verbs_latency(path, verbs, test)[Stage::completion], Duration{0});
  test.immediate = true;
  EXPECT_GT(verbs_latency(path, verbs, test)[Stage::completion], Duration{0});
  EXPECT_GT(verbs_latency(path, verbs, test_of(Verb::send, 8_B))[Stage::completion], Duration{0});
}

// Store and forward of packets: the last of k packets leaves k wire times after the first payload has been read.
TEST(RdmaLatency, PacketsPipeline) {
  const Path path = path_of(edr);  // PCIe is faster than the wire
  const Bandwidth rate = usable_rate(Fabric::infiniband, 100_Gbps);
  const auto total = [&](std::int64_t packets) {
    return verbs_latency(path, verbs, test_of(Verb::write, 4_KiB * packets)).total();
  };
  EXPECT_EQ(total(9) - total(5), 4 * transfer_time(4096_B + 26_B, rate));
}

TEST(RdmaLatency, RegistrationAnew) {
  const Path path = path_of(hdr);
  VerbsTest test = test_of(Verb::write, 1_MiB);
  test.register_each = true;
  // FIELD-FACTS 2.1: 16 us + 0.06 ns a byte.
  EXPECT_EQ(verbs_latency(path, verbs, test)[Stage::registration], microseconds(16) + picoseconds(60 << 20));
}

TEST(RdmaThroughput, LargeMessagesFillTheWire) {
  const Path path = path_of(hdr);
  const Throughput found = verbs_throughput(path, verbs, test_of(Verb::write, 8_MiB), 5000);
  EXPECT_EQ(found.limit, Stage::wire);
  EXPECT_NEAR(GBps(found, 8_MiB), 25 * 0.9888 * 4096 / 4122, 0.01);
}

TEST(RdmaThroughput, PcieLimitsWhereItIsSlower) {
  PathOptions options;
  options.nic = &nic_catalogue()[0];  // Gen3 behind 200 Gbit/s
  const Throughput found = verbs_throughput(path_of(hdr, options), verbs, test_of(Verb::write, 1_MiB), 5000);
  EXPECT_EQ(found.limit, Stage::payload_read);
  EXPECT_NEAR(GBps(found, 1_MiB), 14.1, 0.1);
}

TEST(RdmaThroughput, AWindowPerRoundTrip) {
  const Path path = path_of("bandwidth: 100Gbps, latency: 500us, kind: infiniband");
  for (const std::int64_t depth : {1, 4, 32}) {
    VerbsTest test = test_of(Verb::write, 4_KiB);
    test.depth = depth;
    test.moderation = 1;
    const Throughput found = verbs_throughput(path, verbs, test, 20'000);
    // Two ways of 1 ms, and what a microsecond or two of stages adds.
    EXPECT_NEAR(found.messages_per_s(), static_cast<double>(depth) / 2.0e-3,
                static_cast<double>(depth) / 2.0e-3 * 0.01);
    EXPECT_EQ(found.limit, Stage::window);
  }
}

TEST(RdmaThroughput, ReadsAreBoundByTheirOutstandingLimit) {
  const Path path = path_of("bandwidth: 100Gbps, latency: 500us, kind: infiniband");
  VerbsTest test = test_of(Verb::read, 4_KiB);
  const double of_sixteen = verbs_throughput(path, verbs, test, 20'000).messages_per_s();
  EXPECT_NEAR(of_sixteen, 16 / 2.0e-3, 16 / 2.0e-3 * 0.01);
  test.outstanding_reads = 4;
  EXPECT_NEAR(verbs_throughput(path, verbs, test, 20'000).messages_per_s(), of_sixteen / 4, of_sixteen / 4 * 0.01);
  test.outstanding_reads = 16;
  test.queue_pairs = 4;
  EXPECT_NEAR(verbs_throughput(path, verbs, test, 20'000).messages_per_s(), 4 * of_sixteen, 4 * of_sixteen * 0.01);
}

TEST(RdmaThroughput, MessageRateByQueuePairs) {
  const Path path = path_of(hdr);
  VerbsTest test = test_of(Verb::write, 2_B);
  const auto rate = [&](std::int64_t queue_pairs) {
    test.queue_pairs = queue_pairs;
    return verbs_throughput(path, verbs, test, 50'000);
  };
  // One queue pair: its interval, 351 ns. Many: the processor that posts, 80 + 40 ns and a poll now and then.
  EXPECT_EQ(rate(1).limit, Stage::queue_pair);
  EXPECT_NEAR(rate(1).messages_per_s(), 1e9 / 351, 1e9 / 351 * 0.001);
  EXPECT_NEAR(rate(2).messages_per_s(), 2e9 / 351, 2e9 / 351 * 0.01);
  EXPECT_EQ(rate(8).limit, Stage::post);
  EXPECT_NEAR(rate(8).messages_per_s(), 1e9 / 120.2, 1e9 / 120.2 * 0.01);
}

TEST(RdmaThroughput, MissingContextsCostARead) {
  Path path = path_of(hdr);
  NicGeneration nic = *path.nic;
  path.nic = &nic;
  VerbsTest test = test_of(Verb::write, 2_B);
  test.depth = 1;
  const auto found = [&](std::int64_t queue_pairs) {
    test.queue_pairs = queue_pairs;
    return verbs_throughput(path, verbs, test, 65'536).per_message;
  };
  const std::int64_t cached = nic.cached_contexts;
  EXPECT_EQ(verbs_latency(path, verbs, test)[Stage::context], Duration{0});
  // The processor, 80 + 40 + 20 ns, hides eight fetches side by side, but not one by one: 500 ns for three of four.
  EXPECT_EQ(found(cached), nanoseconds(140));
  EXPECT_LE(found(4 * cached), nanoseconds(141));
  nic.context_fetches = 1;
  EXPECT_EQ(found(cached), nanoseconds(140));
  EXPECT_NEAR(to_seconds(found(4 * cached)), 375e-9, 4e-9);
  test.queue_pairs = cached + 1;
  EXPECT_EQ(verbs_latency(path, verbs, test)[Stage::context], path.from.host.round_trip());
}

TEST(RdmaThroughput, RegistrationAnewIsTheLimit) {
  VerbsTest test = test_of(Verb::write, 4_KiB);
  test.register_each = true;
  const Throughput found = verbs_throughput(path_of(hdr), verbs, test, 5000);
  EXPECT_EQ(found.limit, Stage::registration);
  EXPECT_GT(found.per_message, microseconds(16));
}

TEST(RdmaMpi, ProtocolsBySize) {
  const Path path = path_of(hdr);
  const auto parts = [&](Bytes size) { return mpi_latency(path, ucx, {size, osu_window, false}); };
  EXPECT_EQ(parts(64_B)[Stage::payload_read], Duration{0});  // short
  EXPECT_GT(parts(1_KiB)[Stage::copy_in], Duration{0});      // eager
  EXPECT_GT(parts(1_KiB)[Stage::payload_read], nanoseconds(500));
  EXPECT_EQ(parts(1_KiB)[Stage::rendezvous], Duration{0});
  EXPECT_EQ(parts(256_KiB)[Stage::copy_in], Duration{0});  // rendezvous
  EXPECT_GT(parts(256_KiB)[Stage::rendezvous], microseconds(2));
  EXPECT_EQ(parts(256_KiB)[Stage::registration], nanoseconds(100));
  const auto anew = mpi_latency(path, ucx, {256_KiB, osu_window, true});
  EXPECT_EQ(anew[Stage::registration], 2 * registration_time(256_KiB));
}

TEST(RdmaMpi, WindowsOfOneCostARoundTrip) {
  const Path path = path_of(hdr);
  const Throughput one = mpi_throughput(path, ucx, {8_B, 1, false}, 1000);
  const Throughput many = mpi_throughput(path, ucx, {8_B, 64, false}, 1000);
  EXPECT_GT(one.per_message, microseconds(3));
  EXPECT_LT(many.per_message, nanoseconds(300));
}

TEST(RdmaTcp, LatencyIsTheInputsAndTheSoftwares) {
  const Path path = path_of("bandwidth: 40Gbps, latency: 10us");
  const Software& tcp = software_of(Layer::ucx_tcp);
  const auto parts = [&](Bytes size) { return tcp_latency(path, tcp, {size, osu_window, false}); };
  EXPECT_EQ(parts(1_B)[Stage::network], microseconds(20));
  EXPECT_NEAR(to_seconds(parts(1_B).total()), 28.05e-6, 0.05e-6);
  EXPECT_EQ(parts(2_KiB)[Stage::wake_up], tcp.wake_up);
  EXPECT_EQ(parts(16_KiB)[Stage::wake_up], 2 * tcp.wake_up);
  EXPECT_EQ(parts(512_KiB)[Stage::window], 3 * (parts(512_KiB)[Stage::rendezvous] + transfer_time(128_KiB, tcp.copy)));
}

// The bounds that the project holds itself to (docs/models/rdma.md).
TEST(RdmaAccuracy, PublishedTables) {
  std::vector<std::string> left_out;
  const auto tables =
      p2p::load_tables(LOCKSTEP_SOURCE_DIR "/tests/data/measurements/p2p", LOCKSTEP_SOURCE_DIR "/topologies", left_out);
  ASSERT_EQ(tables.size(), 4U);
  EXPECT_THAT(left_out, testing::IsEmpty());
  for (const auto& table : tables) EXPECT_LE(median(p2p::errors_of(table)), table.latency ? 0.10 : 0.08) << table.name;
}

// Any path of the model, any verb.
struct Setting {
  Path path;
  VerbsTest test;
};

Setting any_setting() {
  static const std::vector<std::string> kinds{"infiniband", "roce"};
  const auto rate = *rc::gen::element(25, 100, 200, 400, 800);
  const auto kind = *rc::gen::elementOf(kinds);
  const auto nanoseconds_of = *rc::gen::inRange(0, 5000);
  Setting setting{path_of("bandwidth: " + std::to_string(rate) + "Gbps, latency: " + std::to_string(nanoseconds_of) +
                          "ns, kind: " + kind),
                  {}};
  setting.test.verb = *rc::gen::element(Verb::write, Verb::read, Verb::send);
  setting.test.size = Bytes{*rc::gen::inRange<std::int64_t>(1, 300'000)};
  setting.test.depth = *rc::gen::inRange(1, 200);
  setting.test.queue_pairs = *rc::gen::inRange(1, 9);
  setting.test.blueflame = *rc::gen::arbitrary<bool>();
  setting.test.immediate = setting.test.verb != Verb::read && *rc::gen::arbitrary<bool>();
  return setting;
}

TEST(RdmaProperty, LatencyGrowsWithSize) {
  EXPECT_TRUE(rc::check([] {
    Setting setting = any_setting();
    const Duration smaller = verbs_latency(setting.path, verbs, setting.test).total();
    setting.test.size += Bytes{*rc::gen::inRange<std::int64_t>(1, 10'000)};
    RC_ASSERT(verbs_latency(setting.path, verbs, setting.test).total() >= smaller);
  }));
}

TEST(RdmaProperty, NoFasterThanWirePcieAndProcessor) {
  EXPECT_TRUE(rc::check([] {
    const Setting setting = any_setting();
    const Throughput found = verbs_throughput(setting.path, verbs, setting.test, 2000);
    const double rate = found.messages_per_s() * static_cast<double>(setting.test.size.count());
    RC_ASSERT(rate <= setting.path.line.bytes_per_second());
    RC_ASSERT(rate <= setting.path.from.payload.rate.bytes_per_second());
    RC_ASSERT(found.messages_per_s() <= 1.0 / to_seconds(verbs.post + verbs.doorbell));
    RC_ASSERT(found.total >= verbs_latency(setting.path, verbs, setting.test)[Stage::network]);
  }));
}

TEST(RdmaProperty, MoreDepthAndQueuePairsAreNoSlower) {
  EXPECT_TRUE(rc::check([] {
    Setting setting = any_setting();
    setting.test.moderation = 1;
    const double before = verbs_throughput(setting.path, verbs, setting.test, 2000).messages_per_s();
    setting.test.depth *= 2;
    RC_ASSERT(verbs_throughput(setting.path, verbs, setting.test, 2000).messages_per_s() >= 0.999 * before);
  }));
}

TEST(RdmaProperty, StagesAddUpToTheLatency) {
  EXPECT_TRUE(rc::check([] {
    const Setting setting = any_setting();
    for (const Breakdown& parts : {verbs_latency(setting.path, verbs, setting.test),
                                   mpi_latency(setting.path, ucx, {setting.test.size, osu_window, false})}) {
      Duration sum{0};
      for (std::size_t i = 0; i < stage_count; ++i) {
        RC_ASSERT(parts[static_cast<Stage>(i)] >= Duration{0});
        sum += parts[static_cast<Stage>(i)];
      }
      RC_ASSERT(sum == parts.total());
      RC_ASSERT(sum > setting.path.latency);
    }
  }));
}

}  // namespace
}  // namespace lockstep::sim::rdma
