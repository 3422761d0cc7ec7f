#include "core/nccl/system.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/base/error.hpp"

namespace lockstep::nccl {
namespace {

[[noreturn]] void refuse(const Topology& topology, const std::string& reason) {
  throw InputError(fmt::format("topology '{}': NCCL's model does not apply: {}", topology.name, reason));
}

double in_GBps(Bandwidth bandwidth) { return bandwidth.bytes_per_second() / 1e9; }

/// What one GPU has in links to other GPUs, NVLink or xGMI, whatever is at their other ends.
double gpu_links_of(const Topology& topology, DeviceId gpu) {
  double sum = 0;
  for (const LinkId link : topology.links_from(gpu)) {
    const std::string_view kind = to_string(topology.links[link].kind);
    if (kind == "nvlink" || kind == "xgmi") sum += in_GBps(topology.links[link].bandwidth);
  }
  return sum;
}

bool behind_nvswitch(const Topology& topology, DeviceId gpu) {
  const auto links = topology.links_from(gpu);
  return std::any_of(links.begin(), links.end(), [&](LinkId link) {
    return topology.devices[topology.links[link].to].kind == DeviceKind::nvswitch;
  });
}

struct Nics {
  int count = 0;
  double total_GBps = 0;
  Fabric fabric = Fabric::none;
};

/// The NICs of a node that are cabled, each at the least of its network link and its own PCIe link.
Nics nics_of(const Topology& topology, const Node& node) {
  Nics nics;
  for (const DeviceId device : node.devices) {
    if (topology.devices[device].kind != DeviceKind::nic) continue;
    double network = 0, inside = 0;
    for (const LinkId link : topology.links_from(device)) {
      const Fabric fabric = fabric_of(topology.links[link].kind);
      if (fabric == Fabric::none) {
        inside = std::max(inside, in_GBps(topology.links[link].bandwidth));
      } else {
        network += in_GBps(topology.links[link].bandwidth);
        nics.fabric = fabric;
      }
    }
    if (network == 0) continue;
    ++nics.count;
    nics.total_GBps += inside > 0 ? std::min(network, inside) : network;
  }
  return nics;
}

}  // namespace

System system_of(const Topology& topology, int ranks, const NcclProfile& settings) {
  if (ranks < 2) refuse(topology, "it needs at least 2 ranks");
  std::vector<NodeId> nodes;  // in the order of the ranks
  std::map<NodeId, int> ranks_of;
  for (int rank = 0; rank < ranks; ++rank) {
    const DeviceId device = topology.endpoint(rank);
    if (topology.devices[device].kind != DeviceKind::gpu)
      refuse(topology, fmt::format("rank {} ({}) is no GPU", rank, topology.devices[device].name));
    const NodeId node = topology.node_of_rank(rank);
    if (++ranks_of[node] == 1) nodes.push_back(node);
  }
  System system;
  system.settings = settings;
  system.nodes = static_cast<int>(nodes.size());
  system.gpus_per_node = ranks_of[nodes.front()];
  for (const NodeId node : nodes)
    if (ranks_of[node] != system.gpus_per_node)
      refuse(topology,
             fmt::format("{} has {} ranks and {} has {}; it knows equal nodes only", topology.nodes[nodes.front()].name,
                         system.gpus_per_node, topology.nodes[node].name, ranks_of[node]));

  const DeviceId gpu = topology.endpoint(0);
  const double nvlink = gpu_links_of(topology, gpu);
  if (nvlink == 0 && system.gpus_per_node > 1)
    refuse(topology, fmt::format("{} has no NVLink", topology.devices[gpu].name));
  const std::string& model = topology.devices[gpu].model;
  system.generation = generation_of_model(model).value_or(generation_of_nvlink(nvlink));
  // A GPU that is alone in its node needs none: nothing inside limits it.
  system.nvlink_GBps = nvlink > 0 ? nvlink * table_of(system.generation).nvlink_share : 1000.0;
  system.nvswitch = behind_nvswitch(topology, gpu);
  system.nvls = settings.nvls.value_or(true) && system.generation >= Generation::hopper && system.nvswitch;
  const auto usual_cpu = [&] {
    if (model.find("gh200") != std::string::npos || model.find("gb200") != std::string::npos)
      return NcclProfile::Cpu::arm;
    return system.generation == Generation::ampere || system.fabric == Fabric::efa ? NcclProfile::Cpu::amd
                                                                                   : NcclProfile::Cpu::intel;
  };
  system.cpu = settings.cpu.value_or(usual_cpu());
  if (system.nodes == 1) return system;

  double least = 0;
  for (const NodeId id : nodes) {
    const Nics nics = nics_of(topology, topology.nodes[id]);
    if (nics.count == 0) refuse(topology, fmt::format("{} has no NIC on a network", topology.nodes[id].name));
    if (least > 0 && nics.total_GBps >= least) continue;
    least = nics.total_GBps;
    system.nics = std::min(nics.count, system.gpus_per_node);
    system.nic_GBps = nics.total_GBps / system.nics;
    system.fabric = nics.fabric;
  }
  system.cpu = settings.cpu.value_or(usual_cpu());
  return system;
}

}  // namespace lockstep::nccl
