#include "core/topology/templates/gpu_node.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/catalogue.hpp"
#include "core/topology/gpu_model.hpp"

namespace lockstep {
namespace {

std::int64_t switches_of(const GpuNodeShape& shape) {
  if (shape.pcie_switches) return *shape.pcie_switches;
  if (shape.nics > 0) return std::min(shape.gpus, shape.nics);
  return shape.nvlink || shape.mesh ? 0 : shape.gpus;
}

bool has_gpu_links(const GpuNodeShape& shape) { return shape.nvlink || shape.mesh; }
bool has_root(const GpuNodeShape& shape) { return !has_gpu_links(shape) && shape.gpus > 1 && shape.sockets == 0; }

bool needs_pcie(const GpuNodeShape& shape) {
  if (shape.nics > 0) return true;
  return !shape.cpu_link && (switches_of(shape) > 0 || shape.sockets > 0);
}

bool divides(std::int64_t a, std::int64_t b) { return a % b == 0 || b % a == 0; }

void check_shape(const GpuNodeShape& shape, const config::Node& node, config::Diagnostics& diagnostics) {
  const auto at = [&](const char* key) {
    const config::Node* found = node.find(key);
    return found != nullptr ? found->position : node.position;
  };
  const std::int64_t switches = switches_of(shape);
  if (!shape.pcie_switches && shape.nics > 0 && !divides(shape.nics, shape.gpus)) {
    diagnostics.error(at("nics"), fmt::format("{} NICs do not divide evenly among {} GPUs; one must be a multiple of "
                                              "the other",
                                              shape.nics, shape.gpus));
  }
  if (switches > 0 && shape.pcie_switches &&
      (shape.gpus % switches != 0 || (shape.nics > 0 && !divides(shape.nics, switches)))) {
    diagnostics.error(at("pcie_switches"),
                      fmt::format("{} GPUs and {} NICs do not divide evenly among {} PCIe switches", shape.gpus,
                                  shape.nics, switches));
  }
  if (needs_pcie(shape) && shape.pcie == Bandwidth{}) {
    diagnostics.error(node.position, shape.nics > 0 ? "a node with NICs needs 'pcie', the rate of its PCIe links"
                                                    : "GPUs without nvlink need 'pcie', the rate of the PCIe links "
                                                      "between them");
  }
  if (shape.nvlink && shape.mesh)
    diagnostics.error(at("mesh"), "GPUs have either 'nvlink' (to an NVSwitch) or 'mesh' (of every pair), not both");
  if (switches == 0 && shape.sockets == 0 && (shape.nics > 0 || (!has_gpu_links(shape) && shape.gpus > 1)))
    diagnostics.error(at("pcie_switches"), "without PCIe switches GPUs and NICs hang on CPUs; say how many 'sockets'");
  if (shape.sockets > 1 && shape.socket_link == Bandwidth{})
    diagnostics.error(at("sockets"), "several sockets need 'socket_link', the rate between two of them");
  if (shape.sockets < 2 && shape.socket_link != Bandwidth{})
    diagnostics.error(at("socket_link"), "'socket_link' joins sockets: say how many 'sockets', 2 or more");
  if (shape.nic_pcie && shape.nics == 0)
    diagnostics.error(at("nic_pcie"), "'nic_pcie' is of the links to NICs, and the node has none");
  if (!shape.gpudirect && shape.sockets == 0)
    diagnostics.error(at("gpudirect"), "'gpudirect: false' stages data in the memory of a CPU; say how many 'sockets'");
}

}  // namespace

NodeGraph graph_of(const GpuNodeShape& shape) {
  NodeGraph graph;
  graph.gpudirect = shape.gpudirect;
  std::vector<std::size_t> gpus, switches, cpus;
  const auto at = [](const std::vector<std::size_t>& parts, std::int64_t index, std::int64_t of) {
    return parts[static_cast<std::size_t>(index * static_cast<std::int64_t>(parts.size()) / of)];
  };
  for (std::int64_t i = 0; i < shape.gpus; ++i) {
    gpus.push_back(graph.add(fmt::format("gpu{}", i), DeviceKind::gpu));
    graph.parts.back().model = shape.model;
  }
  if (shape.nvlink) {
    const std::size_t nvswitch = graph.add("nvswitch", DeviceKind::nvswitch);
    for (const std::size_t gpu : gpus)
      graph.connect(gpu, nvswitch, *shape.nvlink, shape.nvlink_latency, LinkKind::nvlink);
  }
  if (shape.mesh) {
    for (std::size_t a = 0; a < gpus.size(); ++a)
      for (std::size_t b = a + 1; b < gpus.size(); ++b)
        graph.connect(gpus[a], gpus[b], *shape.mesh, 2 * shape.nvlink_latency, shape.mesh_kind);
  }
  const std::int64_t count = switches_of(shape);
  for (std::int64_t i = 0; i < count; ++i)
    switches.push_back(graph.add(fmt::format("pcie{}", i), DeviceKind::pcie_switch));
  const auto pcie = [&](std::size_t a, std::size_t b, Bandwidth rate) {
    graph.connect(a, b, rate, shape.pcie_latency, LinkKind::pcie);
  };
  std::vector<std::size_t> nics;
  for (std::int64_t i = 0; i < (count > 0 ? shape.gpus : 0); ++i)
    pcie(gpus[static_cast<std::size_t>(i)], at(switches, i, shape.gpus), shape.pcie);
  for (std::int64_t i = 0; i < shape.nics; ++i) {
    nics.push_back(graph.add(fmt::format("nic{}", i), DeviceKind::nic));
    if (count > 0) pcie(at(switches, i, shape.nics), nics.back(), shape.nic_pcie.value_or(shape.pcie));
  }
  if (has_root(shape)) {
    const std::size_t root = graph.add("root", DeviceKind::pcie_switch);
    for (const std::size_t pcie_switch : switches) pcie(pcie_switch, root, shape.pcie);
  }
  for (std::int64_t i = 0; i < shape.sockets; ++i) cpus.push_back(graph.add(fmt::format("cpu{}", i), DeviceKind::cpu));
  if (cpus.empty()) return graph;
  for (std::int64_t i = 0; i < count; ++i) pcie(switches[static_cast<std::size_t>(i)], at(cpus, i, count), shape.pcie);
  for (std::int64_t i = 0; i < (count == 0 || shape.cpu_link ? shape.gpus : 0); ++i) {
    if (shape.cpu_link)
      graph.connect(gpus[static_cast<std::size_t>(i)], at(cpus, i, shape.gpus), *shape.cpu_link, shape.pcie_latency,
                    LinkKind::socket);
    else
      pcie(gpus[static_cast<std::size_t>(i)], at(cpus, i, shape.gpus), shape.pcie);
  }
  for (std::int64_t i = 0; i < (count == 0 ? shape.nics : 0); ++i)
    pcie(at(cpus, i, shape.nics), nics[static_cast<std::size_t>(i)], shape.nic_pcie.value_or(shape.pcie));
  if (shape.socket_link > Bandwidth{}) {
    for (std::size_t a = 0; a < cpus.size(); ++a)
      for (std::size_t b = a + 1; b < cpus.size(); ++b)
        graph.connect(cpus[a], cpus[b], shape.socket_link, shape.pcie_latency, LinkKind::socket);
  }
  return graph;
}

NodeTemplate gpu_node(std::string name, std::string description, const GpuNodeShape& shape) {
  return graph_node(std::move(name), std::move(description), graph_of(shape));
}

config::Type<GpuNodeShape> gpu_node_shape() {
  return config::record<GpuNodeShape>("node", "A node with GPUs, described by a few numbers.")
      .required("gpus", &GpuNodeShape::gpus, config::integer(1, 1024), "GPUs, one rank each")
      .optional("gpu", &GpuNodeShape::model, config::name_of("GPU", names_of(gpu_models())),
                "their model, for models of performance (default: not said)")
      .optional("nvlink", &GpuNodeShape::nvlink, config::bandwidth().positive(),
                "of one GPU to the NVSwitch, one direction (default: no NVSwitch)")
      .optional("mesh", &GpuNodeShape::mesh, config::bandwidth().positive(),
                "of each pair of GPUs, one direction, in place of nvlink (default: no mesh)")
      .optional("nvlink_latency", &GpuNodeShape::nvlink_latency, config::duration(),
                "of one link, GPU to NVSwitch; a mesh link has twice that (default 468ns)")
      .optional("nics", &GpuNodeShape::nics, config::integer(0, 1024),
                "network ports (default 0); a multiple or a divisor of gpus")
      .optional("pcie", &GpuNodeShape::pcie, config::bandwidth().positive(),
                "payload rate of one PCIe link, one direction; needed with nics, or with several gpus and no nvlink")
      .optional("nic_pcie", &GpuNodeShape::nic_pcie, config::bandwidth().positive(),
                "of the PCIe links to NICs (default: as pcie)")
      .optional("pcie_latency", &GpuNodeShape::pcie_latency, config::duration(),
                "of one PCIe link, and of one between sockets (default 100ns)")
      .optional("pcie_switches", &GpuNodeShape::pcie_switches, config::integer(0, 1024),
                "shared evenly by GPUs and NICs (default: one for each NIC or GPU, of which there are fewer)")
      .optional("sockets", &GpuNodeShape::sockets, config::integer(1, 64),
                "CPUs that the PCIe switches hang on (default: CPUs are left out)")
      .optional("socket_link", &GpuNodeShape::socket_link, config::bandwidth().positive(),
                "between two sockets, one direction; needed with several")
      .optional("gpudirect", &GpuNodeShape::gpudirect, config::boolean(),
                "NICs read and write the memory of GPUs (default true); false: through the memory of the nearest CPU")
      .rule(check_shape)
      .type();
}

}  // namespace lockstep
