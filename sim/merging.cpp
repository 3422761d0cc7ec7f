#include "sim/merging.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "core/base/catalogue.hpp"
#include "core/base/error.hpp"
#include "core/topology/gpu_model.hpp"

namespace lockstep::sim {
namespace {

// NVLink SHARP came with the NVSwitch of Hopper (NVIDIA H100 whitepaper).
bool behind_hopper(const Topology& topology, NodeId node) {
  const auto& devices = topology.nodes[node].devices;
  return std::any_of(devices.begin(), devices.end(), [&](DeviceId device) {
    const GpuModel* model = find_in(gpu_models(), topology.devices[device].model);
    return model != nullptr && (model->generation == "hopper" || model->generation == "blackwell");
  });
}

}  // namespace

bool switch_reduces(const Topology& topology, DeviceId device) {
  const Device& it = topology.devices[device];
  const auto& reduction = topology.switching.reduction;
  const auto is = [&](SwitchReduction one) { return *reduction == one || *reduction == SwitchReduction::all; };
  if (it.kind == DeviceKind::network_switch) return reduction && is(SwitchReduction::network);
  if (it.kind != DeviceKind::nvswitch) return false;
  return reduction ? is(SwitchReduction::nvswitch) : behind_hopper(topology, it.node);
}

bool any_switch_reduces(const Topology& topology) {
  for (DeviceId device = 0; device < topology.devices.size(); ++device)
    if (switch_reduces(topology, device)) return true;
  return false;
}

std::optional<MergedWay> merged_way(const Topology& topology, const Routing& routing, std::span<const DeviceId> others,
                                    DeviceId one, Merge merge, std::uint64_t label) {
  LOCKSTEP_CHECK(merge != Merge::none, "ways of messages that may not be merged");
  if (others.size() < 2) return std::nullopt;
  const bool to_one = merge == Merge::to_one;
  const auto near = [&](LinkId link) { return to_one ? topology.links[link].from : topology.links[link].to; };
  const auto far = [&](LinkId link) { return to_one ? topology.links[link].to : topology.links[link].from; };
  // Seen from the members: by device, the link towards `one`, and how many come in from the members' side.
  std::unordered_map<DeviceId, LinkId> towards;
  std::map<DeviceId, int> meeting;
  MergedWay way;
  for (const DeviceId member : others) {
    if (member == one) return std::nullopt;  // ranks that share a device need no switch
    auto route = to_one ? routing.route(member, one, label) : routing.route(one, member, label);
    if (!to_one) std::reverse(route.begin(), route.end());
    ++meeting[member];
    for (const LinkId link : route) {
      if (!towards.try_emplace(near(link), link).second) break;
      way.links.push_back(link);
      ++meeting[far(link)];
    }
  }
  for (const auto& [device, ways] : meeting)
    if (ways > 1 && !switch_reduces(topology, device)) return std::nullopt;  // `one` itself among them
  std::vector<LinkId> path;
  for (const DeviceId member : others) {
    path.clear();
    for (DeviceId device = member; device != one; device = far(path.back())) path.push_back(towards.at(device));
    if (!to_one) std::reverse(path.begin(), path.end());
    const std::int64_t latency = route_latency(topology, path).count();
    way.switches = std::max(way.switches, route_switches(topology, path));
    if (!way.longest.empty() && latency <= way.latency) continue;
    way.latency = latency;
    way.longest = path;
  }
  return way;
}

bool switches_merge(const Topology& topology, const Routing& routing, CollectiveKind kind, int ranks, int root) {
  std::vector<DeviceId> others;
  for (int r = 0; r < ranks; ++r)
    if (r != root) others.push_back(topology.endpoint(r));
  const Merge merge = kind == CollectiveKind::broadcast ? Merge::from_one : Merge::to_one;
  return merged_way(topology, routing, others, topology.endpoint(root), merge).has_value();
}

}  // namespace lockstep::sim
