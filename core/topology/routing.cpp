#include "core/topology/routing.hpp"

#include <algorithm>
#include <limits>
#include <list>
#include <map>
#include <unordered_map>

#include "core/base/error.hpp"
#include "core/base/hash.hpp"
#include "core/topology/hub_graph.hpp"
#include "core/topology/pair_search.hpp"

namespace lockstep {
namespace {

constexpr std::uint32_t unreachable = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t path_count_limit = std::uint64_t{1} << 32;
// Distances kept at most; a distance is 4 bytes. At least a few tables are kept however large the graph.
constexpr std::size_t cached_distances = std::size_t{8} << 20;
constexpr std::size_t cached_tables_at_least = 8;

using Distances = std::vector<std::uint32_t>;  // by hub, or by device of a node

// Up to so many hubs, distances from all of them to a target are found in no time. In a larger network so many routes
// to a target are searched alone before all distances to it are worked out.
constexpr std::uint32_t small_network = 1024;
constexpr int single_searches_at_first = 16;

std::uint64_t saturated(std::uint64_t a, std::uint64_t b) {
  if (a != 0 && b > path_count_limit / a) return path_count_limit;
  return std::min(a * b, path_count_limit);
}

}  // namespace

// Distances are between hubs (core/topology/hub_graph.hpp), so hosts cost nothing. A route is a chain of *legs*, each a
// shortest path: one, unless it is staged in a CPU or crosses NVLink first.
struct Routing::Implementation {
  const Topology& topology;
  std::uint64_t seed;
  RoutingPolicy policy;
  HubGraph graph;
  std::unique_ptr<PairSearch> pairs;  // made when first needed
  std::vector<std::uint16_t> asked;   // by hub: how often it was the target of a single search
  int single_searches = 0;

  /// How far every hub is from one.
  struct Table {
    std::uint64_t key;
    std::uint8_t level;
    Distances distances;
  };
  std::list<Table> tables;  // most recently used first
  std::unordered_map<std::uint64_t, std::list<Table>::iterator> table_of;
  std::size_t table_limit = cached_tables_at_least;

  /// The NICs nearest to an endpoint: the switches they are cabled to, and the number of the first within its node.
  struct Rail {
    std::vector<DeviceId> switches;
    std::uint32_t nic = no_id;
  };
  std::unordered_map<DeviceId, Rail> rail_of;

  /// One shortest path, by its distances: inside a node (by device of it), or over hubs.
  struct Leg {
    DeviceId from = no_id;
    DeviceId to = no_id;
    NodeId node = no_id;  // of a leg inside a node
    std::uint8_t level = 0;
    std::uint32_t length = 0;
    Distances inside;              // of a leg inside a node
    const Table* table = nullptr;  // of the others, or
    ShortestPaths paths;           // searched alone; neither: a stub and its neighbour
  };

  Implementation(const Topology& of, const RoutingOptions& options)
      : topology(of), seed(options.seed), policy(options.policy.value_or(of.routing)), graph(of) {
    table_limit = std::max(cached_tables_at_least, cached_distances / std::max<std::size_t>(graph.size(), 1));
    single_searches = options.single_searches.value_or(graph.size() <= small_network ? 0 : single_searches_at_first);
  }

  bool is_stub(DeviceId device) const { return graph.is_stub(device); }
  DeviceId neighbour(DeviceId stub) const { return topology.links[topology.links_from(stub)[0]].to; }
  DeviceId anchor(DeviceId device) const { return is_stub(device) ? neighbour(device) : device; }
  NodeId node_of(DeviceId device) const { return topology.devices[device].node; }
  DeviceKind kind_of(DeviceId device) const { return topology.devices[device].kind; }

  /// Links from every hub to one; cables are duplex, so the search starts at the target.
  Distances search(std::uint32_t target, std::uint8_t most) const {
    Distances distances(graph.size(), unreachable);
    std::vector<std::uint32_t> queue{target};
    distances[target] = 0;
    for (std::size_t next = 0; next < queue.size(); ++next) {
      const std::uint32_t hub = queue[next];
      if (hub != target && graph.level(hub) > most) continue;
      for (const LinkId link : graph.links_from(hub)) {
        const std::uint32_t other = graph.target_of(link);
        if (distances[other] != unreachable) continue;
        distances[other] = distances[hub] + 1;
        queue.push_back(other);
      }
    }
    return distances;
  }

  static std::uint64_t table_key(std::uint32_t target, std::uint8_t most) {
    return std::uint64_t{target} * forwarding_levels + most;
  }

