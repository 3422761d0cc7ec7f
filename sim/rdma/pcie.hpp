// PCIe as a NIC sees it: what part of the raw rate is payload, how long a read takes, how many may be under way.
//
// Quantities: m = maximum payload (bytes of data in a packet of the transaction layer, a TLP), r = maximum read request
// (bytes asked for at once), t = reads that may be outstanding, L = one way over the PCIe links, M = time that the
// memory behind them takes to answer.
// Equations:
//   payload share of a stream of TLPs    4m / (4 (m + 26) + 16): 26 bytes of header and framing each, and a 16-byte
//                                        link packet (acknowledgement, credit) for every four
//   round trip of a read                 2L + M
//   rate of reads                        least of payload rate and t r / (2L + M)
// Assumptions: reads are split at r and answered in pieces of m; credits never run out; relaxed ordering.
// When it is wrong: unaligned buffers, IOMMU misses, several devices behind one switch port.
// Source: UCX, `ucs/sys/topo` and `uct/ib` (share of payload; FIELD: H200 Gen5 x16 measured 55.4 GB/s, formula 56.4).
#pragma once

#include "core/units/duration.hpp"
#include "core/units/quantity.hpp"

namespace lockstep::sim::rdma {

inline constexpr Bytes default_max_payload{256};
inline constexpr Bytes default_max_read_request{512};

/// Payload of full TLPs on a link of `lanes` lanes of PCIe generation 3 to 6. Gen6 carries flits of 256 bytes, 242 of
/// them TLPs; its share is an estimate. Other generations are a broken invariant.
Bandwidth pcie_payload_rate(int generation, int lanes, Bytes max_payload = default_max_payload);

/// A rate that was stated for TLPs of 256 bytes (as node templates have it), for TLPs of another size.
Bandwidth at_max_payload(Bandwidth rate_at_256, Bytes max_payload);

/// How a NIC reaches memory: the links between them, one direction.
struct Dma {
  Bandwidth rate;         ///< payload
  Duration latency{0};    ///< one way
  Duration memory{0};     ///< until the memory answers a read
  Bandwidth read_rate{};  ///< of reads: at most `rate`

  [[nodiscard]] Duration round_trip() const { return 2 * latency + memory; }
};

/// Fills `read_rate` in from the limit of outstanding reads.
Dma with_read_limit(Dma dma, Bytes max_read_request, std::int64_t outstanding_reads);

}  // namespace lockstep::sim::rdma
