// What this machine is made of, as a node graph: `lockstep topology discover`.
//
// Sockets, PCI devices and the switches above them come from hwloc; GPU models and NVLink from NVML, which is opened at
// run time and may be absent (nvml.hpp). What is read off the machine is told apart from the graph that is made of it,
// so that the latter can be tested for machines that are not at hand.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/topology/node_graph.hpp"

namespace lockstep::real {

/// A GPU or NIC on the PCI bus.
struct PciReading {
  std::string address;  ///< "0000:81:00.0"
  bool gpu = false;     ///< else a NIC
  std::string label;    ///< what to call it in comments: "mlx5_0", "eth0", the GPU's name
  std::string model;    ///< of a GPU; empty: not known to gpu_models()
  double GB_per_s = 0;  ///< raw rate of its PCIe link; 0: not said
  std::size_t socket = 0;
  std::vector<std::string> bridges;  ///< addresses from the device upwards, host bridge left out
};

/// Links of one kind between a GPU and its peer.
struct NvlinkReading {
  std::string gpu;   ///< PCI address
  std::string peer;  ///< PCI address of another GPU; empty: an NVSwitch
  int links = 0;
  double GB_per_s_each = 0;  ///< one direction
};

struct MachineReading {
  std::string name;
  std::string processor;  ///< "GenuineIntel 207"
  std::size_t sockets = 1;
  std::vector<PciReading> devices;  ///< by address
  std::vector<NvlinkReading> nvlinks;
};

struct Machine {
  std::string name;
  NodeGraph graph;
  std::vector<std::string> comments;  ///< what was found, what was assumed
};

/// Reads this machine.
MachineReading read_machine();
Machine machine_of(const MachineReading& reading);

/// The raw rates of links between sockets as NCCL reckons them; nullopt: an unknown processor.
std::optional<Bandwidth> socket_link_of(const std::string& processor);

}  // namespace lockstep::real
