#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <unordered_map>

#include "core/base/catalogue.hpp"
#include "core/base/error.hpp"
#include "core/base/hash.hpp"
#include "core/base/text.hpp"
#include "core/topology/builder.hpp"
#include "core/topology/file.hpp"
#include "core/topology/topology.hpp"

namespace lockstep {
namespace {

/// Names of devices and nodes while the explicit lists are read.
class NameIndex {
 public:
  struct Entry {
    std::vector<DeviceId> ports;  ///< where a link to this name may go
    NodeId node = no_id;          ///< if the name is a node's
    config::Position position;    ///< line 0: made by the generator
  };

  explicit NameIndex(const Topology& topology) : topology_(topology) {}

  /// Takes in the nodes and devices added since the last call.
  void update(const config::Position& position, const std::vector<DeviceId>& ports_of_new_node = {}) {
    for (; nodes_ < topology_.nodes.size(); ++nodes_) {
      const Node& node = topology_.nodes[nodes_];
      Entry entry{ports_of_new_node, static_cast<NodeId>(nodes_), position};
      if (entry.ports.empty()) {
        for (const DeviceId device : node.devices) {
          const DeviceKind kind = topology_.devices[device].kind;
          if (kind == DeviceKind::nic || kind == DeviceKind::host) entry.ports.push_back(device);
        }
      }
      entries_.emplace(node.name, std::move(entry));
    }
    for (; devices_ < topology_.devices.size(); ++devices_)
      entries_.try_emplace(topology_.devices[devices_].name, Entry{{static_cast<DeviceId>(devices_)}, no_id, position});
  }

  [[nodiscard]] const Entry* find(const std::string& name) const {
    const auto found = entries_.find(name);
    return found == entries_.end() ? nullptr : &found->second;
  }

  /// The nearest name, out of all devices or of the nodes alone.
  [[nodiscard]] std::string did_you_mean(const std::string& name, bool nodes_only) const {
    std::vector<std::string> candidates;
    for (const Node& node : topology_.nodes) candidates.push_back(node.name);
    if (!nodes_only)
      for (const Device& device : topology_.devices) candidates.push_back(device.name);
    const std::string nearest = nearest_name(name, candidates);
    return nearest.empty() ? "" : "; did you mean '" + nearest + "'?";
  }

 private:
  const Topology& topology_;
  std::unordered_map<std::string, Entry> entries_;
  std::size_t nodes_ = 0;
  std::size_t devices_ = 0;
};

class ExplicitLists {
 public:
  ExplicitLists(const TopologyFile& file, Topology& topology, TopologyBuilder& builder)
      : file_(file), topology_(topology), builder_(builder), names_(topology) {}

  void build() {
    if (file_.nodes.empty() && file_.links.empty() && file_.placement.empty() && file_.failed.empty() &&
        file_.degraded.empty())
      return;
    names_.update({});
    for (const auto& node : file_.nodes) add(node);
    for (const auto& link : file_.links) add(link);
    place();
    for (const auto& entry : file_.degraded) degrade(entry);
    fail();
  }

 private:
  void add(const NodeInFile& entry) {
    const std::string& name = entry.name.text;
    const bool is_switch = entry.kind == "switch";
    const NodeTemplate* given =
        entry.kind && !is_switch ? find_in(node_template_catalogue(), *entry.kind) : builder_.only_node();
    if (given == nullptr && !is_switch)
      return builder_.error(entry.position, "'" + name + "' needs a 'kind': the file's 'node' is a list of kinds");
    const NodeTemplate node = given != nullptr ? *given : plain_host();
    // Every device of the node begins with its name: looking up "a.gpu0" covers an earlier node "a.gpu0" as well.
    if (const auto* first = names_.find(name)) {
      const std::string where =
          first->position.line > 0 ? "the first is at " + first->position.text() : "the generator made the first";
      return builder_.error(entry.name.position, "two nodes are named '" + name + "'; " + where);
    }
    if (!builder_.reserve(0, is_switch ? 1 : node.devices, 0, entry.position)) return;
    if (is_switch) {
      builder_.add_switch(name, entry.latency.value_or(Duration{0}));
      return names_.update(entry.name.position);
    }
    const auto first_device = topology_.devices.size();
    const auto ports = node.build(topology_, name);
    for (std::size_t device = first_device; device < topology_.devices.size(); ++device) {
      const std::string& part = topology_.devices[device].name;
      if (names_.find(part) != nullptr)
        builder_.error(entry.name.position,
                       fmt::format("the node '{}' has a part '{}', a name that is taken", name, part));
    }
    names_.update(entry.name.position, ports);
  }

