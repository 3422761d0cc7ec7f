// NICs by generation: the constants of the hardware. None belongs to one system, table or program.
//
// Where a figure comes from stands with it in nic.cpp: [F] fitted on tests/data/measurements/p2p, [U] UCX's performance
// model (master of 21 August 2026), [E] an estimate: of the literature's range, or carried over from the generation
// beside it.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/units/duration.hpp"
#include "core/units/quantity.hpp"

namespace lockstep::sim::rdma {

struct NicGeneration {
  std::string name;
  std::string description;
  Bandwidth line;           ///< of its port; a link of this rate and no more is taken to end in such a NIC
  int pcie_generation = 4;  ///< of its sixteen lanes, where the topology does not have them
  Duration processing{0};   ///< of a packet in the NIC, sender and receiver each, beside what the link's latency has
  Duration queue_pair_interval{0};  ///< between two work requests of one queue pair
  Duration message_interval{0};     ///< between two work requests of all queue pairs
  std::int64_t outstanding_pcie_reads = 0;
  std::int64_t outstanding_reads = 0;  ///< RDMA reads under way of one queue pair
  std::int64_t cached_contexts = 0;    ///< queue pairs whose context the NIC holds
  std::int64_t context_fetches = 0;    ///< of missing contexts under way at once
  Bytes max_inline;                    ///< of a work request
};

std::span<const NicGeneration> nic_catalogue();

/// The oldest generation whose port has at least this rate; the newest, if none has.
const NicGeneration& nic_for(Bandwidth link);

}  // namespace lockstep::sim::rdma
