// A topology as NCCL sees it: so many equal nodes of GPUs on NVLink, so many NICs each, one fabric between them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/nccl/fabric.hpp"
#include "core/nccl/generation.hpp"
#include "core/plan/types.hpp"
#include "core/profile/nccl_profile.hpp"
#include "core/topology/topology.hpp"

namespace lockstep::nccl {

/// Rates in GB/s (10^9 bytes per second) of one direction.
struct System {
  Generation generation = Generation::hopper;
  int nodes = 1;
  int gpus_per_node = 8;
  double nvlink_GBps = 0;  ///< of one GPU, as NCCL counts it: below the data sheet's rate
  bool nvswitch = false;   ///< GPUs of a node meet in an NVSwitch, not over links of their own
  bool nvls = false;       ///< the NVSwitch reduces (NVLink SHARP): Hopper and later, behind an NVSwitch
  int nics = 0;            ///< per node; several NICs of one GPU count as one of their joint rate
  double nic_GBps = 0;     ///< line rate of one of those
  Fabric fabric = Fabric::none;
  NcclProfile::Cpu cpu = NcclProfile::Cpu::intel;
  NcclProfile settings;

  [[nodiscard]] int ranks() const { return nodes * gpus_per_node; }
  /// The column of NCCL's tables: one node, two, more.
  [[nodiscard]] std::size_t scale() const { return nodes <= 2 ? static_cast<std::size_t>(nodes - 1) : 2; }
};

/// The system of the first `ranks` ranks. Throws InputError where NCCL's model does not apply: ranks that are no GPUs,
/// GPUs without NVLink, fewer than two ranks, nodes with different numbers of ranks, nodes without a network between
/// them.
System system_of(const Topology& topology, int ranks, const NcclProfile& settings);

}  // namespace lockstep::nccl
