// The network that was really built: `as_built` of a lab measurement laid over a topology, so that a prediction is made
// for exactly it.
#pragma once

#include <nlohmann/json.hpp>

#include "core/topology/topology.hpp"

namespace lockstep {

/// Rate, burst, queue, delay and MTU of every link and the hosts' TCP as the lab set them, and routes that no load
/// changes. `cores` (of the machine that all ranks share) comes back; 0 if unknown. Throws InputError if the links are
/// not those of the topology.
int apply_as_built(Topology& topology, const nlohmann::ordered_json& as_built);

}  // namespace lockstep
