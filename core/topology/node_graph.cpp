#include "core/topology/node_graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "core/base/catalogue.hpp"
#include "core/topology/gpu_model.hpp"
#include "core/topology/name_in_file.hpp"

namespace lockstep {
namespace {

std::vector<DeviceId> build_graph(const NodeGraph& graph, const std::string& kind, Topology& topology,
                                  const std::string& name) {
  const auto id = static_cast<NodeId>(topology.nodes.size());
  Node node{name, {}, {}, kind, graph.gpudirect};
  std::vector<DeviceId> ports;
  for (const NodePart& part : graph.parts) {
    const DeviceId device = topology.add_device({name + "." + part.name, part.kind, id, Duration{0}, part.model});
    node.devices.push_back(device);
    if (part.rank) node.endpoints.push_back(device);
    if (part.kind == DeviceKind::nic) ports.push_back(device);
  }
  for (const NodeLink& link : graph.links)
    topology.add_duplex(link.link(node.devices[link.a], node.devices[link.b]), link.half_duplex);
  topology.nodes.push_back(std::move(node));
  return ports;
}

struct PartInFile {
  NameInFile name;
  DeviceKind kind = DeviceKind::cpu;
  std::string model;
  std::optional<bool> rank;
};

struct PartLinkInFile : LinkSpec {
  std::vector<NameInFile> between;
};

struct GraphInFile {
  std::vector<PartInFile> parts;
  std::vector<PartLinkInFile> links;
  bool gpudirect = true;
};

config::Type<PartInFile> part_type() {
  return config::record<PartInFile>("part", "A part of a node.")
      .required("name", &PartInFile::name, name_in_file(), "within the node")
      .required("kind", &PartInFile::kind,
                config::choice<DeviceKind>("kind of part", {{"cpu", DeviceKind::cpu},
                                                            {"gpu", DeviceKind::gpu},
                                                            {"nic", DeviceKind::nic},
                                                            {"nvswitch", DeviceKind::nvswitch},
                                                            {"pcie_switch", DeviceKind::pcie_switch}}),
                "cpu (a socket with its memory), gpu, nic (a port of the node), nvswitch or pcie_switch")
      .optional("model", &PartInFile::model, config::name_of("GPU", names_of(gpu_models())),
                "of a GPU, for models of performance (default: not said)")
      .optional("rank", &PartInFile::rank, config::boolean(),
                "a rank sits here (default: on every GPU; without GPUs on the first CPU)")
      .rule([](const PartInFile& part, const config::Node& node, config::Diagnostics& diagnostics) {
        if (!part.model.empty() && part.kind != DeviceKind::gpu)
          diagnostics.error(node.find("model")->position, "'model' belongs to GPUs; '" + part.name.text + "' is a " +
                                                              std::string(to_string(part.kind)));
        if (part.rank == true && part.kind != DeviceKind::gpu && part.kind != DeviceKind::cpu)
          diagnostics.error(node.find("rank")->position, "a rank sits on a GPU or a CPU; '" + part.name.text +
                                                             "' is a " + std::string(to_string(part.kind)));
      })
      .type();
}

config::Type<PartLinkInFile> part_link_type() {
  auto declaration = config::record<PartLinkInFile>("link", "A link between two parts of the node.");
  declaration.required("between", &PartLinkInFile::between, two_names(), "the two parts");
  return with_link_keys(declaration).type();
}

config::Type<GraphInFile> graph_in_file() {
  return config::record<GraphInFile>("node", "A node part by part; its NICs are what links of the network go to.")
      .required("parts", &GraphInFile::parts, config::list(part_type(), 1), "CPUs, GPUs, NICs and the switches between")
      .optional("links", &GraphInFile::links, config::list(part_link_type()), "links between parts")
      .optional("gpudirect", &GraphInFile::gpudirect, config::boolean(),
                "NICs read and write the memory of GPUs (default true); false: through the memory of the nearest CPU")
      .type();
}

std::optional<NodeGraph> to_graph(const GraphInFile& file, const config::Position& position,
                                  config::Diagnostics& diagnostics) {
  NodeGraph graph;
  graph.gpudirect = file.gpudirect;
  bool good = true;
  const auto wrong = [&](const config::Position& where, const std::string& message) {
    diagnostics.error(where, message);
    good = false;
  };
  const auto of_kind = [&](DeviceKind kind) {
    return std::find_if(file.parts.begin(), file.parts.end(), [&](const auto& part) { return part.kind == kind; });
  };
  const bool gpus = of_kind(DeviceKind::gpu) != file.parts.end();
  const bool said =
      std::any_of(file.parts.begin(), file.parts.end(), [](const auto& part) { return part.rank == true; });
  std::vector<std::string> names;
  for (auto part = file.parts.begin(); part != file.parts.end(); ++part) {
    if (std::find(names.begin(), names.end(), part->name.text) != names.end())
      wrong(part->name.position, "two parts are named '" + part->name.text + "'");
    names.push_back(part->name.text);
    const bool by_default = gpus ? part->kind == DeviceKind::gpu : !said && part == of_kind(DeviceKind::cpu);
    graph.parts.push_back({part->name.text, part->kind, part->model, part->rank.value_or(by_default)});
  }
  if (std::none_of(graph.parts.begin(), graph.parts.end(), [](const auto& part) { return part.rank; }))
    wrong(position, "a node without a rank: it needs a GPU or a CPU for one");
  if (!file.gpudirect && of_kind(DeviceKind::cpu) == file.parts.end())
    wrong(position, "'gpudirect: false' stages data in the memory of a CPU, and the node has none");
  for (const PartLinkInFile& link : file.links) {
    NodeLink made;
    static_cast<LinkSpec&>(made) = link;
    std::size_t* const ends[] = {&made.a, &made.b};
    for (int end = 0; end < 2; ++end) {
      const NameInFile& name = link.between[static_cast<std::size_t>(end)];
      const auto found = std::find(names.begin(), names.end(), name.text);
      if (found == names.end()) {
        const std::string nearest = nearest_name(name.text, names);
        wrong(name.position, "a link to nowhere: no part '" + name.text + "'" +
                                 (nearest.empty() ? "" : "; did you mean '" + nearest + "'?"));
        continue;
      }
      *ends[end] = static_cast<std::size_t>(found - names.begin());
    }
    if (link.between[0].text == link.between[1].text)
      wrong(link.between[1].position, "a link joins two different parts; both ends are '" + link.between[0].text + "'");
    graph.links.push_back(made);
  }
  if (!good) return std::nullopt;
  return graph;
}

}  // namespace

void NodeGraph::connect(std::size_t a, std::size_t b, Bandwidth bandwidth, Duration latency, LinkKind kind) {
  NodeLink link;
  link.bandwidth = bandwidth;
  link.latency = latency;
  link.kind = kind;
  link.a = a;
  link.b = b;
  links.push_back(link);
}

NodeTemplate graph_node(std::string name, std::string description, NodeGraph graph) {
  NodeTemplate node;
  node.name = std::move(name);
  node.description = std::move(description);
  node.prefix = "node";
  node.devices = static_cast<std::int64_t>(graph.parts.size());
  node.ranks = std::count_if(graph.parts.begin(), graph.parts.end(), [](const auto& part) { return part.rank; });
  node.ports = std::count_if(graph.parts.begin(), graph.parts.end(),
                             [](const auto& part) { return part.kind == DeviceKind::nic; });
  node.build = [graph = std::move(graph), kind = node.name](Topology& topology, const std::string& node_name) {
    return build_graph(graph, kind, topology, node_name);
  };
  return node;
}

config::Type<NodeGraph> node_graph() {
  const auto file = graph_in_file();
  return config::Type<NodeGraph>(
      [file](const config::Node& node, config::Diagnostics& diagnostics) -> std::optional<NodeGraph> {
        const auto read = file.read(node, diagnostics);
        return read ? to_graph(*read, node.position, diagnostics) : std::nullopt;
      },
      file.schema());
}

}  // namespace lockstep
