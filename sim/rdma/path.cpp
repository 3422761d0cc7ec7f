#include "sim/rdma/path.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <queue>
#include <utility>
#include <vector>

#include "core/base/error.hpp"

namespace lockstep::sim::rdma {
namespace {

// A read of a host's memory: half of a round trip of 500 ns over one link of 100 ns each way is the root complex and
// the memory; fitted on what osu_latency takes longer where the payload is no longer part of the work request. UCX
// reckons 350 ns for a work request. GPU memory: estimate.
constexpr Duration host_memory = nanoseconds(300);
constexpr Duration gpu_memory = nanoseconds(400);
// A PCIe link that is in no topology, as in the node templates.
constexpr Duration pcie_link = nanoseconds(100);

constexpr std::array<std::int64_t, 5> mtus{256, 512, 1024, 2048, 4096};

/// The least rate and the sum of latencies over links inside a node; crosses a CPU or not.
struct Inside {
  Bandwidth rate;
  Duration latency{0};
  bool over_cpu = false;
};

Inside along(const Topology& topology, std::span<const LinkId> links) {
  Inside inside{topology.links[links.front()].bandwidth, Duration{0}, false};
  for (std::size_t i = 0; i < links.size(); ++i) {
    const Link& link = topology.links[links[i]];
    inside.rate = std::min(inside.rate, link.bandwidth);
    inside.latency += link.latency;
    if (i > 0) {
      inside.latency += topology.devices[link.from].latency;
      inside.over_cpu = inside.over_cpu || topology.devices[link.from].kind == DeviceKind::cpu;
    }
  }
  return inside;
}

/// The links from a device to the nearest CPU of its node, over PCIe switches alone; empty if there is none.
std::vector<LinkId> to_cpu(const Topology& topology, DeviceId start) {
  const NodeId node = topology.devices[start].node;
  std::vector<std::pair<DeviceId, LinkId>> came{{start, no_id}};
  for (std::size_t next = 0; next < came.size(); ++next) {
    const DeviceId device = came[next].first;
    if (device != start && topology.devices[device].kind == DeviceKind::cpu) {
      std::vector<LinkId> links;
      for (DeviceId at = device; at != start;) {
        const auto found = std::find_if(came.begin(), came.end(), [&](const auto& visit) { return visit.first == at; });
        links.push_back(found->second);
        at = topology.links[found->second].from;
      }
      std::reverse(links.begin(), links.end());
      return links;
    }
    if (device != start && topology.devices[device].kind != DeviceKind::pcie_switch) continue;
    for (const LinkId id : topology.links_from(device)) {
      const DeviceId to = topology.links[id].to;
      if (topology.devices[to].node != node) continue;
      if (std::none_of(came.begin(), came.end(), [&](const auto& visit) { return visit.first == to; }))
        came.emplace_back(to, id);
    }
  }
  return {};
}

Dma dma_of(const Inside& inside, Duration memory, const PathOptions& options, const NicGeneration& nic) {
  Dma dma;
  dma.rate = at_max_payload(inside.rate, options.max_payload);
  dma.latency = inside.latency;
  dma.memory = memory;
  return with_read_limit(dma, options.max_read_request, nic.outstanding_pcie_reads);
}

/// The end of a path at `endpoint`; `links` lead from the NIC to it, none for a host, which is its own NIC.
End end_of(const Topology& topology, DeviceId endpoint, DeviceId port, const std::vector<LinkId>& links,
           const PathOptions& options, const NicGeneration& nic) {
  End end;
  const Device& device = topology.devices[endpoint];
  end.device = device.name;
  end.nic = topology.devices[port].name;
  Inside host{pcie_payload_rate(nic.pcie_generation, 16), pcie_link, false};
  if (device.kind == DeviceKind::cpu && !links.empty())
    host = along(topology, links);
  else if (const auto way = to_cpu(topology, port); !way.empty())
    host = along(topology, way);
  end.host = dma_of(host, host_memory, options, nic);
  end.payload = end.host;
  if (options.memory == Memory::host) return end;
  if (device.kind != DeviceKind::gpu) throw InputError(fmt::format("--gpu: {} is no GPU", device.name));
  if (options.memory == Memory::gpu_direct) {
    const Node& node = topology.nodes[device.node];
    if (!node.gpudirect)
      throw InputError(fmt::format(
          "--gpu direct: the NICs of {} do not reach the memory of its GPUs (gpudirect: false); use --gpu staged",
          node.name));
    Inside way = along(topology, links);
    // Across a root complex NICs reach GPUs at 25 to 70% less than within a PCIe switch; half is an estimate.
    if (way.over_cpu) way.rate = way.rate / 2;
    end.payload = dma_of(way, gpu_memory, options, nic);
    return end;
  }
  const auto way = to_cpu(topology, endpoint);
  end.staging = way.empty() ? host.rate : along(topology, way).rate;
  return end;
}

bool carries_rdma(LinkKind kind) {
  return kind == LinkKind::infiniband || kind == LinkKind::roce || kind == LinkKind::ethernet;
}

/// The largest MTU of RDMA that fits; what Ethernet frames carry besides are IPv4, UDP and the headers of RDMA.
Bytes largest_mtu(Bytes link_mtu, LinkKind kind) {
  const std::int64_t room = link_mtu.count() - (kind == LinkKind::ethernet ? 20 + 8 + 12 + 16 + 4 : 0);
  for (auto mtu = mtus.rbegin(); mtu != mtus.rend(); ++mtu)
    if (*mtu <= room) return Bytes{*mtu};
  throw InputError(fmt::format("links of MTU {} carry no RDMA: its packets hold 256 B at least", link_mtu.count()));
}

Bytes mtu_of(const PathOptions& options, Bytes link_mtu, LinkKind kind) {
  const Bytes largest = largest_mtu(link_mtu, kind);
  if (!options.mtu) return largest;
  if (std::find(mtus.begin(), mtus.end(), options.mtu->count()) == mtus.end())
    throw InputError(fmt::format("--mtu {}: an MTU of RDMA is 256, 512, 1024, 2048 or 4096", options.mtu->count()));
  if (*options.mtu > largest)
    throw InputError(fmt::format("--mtu {}: the links of the route have MTU {}, which {} fits into",
                                 options.mtu->count(), link_mtu.count(), largest.count()));
  return *options.mtu;
}

}  // namespace

Path path_between(const Topology& topology, const Routing& routing, DeviceId from, DeviceId to,
                  const PathOptions& options) {
  const auto name = [&](DeviceId device) { return topology.devices[device].name; };
  if (from == to)
    throw InputError(fmt::format("{} to itself: RDMA is between two nodes; see --from and --to", name(from)));
  const NodeId source = topology.devices[from].node, target = topology.devices[to].node;
  if (source == target)
    throw InputError(fmt::format("{} and {} are in the same node: RDMA is between two nodes; see --from and --to",
                                 name(from), name(to)));
  const auto route = routing.route(from, to);
  const auto node_of = [&](DeviceId device) { return topology.devices[device].node; };
  std::size_t first = 0, last = route.size();
  while (node_of(topology.links[route[first]].to) == source) ++first;
  while (node_of(topology.links[route[last - 1]].from) == target) --last;
  const std::span<const LinkId> network(route.data() + first, last - first);

  Path path;
  path.line = route_bandwidth(topology, network);
  path.latency = route_latency(topology, network);
  path.switches = route_switches(topology, network);
  path.nic = options.nic != nullptr ? options.nic : &nic_for(path.line);
  const LinkKind kind = topology.links[network.front()].kind;
  path.ethernet = true;
  path.link_mtu = topology.links[network.front()].mtu;
  for (const LinkId id : network) {
    const Link& link = topology.links[id];
    if (!carries_rdma(link.kind))
      throw InputError(
          fmt::format("the route from {} to {} has a link of kind '{}'; the model of RDMA knows infiniband, "
                      "roce and ethernet",
                      name(from), name(to), to_string(link.kind)));
    if ((link.kind == LinkKind::infiniband) != (kind == LinkKind::infiniband))
      throw InputError(fmt::format("the route from {} to {} mixes InfiniBand and Ethernet", name(from), name(to)));
    path.ethernet = path.ethernet && link.kind != LinkKind::infiniband;
    path.link_mtu = std::min(path.link_mtu, link.mtu);
  }
  path.fabric = kind == LinkKind::infiniband ? Fabric::infiniband : Fabric::roce;
  path.mtu = mtu_of(options, path.link_mtu, kind);

  // From a NIC inwards; cables have the same figures in both directions.
  std::vector<LinkId> inward(route.begin(), route.begin() + static_cast<std::ptrdiff_t>(first));
  std::reverse(inward.begin(), inward.end());
  const std::vector<LinkId> outward(route.begin() + static_cast<std::ptrdiff_t>(last), route.end());
  for (LinkId& id : inward) id ^= 1U;
  path.from = end_of(topology, from, topology.links[network.front()].from, inward, options, *path.nic);
  path.to = end_of(topology, to, topology.links[network.back()].to, outward, options, *path.nic);
  return path;
}

Path reversed(Path path) {
  std::swap(path.from, path.to);
  return path;
}

}  // namespace lockstep::sim::rdma