  const Table& cached(std::uint32_t target, std::uint8_t most) {
    const std::uint64_t key = table_key(target, most);
    if (!tables.empty() && tables.front().key == key) return tables.front();
    if (const auto found = table_of.find(key); found != table_of.end()) {
      tables.splice(tables.begin(), tables, found->second);
      return tables.front();
    }
    if (tables.size() >= table_limit) {
      table_of.erase(tables.back().key);
      tables.pop_back();
    }
    tables.push_front({key, most, search(target, most)});
    table_of[key] = tables.begin();
    return tables.front();
  }

  [[noreturn]] void no_path(DeviceId from, DeviceId to) const {
    throw InputError(fmt::format("{} cannot reach {}: no path of links joins them", topology.devices[from].name,
                                 topology.devices[to].name));
  }

  /// Whether the next route to a hub is searched alone: few have been asked for, and no distances are at hand.
  bool searched_alone(std::uint32_t target) {
    if (single_searches == 0) return false;
    for (std::uint8_t most = 0; most < forwarding_levels; ++most)
      if (table_of.contains(table_key(target, most))) return false;
    if (pairs == nullptr) {
      pairs = std::make_unique<PairSearch>(graph);
      asked.resize(graph.size(), 0);
    }
    if (asked[target] >= single_searches) return false;
    ++asked[target];
    return true;
  }

  /// Fills in the way from one device to another of another node, with as little forwarding as it takes.
  void find(Leg& leg) {
    const std::uint32_t source = graph.hub_of(anchor(leg.from));
    const std::uint32_t target = graph.hub_of(anchor(leg.to));
    // One of them may hang on a stub: two devices alone.
    if (source == no_id || target == no_id) no_path(leg.from, leg.to);
    const bool alone = searched_alone(target);
    for (leg.level = 0; leg.level < forwarding_levels; ++leg.level) {
      if (alone) {
        auto paths = pairs->between(source, target, leg.level);
        if (!paths) continue;
        leg.length = paths->length;
        leg.paths = std::move(*paths);
      } else {
        const Table& table = cached(target, leg.level);
        if (table.distances[source] == unreachable) continue;
        leg.length = table.distances[source];
        leg.table = &table;
      }
      leg.length += (is_stub(leg.from) ? 1 : 0) + (is_stub(leg.to) ? 1 : 0);
      return;
    }
    no_path(leg.from, leg.to);
  }

  /// Links from every device of a node to one of them, without leaving the node.
  Distances search_inside(NodeId node, DeviceId target, std::uint8_t most) const {
    const auto& devices = topology.nodes[node].devices;
    const DeviceId first = devices.front();
    LOCKSTEP_CHECK(devices.back() - first + 1 == devices.size(), "the devices of a node are not in a row");
    Distances distances(devices.size(), unreachable);
    std::vector<DeviceId> queue{target};
    distances[target - first] = 0;
    for (std::size_t next = 0; next < queue.size(); ++next) {
      const DeviceId device = queue[next];
      if (device != target && forwarding_level(kind_of(device)) > most) continue;
      for (const LinkId link : topology.links_from(device)) {
        const DeviceId other = topology.links[link].to;
        if (node_of(other) != node || distances[other - first] != unreachable) continue;
        distances[other - first] = distances[device - first] + 1;
        queue.push_back(other);
      }
    }
    return distances;
  }

  Leg leg(DeviceId from, DeviceId to) {
    Leg made;
    made.from = from;
    made.to = to;
    if (node_of(from) != no_id && node_of(from) == node_of(to)) {
      const NodeId node = node_of(from);
      for (std::uint8_t most = 0; most < forwarding_levels; ++most) {
        made.inside = search_inside(node, to, most);
        made.length = made.inside[from - topology.nodes[node].devices.front()];
        made.level = most;
        made.node = node;
        if (made.length != unreachable) return made;
      }
      made.node = no_id;
    }
    made.length = 1;
    if (adjacent_by_stub(from, to)) return made;
    find(made);
    return made;
  }

  bool is_gpu_link(LinkId link) const {
    return topology.links[link].kind == LinkKind::nvlink || topology.links[link].kind == LinkKind::xgmi;
  }
  /// GPUs that also share a PCIe switch, as near as their NVSwitch, do not use it.
  void keep_gpu_links(std::vector<LinkId>& next) const {
    if (std::none_of(next.begin(), next.end(), [this](LinkId link) { return is_gpu_link(link); })) return;
    next.erase(std::remove_if(next.begin(), next.end(), [this](LinkId link) { return !is_gpu_link(link); }),
               next.end());
  }

