#include "sim/simulate.hpp"

#include <array>

#include "core/faults/timetable.hpp"
#include "core/workload/rows.hpp"
#include "sim/analytic.hpp"
#include "sim/executor.hpp"
#include "sim/lower_bound.hpp"
#include "sim/nccl/predict.hpp"
#include "sim/network/packet/settings.hpp"

namespace lockstep::sim {
namespace {

Prediction simulate(const Topology& topology, const Routing& routing, const Profile& profile,
                    const PlannedWorkload& planned, const SimulationOptions& options, Timeline& timeline) {
  SimulatedExecutor executor(topology, routing, profile, options);
  executor.execute(planned.plan, timeline);
  timeline.sort();
  Prediction prediction;
  // Where faults come and go, no iteration is like another: all of them are told, as in a measurement.
  prediction.collectives = collective_rows(planned, timeline, !steady(options.disturbances.faults));
  prediction.network = executor.statistics().network;
  // Times that are not simulated to their end are as exact as that.
  check_lower_bounds(topology, planned, prediction.collectives, options.disturbances.steady > 0 ? 0.01 : 0);
  prediction.operations = operation_rows(planned, timeline, !steady(options.disturbances.faults));
  prediction.summary = collective_summary(planned, timeline, prediction.collectives, prediction.operations);
  return prediction;
}

Prediction predict_flow(const Topology& topology, const Routing& routing, const Profile& profile,
                        const PlannedWorkload& planned, const Disturbances& disturbances, Timeline& timeline) {
  SimulationOptions options;
  options.disturbances = disturbances;
  // What begins or ends on the way hits one iteration and not the next.
  options.once = steady(disturbances.faults);
  return simulate(topology, routing, profile, planned, options, timeline);
}

template <SimulationOptions::Packets packets>
Prediction predict_packets(const Topology& topology, const Routing& routing, const Profile& profile,
                           const PlannedWorkload& planned, const Disturbances& disturbances, Timeline& timeline) {
  SimulationOptions options;
  options.disturbances = disturbances;
  options.packets = packets;
  // What a connection has learnt outlives an iteration: those of the warm-up count.
  options.once = steady(disturbances.faults) &&
                 !packet::remembers(packet::transport_settings(topology, routing.policy().mode, profile));
  return simulate(topology, routing, profile, planned, options, timeline);
}

Prediction predict_undisturbed(const Topology& topology, const Routing& routing, const Profile& profile,
                               const PlannedWorkload& planned, const Disturbances&, Timeline& timeline) {
  return predict_analytic(topology, routing, profile, planned, timeline);
}

}  // namespace

std::span<const Fidelity> fidelity_catalogue() {
  static const std::array catalogue{
      Fidelity{"analytic", "closed forms: latency and bandwidth of the routes, nothing shared",
               nccl::predict_with<predict_undisturbed>},
      Fidelity{"flow", "every message a flow; links shared max-min fair; the default",
               nccl::predict_with<predict_flow>},
      Fidelity{"packet", "every packet: queues, marks, pauses, losses, and what the transport makes of them",
               nccl::predict_with<predict_packets<SimulationOptions::Packets::all>>},
      Fidelity{"mixed", "packets between machines, or where switching.packets says, and flows elsewhere",
               nccl::predict_with<predict_packets<SimulationOptions::Packets::between_machines>>},
  };
  return catalogue;
}

}  // namespace lockstep::sim
