#include "core/topology/describe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/topology/max_flow.hpp"

namespace lockstep {
namespace {

constexpr int all_pairs_at_most = 512;
constexpr int sampled_sources = 64;

/// Whether every rank reaches every other without CPUs forwarding.
bool joined_without_cpus(const Topology& topology) {
  std::vector<bool> reached(topology.devices.size(), false);
  std::vector<DeviceId> queue{topology.endpoint(0)};
  reached[queue[0]] = true;
  for (std::size_t next = 0; next < queue.size(); ++next) {
    if (next > 0 && topology.devices[queue[next]].kind == DeviceKind::cpu) continue;
    for (const LinkId link : topology.links_from(queue[next])) {
      const DeviceId to = topology.links[link].to;
      if (!reached[to]) queue.push_back(to);
      reached[to] = true;
    }
  }
  for (int rank = 0; rank < topology.rank_capacity(); ++rank)
    if (!reached[topology.endpoint(rank)]) return false;
  return true;
}

/// The least cut between the first half of the ranks and the rest. Endpoints without a rank do not forward, so they are
/// left out; CPUs too where ranks hang together without them, since routes do not go through them then.
Bandwidth bisection(const Topology& topology) {
  const int ranks = topology.rank_capacity();
  const int half = ranks / 2;
  if (half == 0) return Bandwidth{};
  const auto source = static_cast<std::uint32_t>(topology.devices.size());
  const std::uint32_t sink = source + 1;
  MaximumFlow flow(sink + 1);
  std::vector<bool> ranked(topology.devices.size(), false);
  for (int rank = 0; rank < ranks; ++rank) {
    const DeviceId device = topology.endpoint(rank);
    ranked[device] = true;
    MaximumFlow::Capacity all = 0;
    for (const LinkId link : topology.links_from(device)) all += topology.links[link].bandwidth.bits_per_second();
    if (rank < half)
      flow.add_edge(source, device, all, 0);
    else
      flow.add_edge(device, sink, all, 0);
  }
  const bool without_cpus = joined_without_cpus(topology);
  const auto takes_part = [&](DeviceId device) -> bool {
    const DeviceKind kind = topology.devices[device].kind;
    if (kind == DeviceKind::cpu && without_cpus) return ranked[device];
    return ranked[device] || (kind != DeviceKind::host && kind != DeviceKind::gpu);
  };
  for (std::size_t link = 0; link < topology.links.size(); link += 2) {
    const Link& cable = topology.links[link];
    if (takes_part(cable.from) && takes_part(cable.to))
      flow.add_edge(cable.from, cable.to, cable.bandwidth.bits_per_second(),
                    topology.links[link + 1].bandwidth.bits_per_second());
  }
  const auto most = static_cast<MaximumFlow::Capacity>(std::numeric_limits<std::int64_t>::max());
  return Bandwidth::bits_per_second(static_cast<std::int64_t>(std::min(most, flow.solve(source, sink))));
}

void measure_diameter(const Topology& topology, TopologySummary& summary) {
  const Routing routing(topology);
  const int ranks = topology.rank_capacity();
  summary.diameter_sampled = ranks > all_pairs_at_most;
  const int sources = summary.diameter_sampled ? sampled_sources : ranks;
  int from = 0, to = 0;
  for (int i = 0; i < sources; ++i) {
    const int source = static_cast<int>(static_cast<std::int64_t>(i) * ranks / sources);
    for (int target = 0; target < ranks; ++target) {
      // Towards the source: the distances to one device are worked out once, and cables go both ways.
      const int distance = routing.distance(topology.endpoint(target), topology.endpoint(source));
      if (distance <= summary.diameter_links) continue;
      summary.diameter_links = distance;
      from = source;
      to = target;
    }
  }
  summary.diameter_latency = route_latency(topology, routing.route(topology.endpoint(from), topology.endpoint(to)));
}

std::string counted(std::size_t count, const char* one, const char* many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

nlohmann::ordered_json optional_bytes(const std::optional<Bytes>& bytes) {
  return bytes ? nlohmann::ordered_json(bytes->count()) : nlohmann::ordered_json(nullptr);
}

double Gbps(Bandwidth bandwidth) { return static_cast<double>(bandwidth.bits_per_second()) / 1e9; }

/// Cables of equal figures between devices of equal kinds, as one row of the table.
std::vector<std::vector<std::string>> cable_rows(const Topology& topology) {
  std::vector<std::vector<std::string>> kinds;
  std::map<std::vector<std::string>, std::size_t> count;
  for (std::size_t id = 0; id < topology.links.size(); id += 2) {
    const Link& link = topology.links[id];
    std::string ends[2] = {std::string(to_string(topology.devices[link.from].kind)),
                           std::string(to_string(topology.devices[link.to].kind))};
    std::string rate = format_bandwidth(link.bandwidth);
    if (topology.links[id + 1].resource == link.resource) rate += " shared";
    std::vector<std::string> key{ends[0] + " - " + ends[1], std::string(to_string(link.kind)), rate,
                                 format_duration(link.latency)};
    if (count[key]++ == 0) kinds.push_back(key);
  }
  std::vector<std::vector<std::string>> rows{{"cables", "between", "kind", "bandwidth", "latency"}};
  for (const auto& key : kinds) {
    rows.push_back({std::to_string(count[key])});
    rows.back().insert(rows.back().end(), key.begin(), key.end());
  }
  return rows;
}

}  // namespace

TopologySummary summarise(const Topology& topology) {
  TopologySummary summary;
  for (const Node& node : topology.nodes)
    summary.hosts += std::none_of(node.endpoints.begin(), node.endpoints.end(),
                                  [&](DeviceId device) { return topology.devices[device].kind == DeviceKind::gpu; });
  for (const Device& device : topology.devices) {
    summary.gpus += device.kind == DeviceKind::gpu;
    summary.nics += device.kind == DeviceKind::nic;
    summary.switches += device.kind == DeviceKind::network_switch;
  }
  summary.cables = topology.links.size() / 2;
  summary.ranks = topology.rank_capacity();
  if (summary.ranks > 0) measure_diameter(topology, summary);
  summary.bisection = bisection(topology);
  return summary;
}

std::string to_text(const Topology& topology, const TopologySummary& summary) {
  std::vector<std::string> parts;
  if (summary.hosts > 0) parts.push_back(counted(summary.hosts, "host", "hosts"));
  if (summary.gpus > 0)
    parts.push_back(counted(summary.gpus, "GPU", "GPUs") + " in " +
                    counted(topology.nodes.size() - summary.hosts, "node", "nodes"));
  if (summary.nics > 0) parts.push_back(counted(summary.nics, "NIC", "NICs"));
  parts.push_back(counted(summary.switches, "switch", "switches"));
  parts.push_back(counted(summary.cables, "cable", "cables"));
  std::string text = fmt::format("{}: {}\n", topology.name, join(parts, ", "));
  text += fmt::format("ranks      {}\n", summary.ranks);
  text +=
      fmt::format("diameter   {}, {}{}\n", counted(static_cast<std::size_t>(summary.diameter_links), "link", "links"),
                  format_duration(summary.diameter_latency),
                  summary.diameter_sampled ? fmt::format(" (from {} sampled ranks)", sampled_sources) : "");
  text += fmt::format("bisection  {} per direction, between ranks 0-{} and the others\n",
                      format_bandwidth(summary.bisection), std::max(summary.ranks / 2 - 1, 0));
  if (summary.ranks < 2) text.erase(text.find("bisection"));
  if (topology.routing != RoutingPolicy{})
    text += fmt::format("routing    {}{}\n", to_string(topology.routing.mode), topology.routing.pxn ? ", PXN" : "");
  for (const auto& failed : topology.failed) text += fmt::format("failed     {}\n", failed);
  for (const auto& degraded : topology.degraded) text += fmt::format("degraded   {}\n", degraded);
  return text + "\n" + format_table(cable_rows(topology));
}

std::string to_dot(const Topology& topology) {
  std::string text = fmt::format("graph \"{}\" {{\n  layout=neato; overlap=false;\n", topology.name);
  const auto shape = [](DeviceKind kind) {
    switch (kind) {
      case DeviceKind::network_switch:
        return "box";
      case DeviceKind::nvswitch:
      case DeviceKind::pcie_switch:
        return "diamond";
      case DeviceKind::nic:
        return "hexagon";
      case DeviceKind::cpu:
        return "octagon";
      case DeviceKind::host:
      case DeviceKind::gpu:
        break;
    }
    return "ellipse";
  };
  for (const Device& device : topology.devices)
    text += fmt::format("  \"{}\" [shape={}];\n", device.name, shape(device.kind));
  for (std::size_t id = 0; id < topology.links.size(); id += 2) {
    const Link& link = topology.links[id];
    text +=
        fmt::format("  \"{}\" -- \"{}\" [label=\"{} {}\"];\n", topology.devices[link.from].name,
                    topology.devices[link.to].name, format_bandwidth(link.bandwidth), format_duration(link.latency));
  }
  return text + "}\n";
}

nlohmann::ordered_json to_json(const Topology& topology, const TopologySummary& summary) {
  using Json = nlohmann::ordered_json;
  Json json = {{"schema", "lockstep.topology/1"},
               {"name", topology.name},
               {"file", topology.file},
               {"sha256", topology.sha256},
               {"ranks", summary.ranks}};
  json["summary"] = {{"hosts", summary.hosts},
                     {"gpus", summary.gpus},
                     {"nics", summary.nics},
                     {"switches", summary.switches},
                     {"cables", summary.cables},
                     {"diameter_links", summary.diameter_links},
                     {"diameter_latency_s", to_seconds(summary.diameter_latency)},
                     {"diameter_sampled", summary.diameter_sampled},
                     {"bisection_Gbps", Gbps(summary.bisection)}};
  json["routing"] = {{"mode", to_string(topology.routing.mode)}, {"pxn", topology.routing.pxn}};
  json["failed"] = topology.failed;
  json["degraded"] = topology.degraded;
  json["rank_devices"] = Json::array();
  for (int rank = 0; rank < summary.ranks; ++rank)
    json["rank_devices"].push_back(topology.devices[topology.endpoint(rank)].name);
  json["nodes"] = Json::array();
  for (const Node& node : topology.nodes) {
    Json devices = Json::array();
    for (const DeviceId device : node.devices) devices.push_back(topology.devices[device].name);
    json["nodes"].push_back({{"name", node.name}, {"kind", node.kind}, {"devices", devices}});
  }
  json["devices"] = Json::array();
  for (const Device& device : topology.devices) {
    json["devices"].push_back(
        {{"name", device.name}, {"kind", to_string(device.kind)}, {"latency_s", to_seconds(device.latency)}});
    if (device.kind == DeviceKind::gpu)
      json["devices"].back()["model"] = device.model.empty() ? Json(nullptr) : Json(device.model);
  }
  json["links"] = Json::array();
  for (std::size_t id = 0; id < topology.links.size(); id += 2) {
    const Link& link = topology.links[id];
    json["links"].push_back(
        {{"between", Json::array({topology.devices[link.from].name, topology.devices[link.to].name})},
         {"kind", to_string(link.kind)},
         {"bandwidth_Gbps", Gbps(link.bandwidth)},
         {"latency_s", to_seconds(link.latency)},
         {"burst_bytes", optional_bytes(link.burst)},
         {"queue_bytes", optional_bytes(link.queue)},
         {"mtu_bytes", link.mtu.count()},
         {"loss", link.loss},
         {"duplex", topology.links[id + 1].resource == link.resource ? "half" : "full"}});
  }
  return json;
}

std::string describe_route(const Topology& topology, const Routing& routing, int from_rank, int to_rank) {
  for (const int rank : {from_rank, to_rank}) {
    if (rank < 0 || rank >= topology.rank_capacity())
      throw InputError(
          fmt::format("no rank {}: {} has ranks 0 to {}", rank, topology.name, topology.rank_capacity() - 1));
  }
  const DeviceId from = topology.endpoint(from_rank);
  const DeviceId to = topology.endpoint(to_rank);
  const std::string head = fmt::format("rank {} ({}) -> rank {} ({}): ", from_rank, topology.devices[from].name,
                                       to_rank, topology.devices[to].name);
  const auto route = routing.route(from, to);
  if (route.empty()) return head + "the same device";
  std::string hops = topology.devices[from].name;
  for (const LinkId link : route) hops += " -> " + topology.devices[topology.links[link].to].name;
  const std::uint64_t paths = routing.path_count(from, to);
  return fmt::format("{}{}, {}, {}, {}{}", head, hops, counted(route.size(), "link", "links"),
                     format_duration(route_latency(topology, route)),
                     format_bandwidth(route_bandwidth(topology, route)),
                     paths > 1 ? fmt::format(", one of {} shortest paths", paths) : "");
}

}  // namespace lockstep
