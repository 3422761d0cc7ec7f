// What a network of packets has counted, for the result: `network` (docs/results.md).
#pragma once

#include <cstdint>

#include "core/config/document.hpp"
#include "core/topology/topology.hpp"
#include "sim/network/packet/transport.hpp"

namespace lockstep::sim::packet {

/// Totals, and the links that carried something: utilisation from 0 to `end`, queues, marks, drops, pauses.
config::Json report(const Topology& topology, const Transport& transport, std::int64_t end);

}  // namespace lockstep::sim::packet