  void add(const LinkInFile& link) {
    const DeviceId a = end(link.between[0]);
    const DeviceId b = end(link.between[1]);
    if (a == no_id || b == no_id) return;
    if (a == b) {
      return builder_.error(link.between[1].position,
                            "a link joins two different devices; both ends are '" + topology_.devices[a].name + "'");
    }
    builder_.connect(a, b, link);
  }

  DeviceId end(const NameInFile& name) {
    const auto* entry = names_.find(name.text);
    if (entry == nullptr) {
      builder_.error(name.position, "a link to nowhere: no node or device '" + name.text + "'" +
                                        names_.did_you_mean(name.text, false));
      return no_id;
    }
    if (entry->ports.size() == 1) return entry->ports[0];
    if (entry->ports.empty()) {
      builder_.error(name.position, "'" + name.text + "' has no NIC for a link to go to");
    } else {
      builder_.error(name.position,
                     fmt::format("'{}' has {} NICs; name the one that the link goes to, such as '{}'", name.text,
                                 entry->ports.size(), topology_.devices[entry->ports[0]].name));
    }
    return no_id;
  }

  void place() {
    std::unordered_map<std::string, config::Position> seen;
    for (const auto& name : file_.placement) {
      const auto* entry = names_.find(name.text);
      if (entry == nullptr) {
        builder_.error(name.position,
                       "placement on an unknown node '" + name.text + "'" + names_.did_you_mean(name.text, true));
      } else if (entry->node == no_id) {
        builder_.error(name.position, "'" + name.text + "' is not a machine; ranks are placed on nodes");
      } else if (const auto [first, fresh] = seen.emplace(name.text, name.position); !fresh) {
        builder_.error(name.position, "'" + name.text + "' is placed twice; first at " + first->second.text());
      } else {
        topology_.placement.push_back(name.text);
      }
    }
  }

  /// The first `wanted` cables between two devices (all if not said), by cable; empty, with an error, if there are not
  /// so many.
  std::vector<std::size_t> cables_between(const std::vector<NameInFile>& between,
                                          const std::optional<std::int64_t>& wanted) {
    const DeviceId a = end(between[0]);
    const DeviceId b = end(between[1]);
    if (a == no_id || b == no_id) return {};
    std::vector<std::size_t> found;
    for (std::size_t id = 0; id < topology_.links.size(); id += 2) {
      const Link& link = topology_.links[id];
      if ((link.from == a && link.to == b) || (link.from == b && link.to == a)) found.push_back(id / 2);
    }
    const std::string pair = fmt::format("'{}' and '{}'", between[0].text, between[1].text);
    if (found.empty()) {
      builder_.error(between[0].position, "no cable joins " + pair);
    } else if (wanted && static_cast<std::size_t>(*wanted) > found.size()) {
      builder_.error(between[0].position,
                     fmt::format("{} cable{} {} {}, not {}", found.size(), found.size() == 1 ? "" : "s",
                                 found.size() == 1 ? "joins" : "join", pair, *wanted));
      return {};
    } else if (wanted) {
      found.resize(static_cast<std::size_t>(*wanted));
    }
    return found;
  }

  static std::string what(const std::vector<NameInFile>& between, const std::optional<std::int64_t>& cables) {
    return (cables ? fmt::format("{} of ", *cables) : "") + between[0].text + " - " + between[1].text;
  }

