#include "core/topology/write.hpp"

#include <fmt/format.h>

#include "core/units/parse.hpp"

namespace lockstep {

std::string topology_file_of(const std::string& machine, const NodeGraph& graph,
                             const std::vector<std::string>& comments) {
  std::string text;
  for (const auto& comment : comments) text += "# " + comment + "\n";
  text += fmt::format("name: \"{}\"\nnode:\n", machine);
  if (!graph.gpudirect) text += "  gpudirect: false\n";
  text += "  parts:\n";
  for (const NodePart& part : graph.parts) {
    text += fmt::format("    - {{name: \"{}\", kind: {}", part.name, to_string(part.kind));
    if (!part.model.empty()) text += ", model: " + part.model;
    if (part.rank != (part.kind == DeviceKind::gpu)) text += fmt::format(", rank: {}", part.rank);
    text += "}\n";
  }
  if (!graph.links.empty()) text += "  links:\n";
  for (const NodeLink& link : graph.links) {
    text += fmt::format("    - {{between: [\"{}\", \"{}\"], bandwidth: {}, latency: {}, kind: {}}}\n",
                        graph.parts[link.a].name, graph.parts[link.b].name, to_text(link.bandwidth),
                        to_text(link.latency), to_string(link.kind));
  }
  return text + fmt::format("nodes:\n  - {{name: \"{}\"}}\n", machine);
}

}  // namespace lockstep
