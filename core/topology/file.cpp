#include "core/topology/file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "core/base/catalogue.hpp"

namespace lockstep {
namespace {

config::Type<NodeInFile> node_type() {
  std::vector<std::string> kinds = names_of(node_template_catalogue());
  kinds.insert(kinds.begin() + 1, "switch");  // after host
  return config::record<NodeInFile>("node", "A machine or a network switch.")
      .keep_position(&NodeInFile::position)
      .required("name", &NodeInFile::name, name_in_file(), "unique in the topology")
      .optional("kind", &NodeInFile::kind, config::name_of("kind of node", kinds),
                "host, switch or a node template (default: the file's node)")
      .optional("latency", &NodeInFile::latency, config::duration(), "of a switch itself (default 0s)")
      .rule([](const NodeInFile& entry, const config::Node& node, config::Diagnostics& diagnostics) {
        if (entry.latency && entry.kind != "switch")
          diagnostics.error(node.find("latency")->position,
                            "'latency' belongs to switches and links; '" + entry.name.text + "' is no switch");
      })
      .type();
}

config::Type<LinkInFile> link_type() {
  auto declaration = config::record<LinkInFile>("link", "A link between two devices.");
  declaration.required("between", &LinkInFile::between, two_names(),
                       "the two devices: hosts, switches, or parts of a node such as node0.nic0");
  return with_link_keys(declaration).type();
}

config::Type<RoutingPolicy> routing_type() {
  struct InFile {
    RoutingMode mode = RoutingMode::ecmp;
    std::optional<bool> pxn;
  };
  const auto inner =
      config::record<InFile>("routing", "How flows choose among equally short paths.")
          .optional("mode", &InFile::mode,
                    config::choice<RoutingMode>("routing mode", {{"ecmp", RoutingMode::ecmp},
                                                                 {"shortest", RoutingMode::shortest},
                                                                 {"spray", RoutingMode::spray},
                                                                 {"adaptive", RoutingMode::adaptive},
                                                                 {"static_rail", RoutingMode::static_rail}}),
                    "ecmp: a hash of the flow (default); shortest: the first; spray: every packet anew; adaptive: the "
                    "least loaded; static_rail: by destination")
          .optional(
              "pxn", &InFile::pxn, config::boolean(),
              "what goes to another rail first crosses NVLink to the GPU of that rail (default: with static_rail)")
          .type();
  return config::Type<RoutingPolicy>(
      [inner](const config::Node& node, config::Diagnostics& diagnostics) -> std::optional<RoutingPolicy> {
        const auto read = inner.read(node, diagnostics);
        if (!read) return std::nullopt;
        return RoutingPolicy{read->mode, read->pxn.value_or(read->mode == RoutingMode::static_rail)};
      },
      inner.schema());
}

config::Type<std::int64_t> cables() { return config::integer(1, 1'000'000); }

config::Type<FailureInFile> failure_type() {
  return config::record<FailureInFile>("failure", "What is out of order: cables between two devices, or a device.")
      .keep_position(&FailureInFile::position)
      .optional("between", &FailureInFile::between, two_names(), "the two devices whose cables have failed")
      .optional("cables", &FailureInFile::cables, cables(), "how many of several cables between them (default: all)")
      .optional("device", &FailureInFile::device, name_in_file(), "a switch or NIC, with all its cables")
      .rule([](const FailureInFile& failure, const config::Node& node, config::Diagnostics& diagnostics) {
        if (failure.between.empty() == !failure.device)
          diagnostics.error(node.position, "a failure has either 'between', two devices, or 'device'");
        else if (failure.device && failure.cables)
          diagnostics.error(node.find("cables")->position, "'cables' goes with 'between', not with 'device'");
      })
      .type();
}

config::Type<RateInFile> rate_type() {
  const auto share = config::fraction().positive();
  const auto rate = config::bandwidth().positive();
  return config::Type<RateInFile>(
      [share, rate](const config::Node& node, config::Diagnostics& diagnostics) -> std::optional<RateInFile> {
        if (node.kind == config::Node::Kind::scalar && !node.scalar.empty() && node.scalar.back() == '%') {
          const auto read = share.read(node, diagnostics);
          if (!read) return std::nullopt;
          return RateInFile{read, {}};
        }
        const auto read = rate.read(node, diagnostics);
        if (!read) return std::nullopt;
        return RateInFile{std::nullopt, *read};
      },
      config::Json{{"anyOf", {{{"type", "string"}, {"pattern", "%$"}}, rate.schema()}}});
}

config::Type<DegradationInFile> degradation_type() {
  return config::record<DegradationInFile>("degradation", "Cables that work, but worse than the file says elsewhere.")
      .keep_position(&DegradationInFile::position)
      .required("between", &DegradationInFile::between, two_names(), "the two devices that the cables join")
      .optional("cables", &DegradationInFile::cables, cables(),
                "how many of several cables between them (default: all)")
      .optional("bandwidth", &DegradationInFile::bandwidth, rate_type(), "instead: 50% of what it was, or a rate")
      .optional("latency", &DegradationInFile::latency, config::duration(), "instead of what it was")
      .optional("loss", &DegradationInFile::loss, config::fraction(), "instead of what it was")
      .rule([](const DegradationInFile& entry, const config::Node& node, config::Diagnostics& diagnostics) {
        if (!entry.bandwidth && !entry.latency && !entry.loss)
          diagnostics.error(node.position,
                            "a degradation changes 'bandwidth', 'latency' or 'loss'; this changes nothing");
      })
      .type();
}

}  // namespace

config::Type<TopologyFile> topology_file_type() {
  return config::record<TopologyFile>("topology", "The hardware: nodes, switches and the links between them.")
      .optional("name", &TopologyFile::name, name_text(), "of the topology (default: the file's name)")
      .optional("node", &TopologyFile::node, node_mix(),
                "what a machine looks like inside: a template's name, a description, or a list of kinds with counts "
                "(default host)")
      .optional("generate", &TopologyFile::generate, generate_type(), "a generator with its keys")
      .optional("nodes", &TopologyFile::nodes, config::list(node_type()), "machines and switches, one by one")
      .optional("links", &TopologyFile::links, config::list(link_type()), "links, one by one")
      .optional("placement", &TopologyFile::placement, config::list(name_in_file(), 1),
                "nodes in the order in which ranks fill them; nodes left out get no rank (default: all, in file order)")
      .optional("routing", &TopologyFile::routing, routing_type(), "how flows choose among equally short paths")
      .optional("switching", &TopologyFile::switching, switching_type(), "what switches do with packets")
      .optional("tcp", &TopologyFile::tcp, host_tcp_type(), "how the hosts' TCP is set")
      .optional("failed", &TopologyFile::failed, config::list(failure_type()),
                "cables and devices that are out of order; routes go around them")
      .optional("degraded", &TopologyFile::degraded, config::list(degradation_type()),
                "cables that are worse than they were")
      .optional("faults", &TopologyFile::faults, faults_type(), "disturbances of links, nodes and ranks")
      .type();
}

}  // namespace lockstep