  /// The links by which a leg goes on at a device, `left` links from its end.
  void next_links(const Leg& leg, DeviceId at, std::uint32_t left, std::vector<LinkId>& next) const {
    next.clear();
    if (leg.node != no_id) {
      const DeviceId first = topology.nodes[leg.node].devices.front();
      for (const LinkId link : topology.links_from(at)) {
        const DeviceId to = topology.links[link].to;
        if (node_of(to) != leg.node || leg.inside[to - first] + 1 != left) continue;
        if (to == leg.to || forwarding_level(kind_of(to)) <= leg.level) next.push_back(link);
      }
      keep_gpu_links(next);
    } else if (at == leg.from && is_stub(at)) {
      for (const LinkId link : topology.links_from(at)) next.push_back(link);
    } else if (left == 1 && is_stub(leg.to)) {  // the other directions of the stub's own links
      for (const LinkId link : topology.links_from(leg.to)) next.push_back(link ^ 1U);
    } else if (leg.table == nullptr) {
      for (const auto& [hub, link] : leg.paths.from(graph.hub_of(at))) next.push_back(link);
    } else {
      const std::uint32_t hubs_left = left - (is_stub(leg.to) ? 1 : 0);
      for (const LinkId link : graph.links_from(graph.hub_of(at))) {
        const std::uint32_t hub = graph.target_of(link);
        const std::uint32_t distance = leg.table->distances[hub];
        if (distance + 1 == hubs_left && (distance == 0 || graph.level(hub) <= leg.level)) next.push_back(link);
      }
    }
    LOCKSTEP_CHECK(!next.empty(), "a route that ends at {}", topology.devices[at].name);
  }

  void check(DeviceId from, DeviceId to) const {
    LOCKSTEP_CHECK(from < topology.devices.size() && to < topology.devices.size(), "route from device {} to {} of {}",
                   from, to, topology.devices.size());
  }
  bool adjacent_by_stub(DeviceId from, DeviceId to) const {
    return (is_stub(from) && neighbour(from) == to) || (is_stub(to) && neighbour(to) == from);
  }

  /// The devices of a kind in the node of `device` that are nearest to it, and how far: through CPUs only where there
  /// is no way without.
  std::vector<DeviceId> nearest(DeviceId device, DeviceKind kind) const {
    const NodeId node = node_of(device);
    const DeviceId first = topology.nodes[node].devices.front();
    std::vector<DeviceId> found;
    for (std::uint8_t most = 0; most + 1 < forwarding_levels && found.empty(); ++most) {
      const Distances distances = search_inside(node, device, most);
      std::uint32_t least = unreachable;
      for (const DeviceId other : topology.nodes[node].devices) {
        const std::uint32_t distance = distances[other - first];
        if (kind_of(other) != kind || distance == unreachable || distance > least) continue;
        if (distance < least) found.clear();
        least = distance;
        found.push_back(other);
      }
    }
    return found;
  }

  const Rail& rail(DeviceId endpoint) {
    if (const auto found = rail_of.find(endpoint); found != rail_of.end()) return found->second;
    Rail made;
    if (const NodeId node = node_of(endpoint); node != no_id) {
      std::vector<DeviceId> ports{endpoint};
      if (kind_of(endpoint) != DeviceKind::host) ports = nearest(endpoint, DeviceKind::nic);
      for (const DeviceId port : ports)
        for (const LinkId link : topology.links_from(port))
          if (node_of(topology.links[link].to) == no_id) made.switches.push_back(topology.links[link].to);
      std::sort(made.switches.begin(), made.switches.end());
      made.switches.erase(std::unique(made.switches.begin(), made.switches.end()), made.switches.end());
      if (!ports.empty()) {
        made.nic = 0;
        for (const DeviceId device : topology.nodes[node].devices)
          made.nic += device < ports.front() && kind_of(device) == DeviceKind::nic ? 1 : 0;
      }
    }
    return rail_of.emplace(endpoint, std::move(made)).first->second;
  }

  static bool share(const std::vector<DeviceId>& a, const std::vector<DeviceId>& b) {
    return std::find_first_of(a.begin(), a.end(), b.begin(), b.end()) != a.end();
  }

  /// Whether one GPU reaches another over GPU links alone.
  bool by_nvlink(DeviceId from, DeviceId to) {
    const Leg way = leg(from, to);
    if (way.node == no_id || way.level > 0) return false;
    std::vector<LinkId> next;
    DeviceId at = from;
    for (std::uint32_t left = way.length; left > 0; --left) {
      next_links(way, at, left, next);
      if (!is_gpu_link(next[0])) return false;
      at = topology.links[next[0]].to;
    }
    return true;
  }

