// The networks between nodes, as far as NCCL tells them apart: by the plugin that carries its messages.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/topology/topology.hpp"

namespace lockstep::nccl {

enum class Fabric : std::uint8_t { none, infiniband, roce, efa, slingshot, ethernet };
inline constexpr int fabric_count = 6;

std::string_view to_string(Fabric fabric);

/// The transport that a link of this kind stands for: none for NVLink and PCIe; `ethernet` is NCCL's sockets.
Fabric fabric_of(LinkKind kind);

/// The latency that the network plugin reports to NCCL, in microseconds: it enters the choice, not the time.
/// InfiniBand and RoCE: the built-in plugin reports 0. EFA: 75 (aws-ofi-nccl, its figure for P4 and P5 instances).
/// Slingshot (the same plugin without a figure for the platform) and sockets: 0.
double reported_latency_us(Fabric fabric);

/// LL128 needs stores of 128 bytes to arrive whole, which NCCL trusts only on paths it knows. Between nodes those are
/// NICs behind a PCIe switch (or, from Hopper on, reached over NVLink); on Slingshot systems the NIC hangs on the CPU.
bool ll128_across(Fabric fabric);

}  // namespace lockstep::nccl
