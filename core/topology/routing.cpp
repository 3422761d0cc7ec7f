#include "core/topology/routing.hpp"

#include <algorithm>
#include <limits>
#include <list>
#include <map>
#include <unordered_map>

#include "core/base/error.hpp"
#include "core/base/hash.hpp"

namespace lockstep {
namespace {

constexpr std::uint32_t unreachable = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t path_count_limit = std::uint64_t{1} << 32;
// Distances kept at most; a distance is 4 bytes. At least a few tables are kept however large the graph.
constexpr std::size_t cached_distances = std::size_t{8} << 20;
constexpr std::size_t cached_tables_at_least = 8;

using Distances = std::vector<std::uint32_t>;  // by hub

}  // namespace

// A *stub* is a device with exactly one neighbour: every route to it ends in its neighbour's links. The others are
// *hubs*; distances are between hubs, so hosts cost nothing.
struct Routing::Implementation {
  const Topology& topology;
  std::uint64_t seed;
  std::vector<std::uint32_t> hub_of;  // by device; no_id for stubs
  std::vector<std::uint32_t> begin;   // by hub, into links
  std::vector<LinkId> links;          // from hub to hub
  std::vector<bool> forwards;         // by hub: hosts and GPUs do not

  /// How far every hub is from one.
  struct Table {
    std::uint64_t key;
    bool all_forward;  // hosts and GPUs too
    Distances distances;
  };
  std::list<Table> tables;  // most recently used first
  std::unordered_map<std::uint64_t, std::list<Table>::iterator> table_of;
  std::size_t table_limit = cached_tables_at_least;

  Implementation(const Topology& graph, std::uint64_t hash_seed) : topology(graph), seed(hash_seed) {
    hub_of.assign(topology.devices.size(), no_id);
    std::uint32_t hubs = 0;
    for (DeviceId device = 0; device < topology.devices.size(); ++device)
      if (!has_one_neighbour(device)) hub_of[device] = hubs++;
    begin.reserve(hubs + 1);
    begin.push_back(0);
    for (DeviceId device = 0; device < topology.devices.size(); ++device) {
      if (is_stub(device)) continue;
      for (const LinkId link : topology.links_from(device))
        if (!is_stub(topology.links[link].to)) links.push_back(link);
      begin.push_back(static_cast<std::uint32_t>(links.size()));
      const DeviceKind kind = topology.devices[device].kind;
      forwards.push_back(kind != DeviceKind::host && kind != DeviceKind::gpu);
    }
    table_limit = std::max(cached_tables_at_least, cached_distances / std::max<std::size_t>(hubs, 1));
  }

  bool has_one_neighbour(DeviceId device) const {
    const auto out = topology.links_from(device);
    return !out.empty() && std::all_of(out.begin(), out.end(), [&](LinkId link) {
      return topology.links[link].to == topology.links[out[0]].to;
    });
  }
  bool is_stub(DeviceId device) const { return hub_of[device] == no_id; }
  DeviceId neighbour(DeviceId stub) const { return topology.links[topology.links_from(stub)[0]].to; }
  DeviceId anchor(DeviceId device) const { return is_stub(device) ? neighbour(device) : device; }

  std::span<const LinkId> hub_links(std::uint32_t hub) const {
    return std::span<const LinkId>(links).subspan(begin[hub], begin[hub + 1] - begin[hub]);
  }

  /// Links from every hub to one; cables are duplex, so the search starts at the target.
  Distances search(std::uint32_t target, bool all_forward) const {
    Distances distances(forwards.size(), unreachable);
    std::vector<std::uint32_t> queue{target};
    distances[target] = 0;
    for (std::size_t next = 0; next < queue.size(); ++next) {
      const std::uint32_t hub = queue[next];
      if (!all_forward && hub != target && !forwards[hub]) continue;
      for (const LinkId link : hub_links(hub)) {
        const std::uint32_t other = hub_of[topology.links[link].to];
        if (distances[other] != unreachable) continue;
        distances[other] = distances[hub] + 1;
        queue.push_back(other);
      }
    }
    return distances;
  }

  const Table& cached(std::uint32_t target, bool all_forward) {
    const std::uint64_t key = std::uint64_t{target} * 2 + (all_forward ? 1 : 0);
    if (!tables.empty() && tables.front().key == key) return tables.front();
    if (const auto found = table_of.find(key); found != table_of.end()) {
      tables.splice(tables.begin(), tables, found->second);
      return tables.front();
    }
    if (tables.size() >= table_limit) {
      table_of.erase(tables.back().key);
      tables.pop_back();
    }
    tables.push_front({key, all_forward, search(target, all_forward)});
    table_of[key] = tables.begin();
    return tables.front();
  }

  [[noreturn]] void no_path(DeviceId from, DeviceId to) const {
    throw InputError(fmt::format("{} cannot reach {}: no path of links joins them", topology.devices[from].name,
                                 topology.devices[to].name));
  }

  /// Whether a route at `left` links from the target goes on over this link.
  bool goes_on(const Table& table, LinkId link, std::uint32_t left) const {
    const std::uint32_t next = hub_of[topology.links[link].to];
    const std::uint32_t distance = table.distances[next];
    return distance + 1 == left && (distance == 0 || table.all_forward || forwards[next]);
  }

  /// Distances towards the hub of `to`, by which `from` can go: through hosts and GPUs only where there is no other
  /// way.
  const Table& towards(DeviceId from, DeviceId to) {
    const std::uint32_t source = hub_of[anchor(from)];
    const std::uint32_t target = hub_of[anchor(to)];
    if (source == no_id || target == no_id) no_path(from, to);  // one of them hangs on a stub: two devices alone
    const Table& direct = cached(target, false);
    if (direct.distances[source] != unreachable) return direct;
    const Table& any = cached(target, true);
    if (any.distances[source] == unreachable) no_path(from, to);
    return any;
  }

