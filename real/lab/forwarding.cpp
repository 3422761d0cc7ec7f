#include "real/lab/forwarding.hpp"

#include <algorithm>
#include <deque>
#include <numeric>

#include "core/base/error.hpp"

namespace lockstep::real {
namespace {

constexpr std::uint32_t unreachable = 0xFFFFFFFF;

std::vector<std::uint32_t> distances_from(const Topology& topology, DeviceId source) {
  std::vector<std::uint32_t> distance(topology.devices.size(), unreachable);
  distance[source] = 0;
  std::deque<DeviceId> open{source};
  while (!open.empty()) {
    const DeviceId at = open.front();
    open.pop_front();
    for (const LinkId link : topology.links_from(at)) {
      const DeviceId next = topology.links[link].to;
      if (distance[next] != unreachable) continue;
      distance[next] = distance[at] + 1;
      open.push_back(next);
    }
  }
  return distance;
}

std::vector<DeviceId> hosts_of(const Topology& topology) {
  std::vector<DeviceId> hosts;
  for (DeviceId device = 0; device < topology.devices.size(); ++device) {
    const auto& d = topology.devices[device];
    if (d.kind == DeviceKind::host)
      hosts.push_back(device);
    else if (d.kind != DeviceKind::network_switch)
      throw InputError(
          fmt::format("the lab builds plain hosts and switches; '{}' is neither (nodes with GPUs have links that Linux "
                      "namespaces cannot be)",
                      d.name));
  }
  if (hosts.empty()) throw InputError("the lab needs a topology with hosts");
  return hosts;
}

// Union-find over the cables between bridges: a cable inside one tree closes a loop, in which a flooded frame would
// never die.
void break_loops(const Topology& topology, std::vector<DeviceRole>& role) {
  std::vector<DeviceId> parent(topology.devices.size());
  std::iota(parent.begin(), parent.end(), 0U);
  const auto root = [&](DeviceId d) {
    while (parent[d] != d) d = parent[d] = parent[parent[d]];
    return d;
  };
  std::vector<DeviceId> looped;
  for (LinkId link = 0; link < topology.links.size(); link += 2) {
    const DeviceId a = topology.links[link].from;
    const DeviceId b = topology.links[link].to;
    if (role[a] != DeviceRole::bridge || role[b] != DeviceRole::bridge) continue;
    if (root(a) == root(b)) looped.push_back(a);
    parent[root(a)] = root(b);
  }
  std::vector<bool> bad(topology.devices.size(), false);
  for (const DeviceId d : looped) bad[root(d)] = true;
  for (DeviceId d = 0; d < role.size(); ++d)
    if (role[d] == DeviceRole::bridge && bad[root(d)]) role[d] = DeviceRole::router;
}

}  // namespace

Forwarding plan_forwarding(const Topology& topology, const Routing& routing) {
  const auto hosts = hosts_of(topology);
  const std::size_t devices = topology.devices.size();
  Forwarding plan;
  plan.role.assign(devices, DeviceRole::host);
  plan.forwards.assign(devices, false);
  plan.by_destination.resize(devices);
  plan.by_pair.resize(devices);
  plan.bridge_entries.resize(devices);

  std::vector<DeviceId> switches;
  for (DeviceId d = 0; d < devices; ++d) {
    if (topology.devices[d].kind != DeviceKind::network_switch) continue;
    plan.role[d] = DeviceRole::bridge;
    switches.push_back(d);
  }
  std::vector<std::vector<std::uint32_t>> distance(devices);
  for (const DeviceId host : hosts) distance[host] = distances_from(topology, host);
  for (const DeviceId a : hosts) {
    for (const DeviceId b : hosts) {
      if (a == b || routing.path_count(a, b) <= 1) continue;
      for (const DeviceId s : switches)
        if (distance[a][s] + distance[b][s] == distance[a][b]) plan.role[s] = DeviceRole::router;
    }
  }
  break_loops(topology, plan.role);
  for (const DeviceId s : switches) plan.forwards[s] = plan.role[s] == DeviceRole::router;

  // Every pair's hops at every device; the destination's entry is the hop most sources share.
  std::vector<std::map<DeviceId, std::vector<std::pair<DeviceId, Hop>>>> hops(devices);
  for (const DeviceId a : hosts) {
    for (const DeviceId b : hosts) {
      if (a == b) continue;
      const auto route = routing.route(a, b);
      DeviceId at = a;
      LinkId out = no_id;
      std::vector<LinkId> bridged;  // links out of bridges since `at`
      for (const LinkId link : route) {
        if (out == no_id)
          out = link;
        else
          bridged.push_back(link);
        const DeviceId next = topology.links[link].to;
        if (plan.role[next] == DeviceRole::bridge) continue;
        hops[at][b].emplace_back(a, Hop{out, link});
        for (const LinkId leave : bridged) {
          const auto [entry, added] = plan.bridge_entries[topology.links[leave].from].emplace(link, leave);
          LOCKSTEP_CHECK(added || entry->second == leave, "a bridge has two ways to one interface");
        }
        if (next != b) plan.forwards[next] = true;
        at = next;
        out = no_id;
        bridged.clear();
      }
      LOCKSTEP_CHECK(at == b, "a route ends at the wrong device");
    }
  }
  for (DeviceId device = 0; device < devices; ++device) {
    for (const auto& [destination, sources] : hops[device]) {
      const auto votes = [&listed = sources](const Hop& hop) {
        return std::count_if(listed.begin(), listed.end(), [&](const auto& entry) { return entry.second == hop; });
      };
      const auto best = std::max_element(sources.begin(), sources.end(), [&](const auto& x, const auto& y) {
        return votes(x.second) < votes(y.second);
      });
      plan.by_destination[device][destination] = best->second;
      for (const auto& [source, hop] : sources)
        if (!(hop == best->second)) plan.by_pair[device][{source, destination}] = hop;
    }
  }
  return plan;
}

}  // namespace lockstep::real
