// Does `topology discover` make of a machine what it is, and a file that loads again?
#include <dlfcn.h>
#include <gtest/gtest.h>

#include "core/base/catalogue.hpp"
#include "core/topology/describe.hpp"
#include "core/topology/gpu_model.hpp"
#include "core/topology/write.hpp"
#include "real/discover/machine.hpp"
#include "real/discover/nvml.hpp"

namespace lockstep::real {
namespace {

Topology load(const Machine& machine) {
  const std::string text = topology_file_of(machine.name, machine.graph, machine.comments);
  return read_topology(config::parse_text(text, "machine.yaml"), "machine.yaml");
}

/// Two sockets; on the first a switch with a GPU and a NIC, and a GPU of its own; on the second a GPU behind two
/// bridges that are only wires.
MachineReading workstation() {
  MachineReading reading;
  reading.name = "box";
  reading.processor = "GenuineIntel 143";
  reading.sockets = 2;
  reading.devices = {
      {"0000:11:00.0", true, "NVIDIA H100 80GB HBM3", "h100_sxm", 63.0, 0, {"0000:10:00.0", "0000:0f:00.0"}},
      {"0000:12:00.0", false, "mlx5_0", "", 63.0, 0, {"0000:10:01.0", "0000:0f:00.0"}},
      {"0000:20:00.0", true, "NVIDIA H100 80GB HBM3", "h100_sxm", 63.0, 0, {}},
      {"0000:81:00.0", true, "other", "", 0, 1, {"0000:80:01.0", "0000:80:00.0"}},
  };
  reading.nvlinks = {{"0000:11:00.0", "0000:20:00.0", 4, 25.0},
                     {"0000:20:00.0", "0000:11:00.0", 4, 25.0},
                     {"0000:81:00.0", "", 18, 25.0}};
  return reading;
}

const Link& link_between(const Topology& topology, const std::string& a, const std::string& b) {
  for (const LinkId link : topology.links_from(topology.find_device("box." + a)))
    if (topology.devices[topology.links[link].to].name == "box." + b) return topology.links[link];
  throw std::runtime_error("no link " + a + " - " + b);
}

TEST(Discover, MachineHasTheSwitchesSocketsAndLinksThatWereRead) {
  const Topology box = load(machine_of(workstation()));
  EXPECT_EQ(box.name, "box");
  EXPECT_EQ(box.rank_capacity(), 3);
  EXPECT_EQ(box.devices[box.endpoint(0)].model, "h100_sxm");
  EXPECT_EQ(box.devices[box.endpoint(2)].model, "");
  EXPECT_EQ(link_between(box, "gpu0", "pcie0").bandwidth, Bandwidth::bytes_per_second(56'400'000'000))
      << "63 GB/s raw, as a link of Gen5 x16 is";
  EXPECT_EQ(link_between(box, "pcie0", "nic0").kind, LinkKind::pcie);
  EXPECT_EQ(link_between(box, "pcie0", "cpu0").kind, LinkKind::pcie);
  EXPECT_EQ(link_between(box, "gpu1", "cpu0").kind, LinkKind::pcie);
  EXPECT_EQ(link_between(box, "gpu2", "cpu1").bandwidth, Bandwidth::bytes_per_second(14'100'000'000)) << "assumed";
  EXPECT_EQ(link_between(box, "cpu0", "cpu1").bandwidth, Bandwidth::bytes_per_second(22'000'000'000));
  EXPECT_EQ(link_between(box, "gpu0", "gpu1").bandwidth, Bandwidth::bytes_per_second(100'000'000'000));
  EXPECT_EQ(link_between(box, "gpu2", "nvswitch").bandwidth, Bandwidth::bytes_per_second(450'000'000'000));
  EXPECT_EQ(box.devices.size(), 2U + 4 + 1 + 1);
  EXPECT_EQ(box.links.size(), 2U * (1 + 3 + 1 + 1 + 1 + 1));
}

TEST(Discover, AMachineWithoutGpusHasOneRank) {
  MachineReading reading;
  reading.name = "not a name";
  reading.sockets = 2;
  reading.processor = "Unheard 1";
  const Machine machine = machine_of(reading);
  const Topology topology = load(machine);
  EXPECT_EQ(topology.name, "machine");
  EXPECT_EQ(topology.rank_capacity(), 1);
  EXPECT_EQ(topology.devices[topology.endpoint(0)].name, "machine.cpu0");
  EXPECT_EQ(machine.comments[1], "Assumed: sockets of 'Unheard 1' joined at 10GB/s.");
}

TEST(Discover, AGraphIsWrittenAsItIs) {
  NodeGraph graph;
  const auto cpu = graph.add("cpu0", DeviceKind::cpu);
  const auto gpu = graph.add("gpu0", DeviceKind::gpu);
  graph.parts[gpu].model = "mi300x";
  const auto idle = graph.add("gpu1", DeviceKind::gpu);
  graph.parts[idle].rank = false;
  graph.connect(cpu, gpu, Bandwidth::bits_per_second(123'456'789'001), nanoseconds(1) + Duration{7}, LinkKind::xgmi);
  graph.connect(cpu, idle, 1_Gbps, Duration{0}, LinkKind::socket);
  graph.gpudirect = false;
  const Topology read = load({"box", graph, {"a comment"}});
  EXPECT_EQ(read.rank_capacity(), 1);
  EXPECT_FALSE(read.nodes[0].gpudirect);
  EXPECT_EQ(link_between(read, "gpu0", "cpu0").bandwidth, Bandwidth::bits_per_second(123'456'789'001));
  EXPECT_EQ(link_between(read, "gpu0", "cpu0").latency, Duration{1007});
  EXPECT_EQ(link_between(read, "gpu0", "cpu0").kind, LinkKind::xgmi);
}

TEST(Discover, ThisMachineGivesAFileThatLoads) {
  // hwloc unloads this library of its own after use, and what its globals hold would be taken for a leak.
  ::dlopen("libpciaccess.so.0", RTLD_LAZY | RTLD_NODELETE);
  const MachineReading reading = read_machine();
  EXPECT_GE(reading.sockets, 1U);
  const Machine machine = machine_of(reading);
  const Topology topology = load(machine);
  EXPECT_EQ(topology.nodes.size(), 1U);
  EXPECT_GE(topology.rank_capacity(), 1);
  EXPECT_FALSE(to_text(topology, summarise(topology)).empty());
}

TEST(Discover, WithoutNvmlThereIsNothingToTell) {
  const NvmlReading nothing = read_nvml("libno-such-library.so.1");
  EXPECT_TRUE(nothing.gpus.empty());
  EXPECT_TRUE(nothing.nvlinks.empty());
}

TEST(Discover, GpusAreKnownByTheirNames) {
  for (const auto& [name, model] :
       std::vector<std::pair<const char*, const char*>>{{"NVIDIA H100 80GB HBM3", "h100_sxm"},
                                                        {"NVIDIA H100 PCIe", "h100_pcie"},
                                                        {"NVIDIA H200", "h200_sxm"},
                                                        {"NVIDIA A100-SXM4-40GB", "a100_sxm"},
                                                        {"NVIDIA A100-PCIE-40GB", "a100_pcie"},
                                                        {"Tesla V100-SXM2-16GB", "v100_sxm"},
                                                        {"Tesla V100-PCIE-32GB", "v100_pcie"},
                                                        {"NVIDIA GH200 480GB", "gh200"},
                                                        {"NVIDIA GB200", "gb200"},
                                                        {"NVIDIA B200", "b200_sxm"},
                                                        {"NVIDIA A40", "a40"},
                                                        {"NVIDIA RTX A4000", ""}}) {
    EXPECT_EQ(gpu_model_of(name), model) << name;
    if (*model != '\0') {
      EXPECT_NE(find_in(gpu_models(), model), nullptr);
    }
  }
}

}  // namespace
}  // namespace lockstep::real
