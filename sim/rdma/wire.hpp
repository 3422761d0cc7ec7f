// RDMA packets on the wire: segments of the MTU, and the bytes around them.
//
// Equations: a message of n bytes makes max(1, ceil(n / MTU)) packets, a packet of p bytes takes 8 (p + header) /
// (share x line rate). Header of InfiniBand: LRH 8, BTH 12, ICRC 4, VCRC 2; of RoCEv2: preamble 8, Ethernet 14, IPv4
// 20, UDP 8, BTH 12, ICRC 4, FCS 4, gap between frames 12. The first packet of a write and the request of a read carry
// RETH (16 B), acknowledgements and responses AETH (4 B), immediate data 4 B. share: InfiniBand 0.9888 [fitted on
// ib_write_bw's 196.5 Gbit/s: credits, link control, gaps], RoCE 1. Source: InfiniBand Architecture Specification,
// volume 1, chapter 5 (IBTA); annex 17 (RoCEv2).
#pragma once

#include <cstdint>
#include <string_view>

#include "core/units/duration.hpp"
#include "core/units/quantity.hpp"

namespace lockstep::sim::rdma {

enum class Fabric : std::uint8_t { infiniband, roce };

std::string_view to_string(Fabric fabric);

inline constexpr Bytes reth{16}, aeth{4}, immediate{4};

/// Bytes around the payload of every packet, without extension headers.
Bytes packet_header(Fabric fabric);

/// Bits per second of packets, headers included, on a link of this rate.
Bandwidth usable_rate(Fabric fabric, Bandwidth line);

std::int64_t packets_of(Bytes message, Bytes mtu);

/// Payload share of a stream of writes of one full packet each, the link's own share left out.
double wire_efficiency(Fabric fabric, Bytes mtu);

}  // namespace lockstep::sim::rdma
