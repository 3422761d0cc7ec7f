#include "core/topology/templates/gpu_node.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/catalogue.hpp"
#include "core/topology/gpu_model.hpp"
#include "core/topology/link_spec.hpp"

namespace lockstep {
namespace {

Link inner_link(DeviceId from, DeviceId to, Bandwidth bandwidth, Duration latency, LinkKind kind) {
  LinkSpec spec;
  spec.bandwidth = bandwidth;
  spec.latency = latency;
  spec.kind = kind;
  return spec.link(from, to);
}

std::int64_t pcie_switches(const GpuNodeShape& shape) {
  if (shape.nics > 0) return std::min(shape.gpus, shape.nics);
  return shape.nvlink ? 0 : shape.gpus;
}

bool has_root(const GpuNodeShape& shape) { return !shape.nvlink && shape.gpus > 1; }

std::vector<DeviceId> build_gpu_node(const GpuNodeShape& shape, const std::string& kind, Topology& topology,
                                     const std::string& name) {
  const auto id = static_cast<NodeId>(topology.nodes.size());
  Node node{name, {}, {}, kind};
  const auto add_named = [&](std::string part, DeviceKind device_kind) {
    node.devices.push_back(topology.add_device(
        {std::move(part), device_kind, id, Duration{0}, device_kind == DeviceKind::gpu ? shape.model : std::string()}));
    return node.devices.back();
  };
  const auto add = [&](const char* part, std::int64_t index, DeviceKind device_kind) {
    return add_named(fmt::format("{}.{}{}", name, part, index), device_kind);
  };
  for (std::int64_t i = 0; i < shape.gpus; ++i) node.endpoints.push_back(add("gpu", i, DeviceKind::gpu));
  if (shape.nvlink) {
    const DeviceId nvswitch = add_named(name + ".nvswitch", DeviceKind::nvswitch);
    for (const DeviceId gpu : node.endpoints)
      topology.add_duplex(inner_link(gpu, nvswitch, *shape.nvlink, shape.nvlink_latency, LinkKind::nvlink));
  }
  std::vector<DeviceId> ports;
  std::vector<DeviceId> switches;
  const std::int64_t count = pcie_switches(shape);
  const auto pcie = [&](DeviceId from, DeviceId to) {
    topology.add_duplex(inner_link(from, to, shape.pcie, shape.pcie_latency, LinkKind::pcie));
  };
  for (std::int64_t i = 0; i < count; ++i) switches.push_back(add("pcie", i, DeviceKind::pcie_switch));
  for (std::int64_t i = 0; i < (count > 0 ? shape.gpus : 0); ++i)
    pcie(node.endpoints[static_cast<std::size_t>(i)], switches[static_cast<std::size_t>(i * count / shape.gpus)]);
  for (std::int64_t i = 0; i < shape.nics; ++i) {
    ports.push_back(add("nic", i, DeviceKind::nic));
    pcie(switches[static_cast<std::size_t>(i * count / shape.nics)], ports.back());
  }
  if (has_root(shape)) {
    const DeviceId root = add_named(name + ".root", DeviceKind::pcie_switch);
    for (const DeviceId pcie_switch : switches) pcie(pcie_switch, root);
  }
  topology.nodes.push_back(std::move(node));
  return ports;
}

}  // namespace

NodeTemplate gpu_node(std::string name, std::string description, const GpuNodeShape& shape) {
  NodeTemplate node;
  node.name = std::move(name);
  node.description = std::move(description);
  node.prefix = "node";
  node.ranks = shape.gpus;
  node.ports = shape.nics;
  node.devices = shape.gpus + shape.nics + pcie_switches(shape) + (shape.nvlink ? 1 : 0) + (has_root(shape) ? 1 : 0);
  node.build = [shape, kind = node.name](Topology& topology, const std::string& node_name) {
    return build_gpu_node(shape, kind, topology, node_name);
  };
  return node;
}

config::Type<GpuNodeShape> gpu_node_shape() {
  return config::record<GpuNodeShape>("node", "A node with GPUs; every pair of GPU and NIC has a PCIe switch.")
      .required("gpus", &GpuNodeShape::gpus, config::integer(1, 1024), "GPUs, one rank each")
      .optional("gpu", &GpuNodeShape::model, config::name_of("GPU", names_of(gpu_models())),
                "their model, for models of performance (default: not said)")
      .optional("nvlink", &GpuNodeShape::nvlink, config::bandwidth().positive(),
                "of one GPU to the NVSwitch, one direction (default: no NVLink)")
      .optional("nvlink_latency", &GpuNodeShape::nvlink_latency, config::duration(),
                "of one link, GPU to NVSwitch (default 468ns)")
      .optional("nics", &GpuNodeShape::nics, config::integer(0, 1024),
                "network ports (default 0); a multiple or a divisor of gpus")
      .optional("pcie", &GpuNodeShape::pcie, config::bandwidth().positive(),
                "payload rate of one PCIe link, one direction; needed with nics, or with several gpus and no nvlink")
      .optional("pcie_latency", &GpuNodeShape::pcie_latency, config::duration(), "of one PCIe link (default 100ns)")
      .rule([](const GpuNodeShape& shape, const config::Node& node, config::Diagnostics& diagnostics) {
        if (shape.nics > 0 && shape.gpus % shape.nics != 0 && shape.nics % shape.gpus != 0) {
          diagnostics.error(
              node.find("nics")->position,
              fmt::format("{} NICs do not divide evenly among {} GPUs; one must be a multiple of the other", shape.nics,
                          shape.gpus));
        }
        if (pcie_switches(shape) > 0 && shape.pcie == Bandwidth{}) {
          diagnostics.error(node.position,
                            shape.nics > 0
                                ? "a node with NICs needs 'pcie', the rate of its PCIe links"
                                : "GPUs without nvlink need 'pcie', the rate of the PCIe links between them");
        }
      })
      .type();
}

}  // namespace lockstep
