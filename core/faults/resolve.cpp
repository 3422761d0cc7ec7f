#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/base/text.hpp"
#include "core/faults/changes.hpp"

namespace lockstep {
namespace {

class Resolver {
 public:
  Resolver(const Topology& topology, int ranks) : topology_(topology), ranks_(ranks) {
    for (const Node& node : topology.nodes) node_names_.push_back(node.name);
  }

  std::vector<ResolvedFault> resolve(const std::vector<Fault>& faults) {
    std::vector<ResolvedFault> resolved;
    for (const Fault& fault : faults) {
      auto targets = fault.link ? links(fault) : fault.node ? nodes(fault) : rank_targets(fault);
      resolved.push_back({fault, std::move(targets)});
    }
    diagnostics_.throw_if_errors();
    return resolved;
  }

 private:
  /// The node or device of that name is what a link ends at.
  [[nodiscard]] bool is_end(DeviceId device, const std::string& name) const {
    const Device& of = topology_.devices[device];
    return of.name == name || (of.node != no_id && topology_.nodes[of.node].name == name);
  }

  [[nodiscard]] std::string name_of(const Link& link) const {
    return topology_.devices[link.from].name + "-" + topology_.devices[link.to].name;
  }

  /// Cables, each as its first direction's id.
  std::vector<FaultTarget> links(const Fault& fault) {
    std::vector<FaultTarget> targets;
    if (*fault.link == "any") {
      for (LinkId id = 0; id + 1 < topology_.links.size(); id += 2)
        if (!topology_.inside_a_node(topology_.links[id]))
          targets.push_back({name_of(topology_.links[id]), {id, id + 1}, {}});
      if (targets.empty()) diagnostics_.error(fault.position, "'link: any': the topology has no link between machines");
      return targets;
    }
    FaultTarget target{*fault.link, {}, {}};
    // Names may hold dashes themselves: every dash may be the one between the two.
    const std::string& text = *fault.link;
    for (std::size_t dash = text.find('-'); dash != std::string::npos; dash = text.find('-', dash + 1)) {
      const std::string a = text.substr(0, dash);
      const std::string b = text.substr(dash + 1);
      for (LinkId id = 0; id + 1 < topology_.links.size(); id += 2) {
        const Link& link = topology_.links[id];
        if ((is_end(link.from, a) && is_end(link.to, b)) || (is_end(link.from, b) && is_end(link.to, a)))
          target.links.insert(target.links.end(), {id, id + 1});
      }
    }
    if (!target.links.empty()) return {std::move(target)};
    if (text.find('-') == std::string::npos)
      diagnostics_.error(fault.position, fmt::format("'{}' is no link; expected two devices or nodes, A-B", text));
    else
      diagnostics_.error(fault.position, fmt::format("no link '{}'{}", text, nearest_link(text)));
    return {};
  }

  [[nodiscard]] std::string nearest_link(const std::string& text) const {
    std::vector<std::string> names;
    for (LinkId id = 0; id + 1 < topology_.links.size(); id += 2) {
      names.push_back(name_of(topology_.links[id]));
      names.push_back(name_of(topology_.links[id + 1]));
    }
    const std::string nearest = nearest_name(text, names);
    return nearest.empty() ? std::string{} : "; did you mean '" + nearest + "'?";
  }

  std::vector<FaultTarget> nodes(const Fault& fault) {
    std::vector<FaultTarget> targets;
    for (NodeId id = 0; id < topology_.nodes.size(); ++id)
      if (*fault.node == "any" || topology_.nodes[id].name == *fault.node) targets.push_back(node_target(id));
    if (targets.empty()) diagnostics_.error(fault.position, unknown_name("node", *fault.node, node_names_));
    if (*fault.node != "any" && (fault.effects.slow || fault.effects.kill) && !targets.empty() &&
        targets.front().ranks.empty())
      diagnostics_.error(fault.position, fmt::format("node '{}' has none of the {} ranks: nothing there can be {}",
                                                     *fault.node, ranks_, fault.effects.kill ? "killed" : "slow"));
    return targets;
  }

  FaultTarget node_target(NodeId id) {
    FaultTarget target{topology_.nodes[id].name, {}, {}};
    for (LinkId link = 0; link < topology_.links.size(); ++link) {
      const NodeId from = topology_.devices[topology_.links[link].from].node;
      const NodeId to = topology_.devices[topology_.links[link].to].node;
      if (from != to && (from == id || to == id)) target.links.push_back(link);
    }
    for (int rank = 0; rank < ranks_; ++rank)
      if (topology_.node_of_rank(rank) == id) target.ranks.push_back(rank);
    return target;
  }

  std::vector<FaultTarget> rank_targets(const Fault& fault) {
    std::vector<FaultTarget> targets;
    for (int rank = 0; rank < ranks_; ++rank)
      if (*fault.rank == "any" || *fault.rank == std::to_string(rank))
        targets.push_back({fmt::format("rank {}", rank), {}, {rank}});
    if (targets.empty())
      diagnostics_.error(fault.position,
                         fmt::format("there is no rank {}: the run has ranks 0 to {}", *fault.rank, ranks_ - 1));
    return targets;
  }

  const Topology& topology_;
  int ranks_;
  std::vector<std::string> node_names_;
  config::Diagnostics diagnostics_;
};

}  // namespace

std::vector<ResolvedFault> resolve_faults(const std::vector<Fault>& faults, const Topology& topology, int ranks) {
  return Resolver(topology, ranks).resolve(faults);
}

}  // namespace lockstep
