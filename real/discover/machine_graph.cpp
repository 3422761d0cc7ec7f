#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/topology/templates/gpu_node.hpp"
#include "core/topology/templates/templates.hpp"
#include "real/discover/machine.hpp"

namespace lockstep::real {
namespace {

// Payload per raw byte of a PCIe link with packets of 256 B, as in templates.hpp: 256*4 / ((256+26)*4 + 16).
constexpr double pcie_payload = 1024.0 / 1144.0;

Bandwidth payload_rate(double raw_GB_per_s) {
  // To a tenth of a GB/s: hwloc's figures are no more precise.
  return Bandwidth::bytes_per_second(static_cast<std::int64_t>(raw_GB_per_s * pcie_payload * 10 + 0.5) * 100'000'000);
}

bool is_name(const std::string& text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '-';
  }) && std::isalnum(static_cast<unsigned char>(text[0])) != 0;
}

}  // namespace

std::optional<Bandwidth> socket_link_of(const std::string& processor) {
  // CPUID models: 79 Broadwell; 85 Skylake and Cascade Lake; 106 Ice Lake (UPI as its predecessor's in NCCL's table);
  // 143 Sapphire Rapids; 207 Emerald Rapids.
  static const std::map<std::string, Bandwidth> known{{"GenuineIntel 79", templates::broadwell_link},
                                                      {"GenuineIntel 85", templates::skylake_link},
                                                      {"GenuineIntel 106", templates::skylake_link},
                                                      {"GenuineIntel 143", templates::sapphire_rapids_link},
                                                      {"GenuineIntel 207", templates::emerald_rapids_link}};
  if (const auto found = known.find(processor); found != known.end()) return found->second;
  if (processor.rfind("AuthenticAMD", 0) == 0) return templates::amd_link;
  return std::nullopt;
}

Machine machine_of(const MachineReading& reading) {
  const GpuNodeShape usual;
  Machine machine;
  machine.name = is_name(reading.name) ? reading.name : "machine";
  machine.comments.push_back("Found by lockstep topology discover. Payload rates; PCIe latencies are the usual ones.");
  NodeGraph& graph = machine.graph;
  const bool gpus =
      std::any_of(reading.devices.begin(), reading.devices.end(), [](const auto& device) { return device.gpu; });
  std::vector<std::size_t> cpus;
  for (std::size_t i = 0; i < reading.sockets; ++i) {
    cpus.push_back(graph.add(fmt::format("cpu{}", i), DeviceKind::cpu));
    graph.parts.back().rank = !gpus && i == 0;
  }
  if (cpus.size() > 1) {
    const auto rate = socket_link_of(reading.processor);
    if (!rate) machine.comments.push_back(fmt::format("Assumed: sockets of '{}' joined at 10GB/s.", reading.processor));
    for (std::size_t a = 0; a < cpus.size(); ++a)
      for (std::size_t b = a + 1; b < cpus.size(); ++b)
        graph.connect(cpus[a], cpus[b], rate.value_or(templates::skylake_link), usual.pcie_latency, LinkKind::socket);
  }

  // A bridge with devices below two of its branches is a PCIe switch; the others are only wires.
  std::map<std::string, std::set<std::string>> branches;
  for (const auto& device : reading.devices) {
    std::string below = device.address;
    for (const auto& bridge : device.bridges) {
      branches[bridge].insert(below);
      below = bridge;
    }
  }
  std::map<std::string, std::size_t> switches;
  const auto pcie = [&](std::size_t a, std::size_t b, double raw) {
    graph.connect(a, b, raw > 0 ? payload_rate(raw) : templates::pcie_gen3_x16, usual.pcie_latency, LinkKind::pcie);
  };
  std::map<std::string, std::size_t> gpu_at;
  std::size_t gpu_count = 0, nic_count = 0;
  for (const auto& device : reading.devices) {
    const std::string name = device.gpu ? fmt::format("gpu{}", gpu_count++) : fmt::format("nic{}", nic_count++);
    std::size_t below = graph.add(name, device.gpu ? DeviceKind::gpu : DeviceKind::nic);
    if (device.gpu) {
      graph.parts[below].model = device.model;
      gpu_at[device.address] = below;
    }
    machine.comments.push_back(fmt::format("{}: {} at {}{}", name, device.label, device.address,
                                           device.GB_per_s > 0 ? "" : ", PCIe rate not said: Gen3 x16 assumed"));
    bool joined = false;
    for (const auto& bridge : device.bridges) {
      if (branches[bridge].size() < 2) continue;
      const auto [found, fresh] = switches.emplace(bridge, 0);
      if (fresh) found->second = graph.add(fmt::format("pcie{}", switches.size() - 1), DeviceKind::pcie_switch);
      // The uplink of a switch is taken to be as wide as the first link below it.
      pcie(below, found->second, device.GB_per_s);
      below = found->second;
      joined = !fresh;
      if (joined) break;
    }
    if (!joined) pcie(below, cpus[std::min(device.socket, cpus.size() - 1)], device.GB_per_s);
  }

  std::optional<std::size_t> nvswitch;
  for (const auto& link : reading.nvlinks) {
    const auto from = gpu_at.find(link.gpu);
    if (from == gpu_at.end() || link.links == 0) continue;
    const auto rate = Bandwidth::bytes_per_second(static_cast<std::int64_t>(link.GB_per_s_each * 10 + 0.5) *
                                                  100'000'000 * link.links);
    if (link.peer.empty()) {
      if (!nvswitch) nvswitch = graph.add("nvswitch", DeviceKind::nvswitch);
      graph.connect(from->second, *nvswitch, rate, usual.nvlink_latency, LinkKind::nvlink);
      continue;
    }
    const auto to = gpu_at.find(link.peer);  // each pair is told by both of its ends
    if (to != gpu_at.end() && from->second < to->second)
      graph.connect(from->second, to->second, rate, 2 * usual.nvlink_latency, LinkKind::nvlink);
  }
  if (nic_count == 0) machine.comments.push_back("No NIC was found on the PCI bus: no link of a network can go here.");
  return machine;
}

}  // namespace lockstep::real
