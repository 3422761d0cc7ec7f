// The one routing function: the simulator uses it and the lab writes it into static routes, so both send every byte
// over the same links.
//
// Shortest paths by number of links. Between two devices of one node the route stays inside the node where it can.
// Only endpoints (hosts, GPUs) begin and end routes. What forwards: switches, NVSwitches, PCIe switches and NICs; CPUs
// only where there is no way without; hosts and GPUs only where there is no other way at all. So traffic between nodes
// leaves through the NICs nearest to its GPU, and a GPU whose NIC has failed goes over the CPU to another NIC.
//
// Where several next links are equally near, the topology's `routing: {mode: ...}` decides:
//   ecmp         the flow's hash chooses (default). The hash mixes seed, source, target and label with mix64 and the
//                depth of the choice, so one flow keeps one path, two flows may differ, and the answer is the same on
//                every machine.
//   shortest     the first in the order of the file: every flow between two devices takes one path.
//   static_rail  by destination, as subnet managers do (D-mod-k): at the first choice the target's node modulo the
//                number of next links, then the quotient, ... Permutations between nodes do not collide. Inside a node
//                (several NICs at a GPU) the GPU's number plus the label chooses.
//   spray        every packet anew: a message splits over all paths, routes() has their shares. route() is as in ecmp.
//   adaptive     each switch takes the next link with the least load: route_by_load(), for simulators that know loads.
//                route() is as in ecmp.
//
// `pxn: true` (PCI x NVLink of NCCL; the default of static_rail): where source and target are GPUs of different rails,
// the route first crosses NVLink to the GPU of the source's node that is on the target's rail. A GPU's rails are the
// network switches that its nearest NICs are cabled to; where no GPU of the node shares one with the target (rails of
// another pod), the number of the NIC in its node.
//
// Nodes without GPUDirect (Node::gpudirect): what leaves or enters one of their GPUs goes through the CPU nearest to
// it.
//
// Contract:
//  - the topology outlives the routing and does not change; one thread at a time uses one Routing (it caches
//  distances);
//  - a device with a single neighbour (a host on its switch) has no distances of its own but those of its neighbour,
//  and the
//    cache of distances is bounded: the routes of a ring over a star of n hosts take O(n) time and memory. In large
//    networks the first routes to a target are searched from both ends, so those of a few pairs per device take O(n)
//    too.
//
// Source: D-mod-k: Zahavi, "Fat-trees routing and node ordering providing contention free traffic for MPI global
// collectives", JPDC 2012. PXN: NCCL 2.12, "Doubling all2all performance with NVIDIA Collective Communication Library
// 2.12", NVIDIA, 2022.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/topology/topology.hpp"

namespace lockstep {

struct RoutingOptions {
  std::uint64_t seed = 1;
  std::optional<RoutingPolicy> policy{};  ///< in place of the topology's own
  /// So many routes to a target are searched for themselves before the distances of all to it are kept; absent: what
  /// suits the size of the network. No route depends on it.
  std::optional<int> single_searches{};
};

/// A path and the share of the bytes that takes it; the shares of a set add up to 1.
struct WeightedRoute {
  std::vector<LinkId> links;
  double share = 1.0;
};

/// How much a link is used at the moment, in any unit; the least is the best.
using LinkLoad = std::function<double(LinkId)>;

class Routing {
 public:
  explicit Routing(const Topology& topology, RoutingOptions options = {});
  ~Routing();
  Routing(Routing&&) noexcept;

  [[nodiscard]] RoutingPolicy policy() const;

  /// The directed links from one device to another, in order; empty if from == to. `label` tells flows between the same
  /// pair apart (channels); the lab uses label 0 only. Throws InputError if there is no path ("h3 cannot reach h5:
  /// ..."). Deterministic; cost O(length) after the distances to `to` have been worked out once.
  [[nodiscard]] std::vector<LinkId> route(DeviceId from, DeviceId to, std::uint64_t label = 0) const;

  /// What a message splits over: under `spray` every shortest path, with the share that packets take which choose anew
  /// at every switch; otherwise the one of route(). Where there are more than `most` paths, at most so many of them,
  /// drawn by the flow's hash, each as often as it was drawn. Empty if from == to.
  [[nodiscard]] std::vector<WeightedRoute> routes(DeviceId from, DeviceId to, std::uint64_t label = 0,
                                                  std::size_t most = 64) const;

  /// The shortest path that takes at every device the next link of least load; the flow's hash decides between equals.
  [[nodiscard]] std::vector<LinkId> route_by_load(DeviceId from, DeviceId to, const LinkLoad& load,
                                                  std::uint64_t label = 0) const;

  /// Links on the route; 0 if from == to. Throws like route().
  [[nodiscard]] int distance(DeviceId from, DeviceId to) const;

  /// Number of shortest paths between two devices (saturates at 2^32).
  [[nodiscard]] std::uint64_t path_count(DeviceId from, DeviceId to) const;

  /// The rail of a GPU or host: the network switches that the NICs nearest to it are cabled to, ascending; none: empty.
  [[nodiscard]] std::vector<DeviceId> rails(DeviceId endpoint) const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

/// Sum of link latencies and of the latencies of the switches between them.
Duration route_latency(const Topology& topology, std::span<const LinkId> route);
/// How many network switches the route passes.
std::int64_t route_switches(const Topology& topology, std::span<const LinkId> route);
/// The least bandwidth on the route (route not empty).
Bandwidth route_bandwidth(const Topology& topology, std::span<const LinkId> route);

}  // namespace lockstep