  /// The GPU of the source's node on the target's rail; the source itself if it is on it or there is none.
  DeviceId proxy(DeviceId from, DeviceId to) {
    const Rail& wanted = rail(to);
    const Rail& own = rail(from);
    if (wanted.switches.empty() || share(own.switches, wanted.switches)) return from;
    const auto& gpus = topology.nodes[node_of(from)].endpoints;
    for (const DeviceId gpu : gpus)
      if (share(rail(gpu).switches, wanted.switches) && by_nvlink(from, gpu)) return gpu;
    if (own.nic == wanted.nic) return from;
    for (const DeviceId gpu : gpus)
      if (rail(gpu).nic == wanted.nic && by_nvlink(from, gpu)) return gpu;
    return from;
  }

  /// Where the legs of a route begin and end.
  std::vector<DeviceId> stops(DeviceId from, DeviceId to) {
    check(from, to);
    if (from == to) return {from};
    const bool leaves = node_of(from) == no_id || node_of(from) != node_of(to);
    std::vector<DeviceId> made{from};
    const auto stage = [&](DeviceId gpu) {
      if (kind_of(gpu) != DeviceKind::gpu || topology.nodes[node_of(gpu)].gpudirect) return;
      if (const auto cpus = nearest(gpu, DeviceKind::cpu); !cpus.empty()) made.push_back(cpus.front());
    };
    if (leaves) {
      if (policy.pxn && kind_of(from) == DeviceKind::gpu && kind_of(to) == DeviceKind::gpu) {
        if (const DeviceId gpu = proxy(from, to); gpu != from) made.push_back(gpu);
      }
      stage(made.back());
      stage(to);
    }
    made.push_back(to);
    return made;
  }

  /// Calls each(leg) for the legs of a route; the next leg may overwrite the distances of the last.
  template <class Each>
  void for_legs(DeviceId from, DeviceId to, const Each& each) {
    const auto ends = stops(from, to);
    for (std::size_t i = 0; i + 1 < ends.size(); ++i) each(leg(ends[i], ends[i + 1]));
  }

  std::uint64_t flow_hash(DeviceId from, DeviceId to, std::uint64_t label) const {
    return mix64(seed ^ mix64(from ^ mix64(to ^ mix64(label))));
  }

  /// choose(leg, at, next, depth): which of the next links.
  template <class Choose>
  std::vector<LinkId> follow(DeviceId from, DeviceId to, const Choose& choose) {
    std::vector<LinkId> path, next;
    for_legs(from, to, [&](const Leg& leg) {
      path.reserve(path.size() + leg.length);
      DeviceId at = leg.from;
      for (std::uint32_t left = leg.length; left > 0; --left) {
        next_links(leg, at, left, next);
        path.push_back(next.size() == 1 ? next[0] : next[choose(leg, at, next, path.size())]);
        at = topology.links[path.back()].to;
      }
    });
    return path;
  }

  std::vector<LinkId> by_hash(DeviceId from, DeviceId to, std::uint64_t label) {
    const std::uint64_t flow = flow_hash(from, to, label);
    return follow(from, to, [&](const Leg&, DeviceId, const std::vector<LinkId>& next, std::size_t depth) {
      return static_cast<std::size_t>(mix64(flow ^ mix64(depth)) % next.size());
    });
  }

  std::vector<LinkId> by_destination(DeviceId from, DeviceId to, std::uint64_t label) {
    std::uint64_t rest = node_of(to) == no_id ? to : node_of(to);
    return follow(from, to, [&](const Leg& leg, DeviceId at, const std::vector<LinkId>& next, std::size_t) {
      std::uint64_t number = 0;
      if (node_of(at) != no_id) {
        number = leg.from + label;
      } else if (node_of(topology.links[next[0]].to) != no_id) {
        number = to + label;
      } else {
        number = rest;
        rest /= next.size();
      }
      return static_cast<std::size_t>(number % next.size());
    });
  }