  void check(DeviceId from, DeviceId to) const {
    LOCKSTEP_CHECK(from < hub_of.size() && to < hub_of.size(), "route from device {} to {} of {}", from, to,
                   hub_of.size());
  }
  bool adjacent_by_stub(DeviceId from, DeviceId to) const {
    return (is_stub(from) && neighbour(from) == to) || (is_stub(to) && neighbour(to) == from);
  }
};

Routing::Routing(const Topology& topology, RoutingOptions options)
    : implementation_(std::make_unique<Implementation>(topology, options.seed)) {}
Routing::~Routing() = default;
Routing::Routing(Routing&&) noexcept = default;

std::vector<LinkId> Routing::route(DeviceId from, DeviceId to, std::uint64_t label) const {
  Implementation& routing = *implementation_;
  const Topology& topology = routing.topology;
  routing.check(from, to);
  if (from == to) return {};
  const std::uint64_t flow = mix64(routing.seed ^ mix64(from ^ mix64(to ^ mix64(label))));
  std::vector<LinkId> path;
  const auto choose = [&](std::size_t count) {
    return count == 1 ? 0 : static_cast<std::size_t>(mix64(flow ^ mix64(path.size())) % count);
  };
  const auto leave_stub = [&](DeviceId stub) {
    const auto out = topology.links_from(stub);
    path.push_back(out[choose(out.size())]);
  };
  const auto enter_stub = [&](DeviceId stub) {  // the other directions of the stub's own links
    const auto out = topology.links_from(stub);
    path.push_back(out[choose(out.size())] ^ 1U);
  };

  if (routing.adjacent_by_stub(from, to)) {
    if (routing.is_stub(from))
      leave_stub(from);
    else
      enter_stub(to);
    return path;
  }
  const auto& table = routing.towards(from, to);
  std::uint32_t hub = routing.hub_of[routing.anchor(from)];
  path.reserve(table.distances[hub] + 2);
  if (routing.is_stub(from)) leave_stub(from);
  for (std::uint32_t left = table.distances[hub]; left > 0; --left) {
    const auto nearer = [&](LinkId link) { return routing.goes_on(table, link, left); };
    const auto out = routing.hub_links(hub);
    std::size_t skip = choose(static_cast<std::size_t>(std::count_if(out.begin(), out.end(), nearer)));
    const auto chosen = std::find_if(out.begin(), out.end(), [&](LinkId link) { return nearer(link) && skip-- == 0; });
    LOCKSTEP_CHECK(chosen != out.end(), "a hub without a nearer neighbour");
    path.push_back(*chosen);
    hub = routing.hub_of[topology.links[*chosen].to];
  }
  if (routing.is_stub(to)) enter_stub(to);
  return path;
}

int Routing::distance(DeviceId from, DeviceId to) const {
  Implementation& routing = *implementation_;
  routing.check(from, to);
  if (from == to) return 0;
  if (routing.adjacent_by_stub(from, to)) return 1;
  const auto& table = routing.towards(from, to);
  return static_cast<int>(table.distances[routing.hub_of[routing.anchor(from)]]) + (routing.is_stub(from) ? 1 : 0) +
         (routing.is_stub(to) ? 1 : 0);
}

std::uint64_t Routing::path_count(DeviceId from, DeviceId to) const {
  Implementation& routing = *implementation_;
  const Topology& topology = routing.topology;
  routing.check(from, to);
  if (from == to) return 1;
  if (routing.adjacent_by_stub(from, to)) return topology.links_from(routing.is_stub(from) ? from : to).size();
  const auto& table = routing.towards(from, to);
  const std::uint32_t source = routing.hub_of[routing.anchor(from)];
  const auto saturated = [](std::uint64_t count) { return std::min(count, path_count_limit); };
  std::map<std::uint32_t, std::uint64_t> layer{{source, routing.is_stub(from) ? topology.links_from(from).size() : 1}};
  for (std::uint32_t left = table.distances[source]; left > 0; --left) {
    std::map<std::uint32_t, std::uint64_t> nearer;
    for (const auto& [hub, count] : layer) {
      for (const LinkId link : routing.hub_links(hub)) {
        if (!routing.goes_on(table, link, left)) continue;
        std::uint64_t& paths = nearer[routing.hub_of[topology.links[link].to]];
        paths = saturated(paths + count);
      }
    }
    layer = std::move(nearer);
  }
  const std::uint64_t count = layer.begin()->second;
  return routing.is_stub(to) ? saturated(count * topology.links_from(to).size()) : count;
}

Duration route_latency(const Topology& topology, std::span<const LinkId> route) {
  Duration total{0};
  for (std::size_t i = 0; i < route.size(); ++i) {
    const Link& link = topology.links[route[i]];
    total += link.latency;
    if (i + 1 < route.size()) total += topology.devices[link.to].latency;
  }
  return total;
}

std::int64_t route_switches(const Topology& topology, std::span<const LinkId> route) {
  std::int64_t switches = 0;
  for (std::size_t i = 0; i + 1 < route.size(); ++i)
    switches += topology.devices[topology.links[route[i]].to].kind == DeviceKind::network_switch ? 1 : 0;
  return switches;
}

Bandwidth route_bandwidth(const Topology& topology, std::span<const LinkId> route) {
  LOCKSTEP_CHECK(!route.empty(), "the bandwidth of a route without links");
  Bandwidth least = topology.links[route[0]].bandwidth;
  for (const LinkId link : route) least = std::min(least, topology.links[link].bandwidth);
  return least;
}

}  // namespace lockstep
