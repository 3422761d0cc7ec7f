// What each device of the lab must know so that every byte follows the routing function: which switches are bridges,
// and the forwarding entries of each device. Free of any system call.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "core/topology/routing.hpp"
#include "core/topology/topology.hpp"

namespace lockstep::real {

enum class DeviceRole { host, bridge, router };

/// Out by the link `out`; the next device that routes (host or router) is entered by the link `entry`. They differ
/// where bridges lie in between.
struct Hop {
  LinkId out = no_id;
  LinkId entry = no_id;
  bool operator==(const Hop&) const = default;
};

struct Forwarding {
  std::vector<DeviceRole> role;  ///< by device
  std::vector<bool> forwards;    ///< by device: routes what is not its own
  /// By device: where packets for a host go, whoever sent them.
  std::vector<std::map<DeviceId, Hop>> by_destination;
  /// By device: (source, destination) -> hop, only where it differs from by_destination.
  std::vector<std::map<std::pair<DeviceId, DeviceId>, Hop>> by_pair;
  /// By bridge: frames for the interface that `first` enters by leave by the link `second`.
  std::vector<std::map<LinkId, LinkId>> bridge_entries;
};

/// A switch is a bridge when no pair of hosts has a choice of paths at it, and the bridges form no loop; else it is a
/// router. Throws InputError for a topology that a lab cannot be (GPUs), naming the device.
Forwarding plan_forwarding(const Topology& topology, const Routing& routing);

}  // namespace lockstep::real