  void degrade(const DegradationInFile& entry) {
    std::vector<std::string> changes;
    for (const std::size_t cable : cables_between(entry.between, entry.cables)) {
      changes.clear();
      for (const std::size_t id : {2 * cable, 2 * cable + 1}) {
        Link& link = topology_.links[id];
        if (entry.bandwidth) {
          // Rounded to a bit per second, at least one.
          const double bits =
              static_cast<double>(link.bandwidth.bits_per_second()) * entry.bandwidth->share.value_or(1);
          link.bandwidth =
              entry.bandwidth->share
                  ? Bandwidth::bits_per_second(std::max<std::int64_t>(1, static_cast<std::int64_t>(bits + 0.5)))
                  : entry.bandwidth->rate;
        }
        if (entry.latency) link.latency = *entry.latency;
        if (entry.loss) link.loss = *entry.loss;
      }
      const Link& link = topology_.links[2 * cable];
      if (entry.bandwidth) changes.push_back(format_bandwidth(link.bandwidth));
      if (entry.latency) changes.push_back(format_duration(link.latency));
      if (entry.loss) changes.push_back(fmt::format("loss {}", link.loss));
    }
    if (!changes.empty()) topology_.degraded.push_back(what(entry.between, entry.cables) + ": " + join(changes, ", "));
  }

  void fail() {
    std::vector<bool> gone(topology_.links.size() / 2, false);
    for (const auto& failure : file_.failed) {
      if (!failure.device) {
        for (const std::size_t cable : cables_between(failure.between, failure.cables)) gone[cable] = true;
        topology_.failed.push_back(what(failure.between, failure.cables));
        continue;
      }
      const auto* entry = names_.find(failure.device->text);
      if (entry == nullptr) {
        builder_.error(failure.device->position, "no node or device '" + failure.device->text + "' to fail" +
                                                     names_.did_you_mean(failure.device->text, false));
        continue;
      }
      if (entry->node != no_id) {
        builder_.error(failure.device->position,
                       "'" + failure.device->text +
                           "' is a machine with ranks; a switch or a part of a node can fail, "
                           "and 'placement' leaves machines out");
        continue;
      }
      for (std::size_t id = 0; id < topology_.links.size(); id += 2)
        if (topology_.links[id].from == entry->ports[0] || topology_.links[id].to == entry->ports[0])
          gone[id / 2] = true;
      topology_.failed.push_back(failure.device->text);
    }
    if (!file_.failed.empty()) topology_.remove_cables(gone);
  }

