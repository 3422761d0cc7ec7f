// Question: do collectives that are simulated by a profile of the RDMA model take what that model says of their
// messages?
#include <gtest/gtest.h>

#include <string>

#include "core/collective/schedule.hpp"
#include "core/config/document.hpp"
#include "core/workload/rows.hpp"
#include "sim/executor.hpp"
#include "sim/rdma/profile.hpp"

namespace lockstep::sim::rdma {
namespace {

Topology star_of(int hosts, const std::string& link, const std::string& node) {
  const std::string yaml =
      "name: t\nnode: " + node + "\ngenerate:\n  star: {hosts: " + std::to_string(hosts) + ", link: {" + link + "}}\n";
  return read_topology(config::parse_text(yaml, "t.yaml"), "t.yaml");
}

constexpr const char* networks[] = {"bandwidth: 200Gbps, latency: 500ns, kind: infiniband, mtu: 4096B",
                                    "bandwidth: 100Gbps, latency: 500ns, kind: roce, mtu: 4200B",
                                    "bandwidth: 100Gbps, latency: 2us, kind: roce, mtu: 1500B"};

struct Over {
  explicit Over(const std::string& link, Layer layer, bool registers = false, const std::string& node = "host")
      : registers_each(registers),
        topology(star_of(4, link, node)),
        routing(topology),
        path(path_between(topology, routing, topology.endpoint(0), topology.endpoint(1))),
        software(software_of(layer)),
        profile(profile_of(path, flow_route(), software, [&](Bytes size, bool lone) { return test_of(size, lone); })) {}
  [[nodiscard]] FlowRoute flow_route() const {
    const auto route = routing.route(topology.endpoint(0), topology.endpoint(1));
    return {route_latency(topology, route), route_bandwidth(topology, route)};
  }
  [[nodiscard]] VerbsTest test_of(Bytes size, bool lone) const {
    VerbsTest test;
    test.verb = software.layer == Layer::verbs ? Verb::write : Verb::send;
    test.size = size;
    test.inline_up_to = lone ? path.nic->max_inline : Bytes{0};
    test.moderation = 1;
    test.register_each = registers_each;
    return test;
  }
  [[nodiscard]] double time_of(CollectiveKind kind, Bytes size, Bytes chunk = Bytes{0}) const {
    Workload workload;
    workload.name = "w";
    CollectiveSpec spec;
    spec.kind = kind;
    spec.algorithms = {default_algorithm(kind)};
    spec.sizes = {size};
    spec.chunk = chunk;
    workload.collectives.push_back(spec);
    const PlannedWorkload planned = plan_workload(workload, 4);
    SimulatedExecutor executor(topology, routing, profile, {});
    Timeline timeline;
    executor.execute(planned.plan, timeline);
    return to_seconds(executor.statistics().end);
  }
  [[nodiscard]] double model_of(Bytes size) const {
    return to_seconds(latency(path, software, test_of(size, true)).total());
  }

  bool registers_each;
  Topology topology;
  Routing routing;
  Path path;
  const Software& software;
  Profile profile;
};

TEST(RdmaProfile, AMessageTakesWhatTheModelSays) {
  for (const char* network : networks)
    for (const Layer layer : {Layer::verbs, Layer::ucx}) {
      const Over over(network, layer);
      for (const Bytes size : {64_B, 256_B, 512_B, 4_KiB, 8_KiB, 64_KiB, 1_MiB, 4_MiB})
        EXPECT_NEAR(over.time_of(CollectiveKind::send_recv, size), over.model_of(size), 0.01 * over.model_of(size))
            << network << " " << over.software.name << " " << size.count();
      for (const Bytes size : {4_B, 200_B, 1000_B, 3000_B, 12'000_B, 100'000_B, 700'000_B, 32_MiB})
        EXPECT_NEAR(over.time_of(CollectiveKind::send_recv, size), over.model_of(size), 0.08 * over.model_of(size))
            << network << " " << over.software.name << " " << size.count();
    }
}

// Registered anew for every message, a byte costs time at any size; and nodes have insides.
TEST(RdmaProfile, AlsoWhereBytesCostTimeAndNodesHaveInsides) {
  for (const char* node : {"host", "cpu_intel"})
    for (const bool registers : {false, true}) {
      const Over over(networks[0], Layer::verbs, registers, node);
      for (const Bytes size : {64_B, 8_KiB, 6_MiB, 32_MiB, 256_MiB})
        EXPECT_NEAR(over.time_of(CollectiveKind::send_recv, size), over.model_of(size), 0.03 * over.model_of(size))
            << node << " " << registers << " " << size.count();
    }
}

// A step waits for the one before: as often the time of its message. In slices the wire is busy throughout.
TEST(RdmaProfile, ARingOverVerbsChunkByChunk) {
  const Over over(networks[0], Layer::verbs);
  for (const Bytes size : {16_KiB, 1_MiB, 16_MiB}) {
    const double step = over.model_of(Bytes{size.count() / 4});
    EXPECT_NEAR(over.time_of(CollectiveKind::all_reduce, size), 6 * step, 0.03 * 6 * step) << size.count();
  }
  const double whole = over.time_of(CollectiveKind::all_reduce, 1_MiB);
  const double sliced = over.time_of(CollectiveKind::all_reduce, 1_MiB, 64_KiB);
  const double wire = 6 * 262144 / (over.path.line.bytes_per_second() * 0.9888 * 4096 / 4122);
  EXPECT_LT(sliced, whole);
  EXPECT_GT(sliced, wire);
  EXPECT_LT(sliced, 1.06 * wire) << "latencies are hidden, but for the first and the last";
  EXPECT_GT(whole, 1.10 * wire);
}

// What goes over PCIe alone limits streams, and so does the profile.
TEST(RdmaProfile, StreamsAreNoFasterThanTheModels) {
  for (const char* network : networks) {
    const Over over(network, Layer::verbs);
    const double peak = throughput(over.path, over.software, over.test_of(4_MiB, false), 2000).peak_messages_per_s();
    const double time = over.time_of(CollectiveKind::send_recv, 256_MiB);
    EXPECT_NEAR(time, 64 / peak, 0.01 * time) << network;
  }
}

}  // namespace
}  // namespace lockstep::sim::rdma
