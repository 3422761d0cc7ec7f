// NCCL's collectives against published measurements, and every parameter against the direction it must move them in.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/accuracy/evaluate.hpp"
#include "core/base/error.hpp"
#include "core/config/document.hpp"
#include "sim/auto.hpp"
#include "sim/nccl/predict.hpp"
#include "sim/simulate.hpp"

namespace lockstep::sim::nccl {
namespace {

constexpr std::int64_t KiB = 1024, MiB = 1024 * KiB, GiB = 1024 * MiB;

Topology topology_of(const std::string& yaml) { return read_topology(config::parse_text(yaml, "t.yaml"), "t.yaml"); }

Topology cluster(int nodes, const std::string& node, const std::string& link) {
  return topology_of("name: t\nnode: " + node + "\ngenerate:\n  star: {hosts: " + std::to_string(nodes) + ", link: {" +
                     link + "}}\n");
}

const std::string ndr = "bandwidth: 400Gbps, latency: 500ns, kind: infiniband";

System system_of(const Topology& topology, const NcclProfile& settings = {}) {
  return lockstep::nccl::system_of(topology, topology.rank_capacity(), settings);
}

double time_of(const System& system, CollectiveKind kind, std::int64_t bytes) {
  const auto chosen = lockstep::nccl::choose(system, kind, bytes);
  return time_us(system, parts_of(system, chosen, kind, bytes));
}

double busbw(const System& system, std::int64_t bytes) {
  return static_cast<double>(bytes) * bus_factor(CollectiveKind::all_reduce, system.ranks()) / 1000 /
         time_of(system, CollectiveKind::all_reduce, bytes);
}

// The bounds that the project holds itself to (docs/models/nccl.md).
TEST(NcclModel, PublishedTables) {
  accuracy::ByBand all;
  std::vector<std::string> left_out;
  const auto tables = accuracy::load_tables(LOCKSTEP_SOURCE_DIR "/tests/data/measurements/collectives", left_out);
  ASSERT_EQ(tables.size(), 14U);
  EXPECT_THAT(left_out, testing::IsEmpty());
  for (const auto& table : tables) {
    const auto errors = accuracy::errors_of(table);
    for (std::size_t band = 0; band < all.size(); ++band) all[band].add(errors[band]);
  }
  EXPECT_LE(all[accuracy::large].median(), 0.07);
  EXPECT_LE(all[accuracy::large].p90(), 0.20);
  EXPECT_LE(all[accuracy::middle].median(), 0.08);
  EXPECT_LE(all[accuracy::middle].p90(), 0.30);
  EXPECT_LE(all[accuracy::small].median(), 0.15);
  EXPECT_LE(all[accuracy::small].p90(), 0.45);
}

TEST(NcclModel, ASystemsOwnFit) {
  accuracy::ByBand all;
  std::vector<std::string> left_out;
  for (const auto& table :
       accuracy::load_tables(LOCKSTEP_SOURCE_DIR "/tests/data/measurements/collectives", left_out)) {
    const auto errors = accuracy::with_system_correction(table);
    for (std::size_t band = 0; band < all.size(); ++band) all[band].add(errors[band]);
  }
  EXPECT_LE(all[accuracy::middle].median(), 0.07);
  EXPECT_LE(all[accuracy::small].median(), 0.06);
}

// Figures that no constant was fitted on (FIELD-FACTS 1.4: ml-engineering repository, August 2026).
TEST(NcclModel, AnchorsThatWereNotFitted) {
  const System h200 = system_of(topology_of("name: t\nnodes: [{name: n, kind: hgx_h200}]\n"));
  EXPECT_NEAR(busbw(h200, 16 * GiB), 482.3, 0.05 * 482.3);
  NcclProfile ring;
  ring.nvls = false;
  EXPECT_NEAR(busbw(system_of(topology_of("name: t\nnodes: [{name: n, kind: hgx_h200}]\n"), ring), 16 * GiB), 367.6,
              0.05 * 367.6);
  const System b200 = system_of(cluster(4, "hgx_b200", "bandwidth: 400Gbps, latency: 1us, kind: efa"));
  EXPECT_NEAR(busbw(b200, 16 * GiB), 382, 0.10 * 382);
  EXPECT_NEAR(busbw(b200, 1 * GiB), 362, 0.15 * 362);
  EXPECT_NEAR(busbw(b200, 128 * MiB), 198, 0.25 * 198);
}

TEST(NcclModel, LargeMessagesAreNoFasterThanTheLinks) {
  for (const char* kind : {"infiniband", "roce", "efa", "slingshot", "ethernet"}) {
    for (const int nodes : {2, 3, 4, 8, 64}) {
      const System system =
          system_of(cluster(nodes, "hgx_h100", std::string("bandwidth: 400Gbps, latency: 1us, kind: ") + kind));
      for (const auto of_kind : {CollectiveKind::all_gather, CollectiveKind::reduce_scatter}) {
        // (N-1)/N of the buffer enters every node over its NICs.
        const double least = 1e-3 * 1e9 * (nodes - 1) / nodes / (8 * 50);
        EXPECT_GE(time_of(system, of_kind, 1'000'000'000), least) << kind << " " << nodes;
      }
      EXPECT_GE(time_of(system, CollectiveKind::all_to_all, 1'000'000'000), 1e-3 * 1e9 * (nodes - 1) / nodes / 50)
          << kind << " " << nodes;
      EXPECT_GE(time_of(system, CollectiveKind::all_reduce, 1'000'000'000), 1e6 / 400) << kind << " " << nodes;
    }
  }
}

// Of one algorithm and protocol: NCCL may change its mind to something faster where there are more nodes.
TEST(NcclModel, MoreNodesTakeLonger) {
  const std::pair<const char*, const char*> ways[] = {
      {"tree", "LL"}, {"tree", "LL128"}, {"ring", "LL"}, {"ring", "Simple"}, {"nvls_tree", "Simple"}};
  for (const auto& [algorithm, protocol] : ways) {
    NcclProfile settings;
    settings.algorithms = {algorithm};
    settings.protocols = {protocol};
    for (const std::int64_t bytes : {8L, 64 * KiB, 16 * MiB, GiB}) {
      double before = 0;
      for (const int nodes : {2, 4, 8, 16}) {
        const System system = system_of(cluster(nodes, "hgx_h100", ndr), settings);
        const double now = time_of(system, CollectiveKind::all_reduce, bytes);
        EXPECT_GE(now, before * 0.999) << algorithm << " " << protocol << " " << nodes << " nodes, " << bytes << " B";
        before = now;
      }
    }
  }
}

TEST(NcclModel, EverySettingMovesTheTime) {
  const Topology two = cluster(2, "hgx_h100", ndr);
  const auto time_with = [&](auto change, std::int64_t bytes, CollectiveKind kind = CollectiveKind::all_reduce) {
    NcclProfile settings;
    change(settings);
    return time_of(system_of(two, settings), kind, bytes);
  };
  const auto nothing = [](NcclProfile&) {};
  const double small = time_with(nothing, 1024), large = time_with(nothing, GiB);
  EXPECT_NEAR(time_with([](NcclProfile& p) { p.transport_latency = microseconds(10); }, 1024), small + 2 * 10, 0.01);
  EXPECT_NEAR(time_with([](NcclProfile& p) { p.framework_overhead = microseconds(20); }, 1024), small + 20, 1e-6);
  EXPECT_NEAR(time_with([](NcclProfile& p) { p.offset = microseconds(3), p.scale = 1.5; }, 1024), 3 + 1.5 * small,
              1e-6);
  EXPECT_GT(time_with([](NcclProfile& p) { p.processes = NcclProfile::Processes::one_per_node; }, 1024), small + 20);
  EXPECT_GT(time_with([](NcclProfile& p) { p.nic_bandwidth = Bandwidth::bytes_per_second(20'000'000'000); }, GiB),
            large);
  EXPECT_GT(time_with([](NcclProfile& p) { p.nvls = false; }, GiB), large);
  EXPECT_GT(time_with([](NcclProfile& p) { p.protocols = {"LL"}; }, GiB), large);
  EXPECT_NE(time_with([](NcclProfile& p) { p.channels = 4; }, GiB), large);
}

PlannedWorkload planned_of(const std::string& rows, const Topology& topology, const Profile& profile) {
  const Workload workload = read_workload(config::parse_text("name: w\ncollectives:\n" + rows, "w.yaml"), "w.yaml");
  return plan_chosen(workload, topology, Routing(topology, {}), profile, topology.rank_capacity());
}

TEST(NcclModel, RowsOfBothFidelities) {
  const Topology topology = topology_of("name: t\nnodes: [{name: n, kind: hgx_h100}]\n");
  const Profile profile = load_profile("nccl");
  const auto planned =
      planned_of("  - {kind: all_reduce, sizes: [8B, 1GiB]}\n  - {kind: barrier}\n", topology, profile);
  for (const auto& fidelity : fidelity_catalogue()) {
    Timeline timeline;
    const auto found = fidelity.predict(topology, Routing(topology, {}), profile, planned, timeline);
    ASSERT_EQ(found.collectives.size(), 3U);
    EXPECT_EQ(found.collectives[0].algorithm, "ring");
    EXPECT_EQ(found.collectives[0].protocol, "LL");
    EXPECT_EQ(found.collectives[1].algorithm, "nvls");
    EXPECT_EQ(found.collectives[1].protocol, "Simple");
    EXPECT_NEAR(found.collectives[1].busbw_GBps(), 466.3, 0.05 * 466.3);  // h100_dgx8_1node_all_reduce
    EXPECT_GT(found.collectives[2].time_s, 0);
    EXPECT_NEAR(found.summary.step_time_s,
                found.collectives[0].time_s + found.collectives[1].time_s + found.collectives[2].time_s, 1e-12);
  }
}

TEST(NcclModel, NativeRowsAreNcclsUnderItsProfileAlone) {
  const Topology topology = topology_of("name: t\nnodes: [{name: n, kind: hgx_h100}]\n");
  const Profile profile = load_profile("nccl");
  const Routing routing(topology, {});
  const auto planned = planned_of("  - {kind: all_reduce, algorithm: [auto, native], size: 1MiB}\n", topology, profile);
  const auto rows = predict(topology, profile, planned).collectives;
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[1].algorithm, rows[0].algorithm);
  EXPECT_EQ(rows[1].time_s, rows[0].time_s);
  const auto native = planned_of("  - {kind: all_reduce, algorithm: native, size: 1MiB}\n", topology, ideal_profile());
  Timeline timeline;
  for (const auto& fidelity : fidelity_catalogue())
    EXPECT_THROW(static_cast<void>(fidelity.predict(topology, routing, ideal_profile(), native, timeline)), InputError);
}

TEST(NcclModel, OwnAlgorithmsNeedAWorkloadOfTheirOwn) {
  const Topology topology = topology_of("name: t\nnodes: [{name: n, kind: hgx_h100}]\n");
  const Profile profile = load_profile("nccl");
  const auto planned = planned_of("  - {kind: all_reduce, algorithm: [auto, ring], size: 1KiB}\n", topology, profile);
  EXPECT_THAT(
      [&] { predict(topology, profile, planned); },
      testing::ThrowsMessage<InputError>(
          "algorithm 'ring' of all_reduce is Lockstep's own, 'auto' and 'native' are NCCL's under the profile 'nccl': "
          "put them into workloads of their own"));
}

TEST(Auto, TakesTheFastestByTheClosedForms) {
  const Topology topology =
      topology_of("name: t\ngenerate:\n  star: {hosts: 8, link: {bandwidth: 1Gbps, latency: 50us}}\n");
  const Profile profile = ideal_profile();
  const Routing routing(topology, {});
  const auto planned = planned_of(
      "  - {kind: all_reduce, algorithm: auto, sizes: [8B, 64MiB]}\n  - {kind: all_reduce, algorithm: tree, size: "
      "8B}\n",
      topology, profile);
  ASSERT_EQ(planned.rows.size(), 3U);
  EXPECT_EQ(planned.rows[2].spec.algorithms.front(), "tree");
  for (std::size_t i = 0; i < 2; ++i) {
    const auto& spec = planned.rows[i].spec;
    EXPECT_EQ(spec.sizes.front(), i == 0 ? Bytes{8} : Bytes{64 * MiB});
    const auto times = algorithm_times(spec, topology, routing, profile, 8).front();
    ASSERT_GT(times.size(), 2U);
    double chosen = -1;
    for (const auto& [algorithm, time_s] : times)
      if (algorithm == spec.algorithms.front()) chosen = time_s;
    for (const auto& [algorithm, time_s] : times) EXPECT_LE(chosen, time_s) << algorithm;
  }
  // One round for the reduction and one back against 14 of a ring for 8 B.
  EXPECT_EQ(planned.rows[0].spec.algorithms.front(), "direct");
}

TEST(Auto, IsRefusedWhereNothingChooses) {
  const Workload workload = read_workload(
      config::parse_text("name: w\ncollectives:\n  - {kind: all_reduce, algorithm: auto, size: 8B}\n", "w.yaml"),
      "w.yaml");
  EXPECT_THAT([&] { plan_workload(workload, 4); },
              testing::ThrowsMessage<InputError>(testing::HasSubstr("algorithm 'auto' is chosen from a topology")));
}

}  // namespace
}  // namespace lockstep::sim::nccl