  const TopologyFile& file_;
  Topology& topology_;
  TopologyBuilder& builder_;
  NameIndex names_;
};

/// Ranks that no path joins: the first rank that rank 0 cannot reach.
void check_connected(const Topology& topology, const config::Position& position, config::Diagnostics& diagnostics) {
  std::vector<bool> reached(topology.devices.size(), false);
  std::vector<DeviceId> queue{topology.endpoint(0)};
  reached[queue[0]] = true;
  for (std::size_t next = 0; next < queue.size(); ++next) {
    for (const LinkId link : topology.links_from(queue[next])) {
      const DeviceId to = topology.links[link].to;
      if (reached[to]) continue;
      reached[to] = true;
      queue.push_back(to);
    }
  }
  for (int rank = 1; rank < topology.rank_capacity(); ++rank) {
    const DeviceId device = topology.endpoint(rank);
    if (reached[device]) continue;
    return diagnostics.error(
        position, fmt::format("rank 0 ({}) and rank {} ({}) are not connected: no path of links joins them",
                              topology.devices[topology.endpoint(0)].name, rank, topology.devices[device].name));
  }
}

}  // namespace

std::string_view to_string(DeviceKind kind) {
  switch (kind) {
    case DeviceKind::host:
      return "host";
    case DeviceKind::gpu:
      return "gpu";
    case DeviceKind::nic:
      return "nic";
    case DeviceKind::network_switch:
      return "switch";
    case DeviceKind::nvswitch:
      return "nvswitch";
    case DeviceKind::pcie_switch:
      return "pcie_switch";
    case DeviceKind::cpu:
      return "cpu";
  }
  return "";
}

std::string_view to_string(LinkKind kind) {
  switch (kind) {
    case LinkKind::ethernet:
      return "ethernet";
    case LinkKind::infiniband:
      return "infiniband";
    case LinkKind::roce:
      return "roce";
    case LinkKind::efa:
      return "efa";
    case LinkKind::slingshot:
      return "slingshot";
    case LinkKind::nvlink:
      return "nvlink";
    case LinkKind::pcie:
      return "pcie";
    case LinkKind::xgmi:
      return "xgmi";
    case LinkKind::socket:
      return "socket";
  }
  return "";
}

std::string_view to_string(RoutingMode mode) {
  switch (mode) {
    case RoutingMode::ecmp:
      return "ecmp";
    case RoutingMode::shortest:
      return "shortest";
    case RoutingMode::spray:
      return "spray";
    case RoutingMode::adaptive:
      return "adaptive";
    case RoutingMode::static_rail:
      return "static_rail";
  }
  return "";
}

nlohmann::ordered_json topology_schema() {
  nlohmann::ordered_json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                                   {"$id", "lockstep.topology/1"}};
  schema.update(topology_file_type().schema());
  schema["title"] = "Lockstep topology";
  return schema;
}

namespace {

// The first few, for a message.
std::vector<std::string> names_of_switches(const Topology& topology) {
  constexpr std::size_t few = 8;
  std::vector<std::string> names;
  for (const Device& device : topology.devices)
    if (device.kind == DeviceKind::network_switch) names.push_back(names.size() < few ? device.name : "...");
  names.resize(std::min(names.size(), few + 1));
  return names;
}

}  // namespace

Topology read_topology(const config::Node& root, const std::string& file) {
  config::Diagnostics diagnostics;
  static const auto type = topology_file_type();  // its schemas make it slow to build
  const auto read = type.read(root, diagnostics);
  diagnostics.throw_if_errors();
  LOCKSTEP_CHECK(read.has_value(), "a topology that is neither read nor wrong");

  Topology topology;
  topology.name = read->name.value_or(std::filesystem::path(file).stem().string());
  topology.file = file;
  topology.sha256 = sha256(config::canonical_text(root));
  topology.routing = read->routing;
  topology.switching = read->switching;
  topology.tcp = read->tcp;
  topology.given = config::given_keys(root);
  topology.faults = read->faults;
  TopologyBuilder builder(topology, read->node, diagnostics);
  if (read->generate) {
    read->generate(builder);
  } else if (read->node.kinds.front().count) {
    diagnostics.error(read->node.position,
                      "'node' counts kinds of nodes for a generator, and the file has no 'generate'");
  }
  // What the lists refer to may be what the generator could not make: one error is enough.
  diagnostics.throw_if_errors();
  ExplicitLists(*read, topology, builder).build();
  if (!diagnostics.has_errors() && topology.nodes.empty()) {
    diagnostics.error(root.position, "an empty topology: no rank has a place; add 'generate:' or 'nodes:' with a host");
  }
  diagnostics.throw_if_errors();
  topology.finish();
  check_connected(topology, root.position, diagnostics);
  for (const NameInFile& name : topology.switching.packets)
    if (const DeviceId device = topology.find_device(name.text);
        device == no_id || topology.devices[device].kind != DeviceKind::network_switch)
      diagnostics.error(name.position, fmt::format("'{}' is no switch of the network: {}", name.text,
                                                   join(names_of_switches(topology), ", ")));
  diagnostics.throw_if_errors();
  return topology;
}

Topology load_topology(const std::string& path) { return read_topology(config::load_file(path), path); }

}  // namespace lockstep
