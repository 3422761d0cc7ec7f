// Runs a plan in the lab: the network of the topology file as namespaces, one rank per host.
#pragma once

#include "core/topology/routing.hpp"
#include "core/topology/topology.hpp"
#include "real/lab/fault_agent.hpp"
#include "real/measure/measurement.hpp"

namespace lockstep::real {

/// Builds the lab, runs, checks the bytes on the wire against the plan, and takes everything down.
/// Measurement::as_built says what was built; a measurement whose wire bytes do not fit the plan is a RunFailure. Call
/// before this process starts threads. Throws InputError where the topology cannot be a lab or the machine refuses
/// namespaces (with the remedy).
Measurement measure_in_lab(const Topology& topology, const Routing& routing, const Plan& plan,
                           const MeasurementOptions& options, const LabFaults& faults = {});

/// What of these the lab cannot make on this machine, as an InputError with the position of each; nothing is built.
void refuse_impossible_faults(const std::vector<ResolvedFault>& faults);

}  // namespace lockstep::real
