// The one routing function: the simulator uses it and the lab writes it into static routes, so both send every byte
// over the same links.
//
// Shortest paths by number of links; where several next links are equally near, the flow's hash chooses (ECMP). The
// hash mixes seed, source, target and label with mix64 and the depth of the choice, so one flow keeps one path, two
// flows may differ, and the answer is the same on every machine. Only endpoints (hosts, GPUs) begin and end routes;
// hosts and GPUs do not forward, except a GPU or host that is the only way (none of our generators needs that).
//
// Contract:
//  - the topology outlives the routing and does not change; one thread at a time uses one Routing (it caches
//  distances);
//  - a device with a single neighbour (a host on its switch) has no distances of its own but those of its neighbour,
//  and the
//    cache of distances is bounded: the routes of a ring over a star of n hosts take O(n) time and memory.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/topology/topology.hpp"

namespace lockstep {

struct RoutingOptions {
  std::uint64_t seed = 1;
};

class Routing {
 public:
  explicit Routing(const Topology& topology, RoutingOptions options = {});
  ~Routing();
  Routing(Routing&&) noexcept;

  /// The directed links from one device to another, in order; empty if from == to. `label` tells flows between the same
  /// pair apart (channels); the lab uses label 0 only. Throws InputError if there is no path ("h3 cannot reach h5:
  /// ..."). Deterministic; cost O(length) after the distances to `to` have been worked out once.
  [[nodiscard]] std::vector<LinkId> route(DeviceId from, DeviceId to, std::uint64_t label = 0) const;

  /// Links on the shortest path; 0 if from == to. Throws like route().
  [[nodiscard]] int distance(DeviceId from, DeviceId to) const;

  /// Number of shortest paths between two devices (saturates at 2^32).
  [[nodiscard]] std::uint64_t path_count(DeviceId from, DeviceId to) const;

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
