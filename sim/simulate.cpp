#include "sim/simulate.hpp"

#include <array>

#include "core/workload/rows.hpp"
#include "sim/analytic.hpp"
#include "sim/executor.hpp"
#include "sim/lower_bound.hpp"
#include "sim/nccl/predict.hpp"

namespace lockstep::sim {
namespace {

Prediction predict_flow(const Topology& topology, const Routing& routing, const Profile& profile,
                        const PlannedWorkload& planned, const Disturbances& disturbances, Timeline& timeline) {
  SimulationOptions options;
  options.disturbances = disturbances;
  SimulatedExecutor executor(topology, routing, profile, options);
  executor.execute(planned.plan, timeline);
  timeline.sort();
  Prediction prediction;
  prediction.collectives = collective_rows(planned, timeline, false);
  check_lower_bounds(topology, planned, prediction.collectives);
  prediction.operations = operation_rows(planned.plan, timeline);
  prediction.summary = collective_summary(planned, timeline, prediction.collectives);
  return prediction;
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
  };
  return catalogue;
}

}  // namespace lockstep::sim
