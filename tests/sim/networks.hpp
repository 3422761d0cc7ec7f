// Networks and profiles of the simulator's tests.
#pragma once

#include <string>

#include "core/profile/profile.hpp"
#include "core/topology/topology.hpp"

namespace lockstep::test {

inline void add_host(Topology& topology, const std::string& name) {
  const auto id =
      topology.add_device({name, DeviceKind::host, static_cast<NodeId>(topology.nodes.size()), Duration{0}});
  topology.nodes.push_back({name, {id}, {id}});
}

inline Link cable(DeviceId from, DeviceId to, Bandwidth bandwidth, Duration latency,
                  std::optional<Bytes> burst = std::nullopt) {
  Link link;
  link.from = from;
  link.to = to;
  link.bandwidth = bandwidth;
  link.latency = latency;
  link.burst = burst;
  return link;
}

inline Topology star(int hosts, Bandwidth bandwidth, Duration latency, std::optional<Bytes> burst = std::nullopt) {
  Topology topology;
  topology.name = "star";
  for (int h = 0; h < hosts; ++h) add_host(topology, "h" + std::to_string(h));
  const DeviceId middle = topology.add_device({"s0", DeviceKind::network_switch, no_id, Duration{0}});
  for (int h = 0; h < hosts; ++h)
    topology.add_duplex(cable(static_cast<DeviceId>(h), middle, bandwidth, latency, burst));
  topology.finish();
  return topology;
}

/// Two spines, `leaves` leaves of two hosts; the links between switches are as fast as those of the hosts, so that
/// traffic meets.
inline Topology leaf_spine(int leaves, Bandwidth bandwidth, Duration latency) {
  Topology topology;
  topology.name = "leaf_spine";
  for (int h = 0; h < 2 * leaves; ++h) add_host(topology, "h" + std::to_string(h));
  std::vector<DeviceId> spines;
  for (int s = 0; s < 2; ++s)
    spines.push_back(
        topology.add_device({"spine" + std::to_string(s), DeviceKind::network_switch, no_id, Duration{0}}));
  for (int l = 0; l < leaves; ++l) {
    const DeviceId leaf =
        topology.add_device({"leaf" + std::to_string(l), DeviceKind::network_switch, no_id, nanoseconds(300)});
    for (int h = 0; h < 2; ++h) topology.add_duplex(cable(static_cast<DeviceId>(2 * l + h), leaf, bandwidth, latency));
    for (const DeviceId spine : spines) topology.add_duplex(cable(leaf, spine, bandwidth, latency));
  }
  topology.finish();
  return topology;
}

/// Everything costs something: overheads by interval, rates, framing, a header, rendezvous, ordered connections, few
/// cores, reductions in pieces, copies.
inline Profile laden_profile() {
  Profile profile = ideal_profile();
  profile.name = "laden";
  MessageCost small;
  small.up_to = Bytes{8192};
  small.overhead = microseconds(3);
  small.receive_overhead = microseconds(4);
  small.latency = microseconds(7);
  small.send_bandwidth = Bandwidth::bytes_per_second(2'000'000'000);
  MessageCost large;
  large.overhead = microseconds(5);
  large.receive_overhead = microseconds(6);
  large.latency = microseconds(2);
  large.send_bandwidth = Bandwidth::bytes_per_second(3'000'000'000);
  large.receive_bandwidth = Bandwidth::bytes_per_second(2'500'000'000);
  profile.tcp.messages = {small, large};
  profile.tcp.framing = {Bytes{52}, Bytes{38}};
  profile.tcp.message_header = Bytes{16};
  profile.tcp.eager_threshold = Bytes{4096};
  profile.tcp.ordered = true;
  profile.reduction.intervals = {{std::nullopt, Duration{0}, Bandwidth::bytes_per_second(4'000'000'000)}};
  profile.reduction.granularity = Bytes{65536};
  profile.copies = at_bandwidth(Bandwidth::bytes_per_second(8'000'000'000));
  profile.cores = 2;
  return profile;
}

}  // namespace lockstep::test
