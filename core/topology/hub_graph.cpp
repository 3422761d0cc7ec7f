#include "core/topology/hub_graph.hpp"

#include <algorithm>

namespace lockstep {

HubGraph::HubGraph(const Topology& topology) : topology_(topology) {
  hub_of_.assign(topology.devices.size(), no_id);
  std::uint32_t hubs = 0;
  for (DeviceId device = 0; device < topology.devices.size(); ++device)
    if (!has_one_neighbour(device)) hub_of_[device] = hubs++;
  begin_.reserve(hubs + 1);
  begin_.push_back(0);
  levels_.reserve(hubs);
  for (DeviceId device = 0; device < topology.devices.size(); ++device) {
    if (is_stub(device)) continue;
    for (const LinkId link : topology.links_from(device))
      if (!is_stub(topology.links[link].to)) links_.push_back(link);
    begin_.push_back(static_cast<std::uint32_t>(links_.size()));
    levels_.push_back(forwarding_level(topology.devices[device].kind));
  }
}

bool HubGraph::has_one_neighbour(DeviceId device) const {
  const auto out = topology_.links_from(device);
  return !out.empty() && std::all_of(out.begin(), out.end(), [&](LinkId link) {
    return topology_.links[link].to == topology_.links[out[0]].to;
  });
}

}  // namespace lockstep
