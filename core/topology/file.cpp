#include "core/topology/file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "core/base/catalogue.hpp"

namespace lockstep {
namespace {

constexpr std::string_view name_pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$";

bool is_name(const std::string& text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  if (text.empty() || text.size() > 64 || !letter(text[0])) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) { return letter(c) || c == '_' || c == '.' || c == '-'; });
}

// Names go into graphs, JSON and the lab's namespaces: no blanks, no quotes, no slashes.
config::Type<std::string> name_text() {
  return config::text()
      .where([](const std::string& text) -> std::optional<std::string> {
        if (is_name(text)) return std::nullopt;
        return "'" + text + "' is no name: at most 64 letters, digits, '_', '-', '.', the first a letter or digit";
      })
      .with_schema({{"pattern", name_pattern}});
}

config::Type<NameInFile> name_in_file() {
  const auto inner = name_text();
  return config::Type<NameInFile>(
      [inner](const config::Node& node, config::Diagnostics& diagnostics) -> std::optional<NameInFile> {
        auto text = inner.read(node, diagnostics);
        if (!text) return std::nullopt;
        return NameInFile{std::move(*text), node.position};
      },
      inner.schema());
}

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
  const auto ends = config::list(name_in_file())
                        .where([](const std::vector<NameInFile>& names) -> std::optional<std::string> {
                          if (names.size() == 2) return std::nullopt;
                          return fmt::format("'between' names two devices, [a, b]; this has {}", names.size());
                        })
                        .with_schema({{"minItems", 2}, {"maxItems", 2}});
  declaration.required("between", &LinkInFile::between, ends,
                       "the two devices: hosts, switches, or parts of a node such as node0.nic0");
  return with_link_keys(declaration).type();
}

}  // namespace

config::Type<TopologyFile> topology_file_type() {
  return config::record<TopologyFile>("topology", "The hardware: nodes, switches and the links between them.")
      .optional("name", &TopologyFile::name, name_text(), "of the topology (default: the file's name)")
      .optional("node", &TopologyFile::node, node_template(),
                "what a machine looks like inside: a template's name or a description (default host)")
      .optional("generate", &TopologyFile::generate, generate_type(), "a generator with its keys")
      .optional("nodes", &TopologyFile::nodes, config::list(node_type()), "machines and switches, one by one")
      .optional("links", &TopologyFile::links, config::list(link_type()), "links, one by one")
      .optional("placement", &TopologyFile::placement, config::list(name_in_file(), 1),
                "nodes in the order in which ranks fill them; nodes left out get no rank (default: all, in file order)")
      .type();
}

}  // namespace lockstep