  /// All paths of one leg, each appended to every path so far.
  void enumerate(const Leg& leg, std::vector<WeightedRoute>& paths) const {
    std::vector<WeightedRoute> longer;
    const std::function<void(DeviceId, std::uint32_t, WeightedRoute&)> extend = [&](DeviceId at, std::uint32_t left,
                                                                                    WeightedRoute& path) {
      if (left == 0) return longer.push_back(path);
      std::vector<LinkId> next;
      next_links(leg, at, left, next);
      const double share = path.share;
      path.share = share / static_cast<double>(next.size());
      for (const LinkId link : next) {
        path.links.push_back(link);
        extend(topology.links[link].to, left - 1, path);
        path.links.pop_back();
      }
      path.share = share;
    };
    for (WeightedRoute& path : paths) extend(leg.from, leg.length, path);
    paths = std::move(longer);
  }
};

Routing::Routing(const Topology& topology, RoutingOptions options)
    : implementation_(std::make_unique<Implementation>(topology, options)) {}
Routing::~Routing() = default;
Routing::Routing(Routing&&) noexcept = default;

RoutingPolicy Routing::policy() const { return implementation_->policy; }

std::vector<LinkId> Routing::route(DeviceId from, DeviceId to, std::uint64_t label) const {
  switch (implementation_->policy.mode) {
    case RoutingMode::shortest:
      return implementation_->follow(from, to, [](const auto&, DeviceId, const auto&, std::size_t) { return 0U; });
    case RoutingMode::static_rail:
      return implementation_->by_destination(from, to, label);
    case RoutingMode::ecmp:
    case RoutingMode::spray:
    case RoutingMode::adaptive:
      break;
  }
  return implementation_->by_hash(from, to, label);
}

std::vector<WeightedRoute> Routing::routes(DeviceId from, DeviceId to, std::uint64_t label, std::size_t most) const {
  Implementation& routing = *implementation_;
  LOCKSTEP_CHECK(most > 0, "at most no paths");
  if (from == to) return {};
  if (routing.policy.mode != RoutingMode::spray) return {{route(from, to, label), 1.0}};
  if (path_count(from, to) <= most) {
    std::vector<WeightedRoute> paths{{}};
    routing.for_legs(from, to, [&](const Implementation::Leg& leg) { routing.enumerate(leg, paths); });
    return paths;
  }
  std::map<std::vector<LinkId>, std::size_t> drawn;
  for (std::size_t i = 0; i < most; ++i) ++drawn[routing.by_hash(from, to, mix64(label) + i)];
  std::vector<WeightedRoute> paths;
  for (const auto& [links, times] : drawn)
    paths.push_back({links, static_cast<double>(times) / static_cast<double>(most)});
  return paths;
}

std::vector<LinkId> Routing::route_by_load(DeviceId from, DeviceId to, const LinkLoad& load,
                                           std::uint64_t label) const {
  const std::uint64_t flow = implementation_->flow_hash(from, to, label);
  std::vector<std::size_t> least;
  return implementation_->follow(from, to,
                                 [&](const auto&, DeviceId, const std::vector<LinkId>& next, std::size_t depth) {
                                   double lowest = std::numeric_limits<double>::infinity();
                                   for (std::size_t i = 0; i < next.size(); ++i) {
                                     const double here = load(next[i]);
                                     if (here > lowest) continue;
                                     if (here < lowest) least.clear();
                                     lowest = here;
                                     least.push_back(i);
                                   }
                                   LOCKSTEP_CHECK(!least.empty(), "loads that cannot be compared");
                                   return least[mix64(flow ^ mix64(depth)) % least.size()];
                                 });
}

int Routing::distance(DeviceId from, DeviceId to) const {
  int total = 0;
  implementation_->for_legs(from, to, [&](const auto& leg) { total += static_cast<int>(leg.length); });
  return total;
}

std::uint64_t Routing::path_count(DeviceId from, DeviceId to) const {
  Implementation& routing = *implementation_;
  std::uint64_t count = 1;
  std::vector<LinkId> next;
  routing.for_legs(from, to, [&](const Implementation::Leg& leg) {
    std::map<DeviceId, std::uint64_t> layer{{leg.from, 1}};
    for (std::uint32_t left = leg.length; left > 0; --left) {
      std::map<DeviceId, std::uint64_t> nearer;
      for (const auto& [device, paths] : layer) {
        routing.next_links(leg, device, left, next);
        for (const LinkId link : next) {
          std::uint64_t& there = nearer[routing.topology.links[link].to];
          there = std::min(there + paths, path_count_limit);
        }
      }
      layer = std::move(nearer);
    }
    count = saturated(count, layer.begin()->second);
  });
  return count;
}

std::vector<DeviceId> Routing::rails(DeviceId endpoint) const {
  implementation_->check(endpoint, endpoint);
  return implementation_->rail(endpoint).switches;
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
