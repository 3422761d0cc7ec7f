#include "sim/analytic.hpp"

#include <algorithm>

#include "core/base/error.hpp"
#include "core/collective/walk.hpp"
#include "core/profile/message_cost.hpp"
#include "core/workload/rows.hpp"
#include "sim/compute/kernel_times.hpp"
#include "sim/lower_bound.hpp"
#include "sim/merging.hpp"
#include "sim/row_summary.hpp"

namespace lockstep::sim {
namespace {

struct Paths {
  Duration latency{0};
  Bandwidth bandwidth;
  Bytes mtu{0};
  std::int64_t switches = 0;
};

Paths paths_of(const Topology& topology, const Routing& routing, int ranks) {
  Paths paths;
  for (int distance = 1; distance < ranks; distance *= 2) {
    for (int r = 0; r < ranks; ++r) {
      const auto route = routing.route(topology.endpoint(r), topology.endpoint((r + distance) % ranks));
      if (route.empty()) continue;
      paths.latency = std::max(paths.latency, route_latency(topology, route));
      paths.switches = std::max(paths.switches, route_switches(topology, route));
      const Bandwidth bandwidth = route_bandwidth(topology, route);
      if (paths.bandwidth.bits_per_second() == 0 || bandwidth < paths.bandwidth) paths.bandwidth = bandwidth;
      for (const LinkId link : route)
        paths.mtu = paths.mtu.count() == 0 ? topology.links[link].mtu : std::min(paths.mtu, topology.links[link].mtu);
    }
  }
  return paths;
}

// Do switches merge the messages of this collective?
bool merges(const Topology& topology, const Routing& routing, const ScheduleRequest& request, const Cost& cost) {
  if (cost.merged_phases.empty()) return false;
  std::vector<DeviceId> others;
  for (int r = 0; r < request.size; ++r)
    if (r != request.root) others.push_back(topology.endpoint(r));
  const Merge merge = request.kind == CollectiveKind::broadcast ? Merge::from_one : Merge::to_one;
  return merged_way(topology, routing, others, topology.endpoint(request.root), merge).has_value();
}

}  // namespace

Prediction predict_analytic(const Topology& topology, const Routing& routing, const Profile& profile,
                            const PlannedWorkload& planned, Timeline&) {
  const int ranks = planned.plan.ranks;
  if (ranks > topology.rank_capacity())
    throw InputError(fmt::format("{} ranks do not fit: topology '{}' has places for {}", ranks, topology.name,
                                 topology.rank_capacity()));
  const Paths paths = paths_of(topology, routing, ranks);
  const MessageCosts costs(profile.tcp);
  const LowerBounds bounds(topology, ranks);
  Prediction prediction;
  for (const auto& entry : planned.rows) {
    CollectiveRow row;
    row.kind = entry.spec.kind;
    row.algorithm = entry.spec.algorithms.front();
    row.ranks = ranks;
    row.type = std::string(to_string(entry.spec.type));
    if (reduces(entry.spec.kind)) row.reduction = std::string(to_string(entry.spec.reduction));
    const Bytes size = entry.spec.sizes.front();
    row.size_bytes = size.count();
    const ScheduleRequest request = request_for(entry.collective, {0, 0, ranks});
    if (row.algorithm == "native")
      throw InputError(fmt::format("algorithm 'native' of {} belongs to a library: name the algorithm to predict ({})",
                                   to_string(row.kind), default_algorithm(row.kind)));
    const auto wire = [&](Bytes payload) {
      if (paths.bandwidth.bits_per_second() == 0) return Duration{0};
      return transfer_time(payload + profile.tcp.message_header,
                           scale(paths.bandwidth, costs.payload_share(paths.mtu)));
    };
    const auto round_of = [&](Bytes payload) {
      Duration round = paths.latency + wire(payload) +
                       Duration{costs.send_time(payload.count(), paths.switches) + costs.receive_time(payload.count()) +
                                costs.latency(payload.count())};
      if (reduces(row.kind) && profile.reduction.costs()) {
        const Bytes last =
            profile.reduction.granularity.count() > 0 ? std::min(payload, profile.reduction.granularity) : payload;
        round += profile.reduction.time_of_piece(last, payload);
      }
      return round;
    };
    const Cost cost = algorithm_of(entry.collective).cost(request);
    Duration total{0};
    const bool merged = merges(topology, routing, request, cost);
    for (const Phase& phase : merged ? cost.merged_phases : cost.phases) {
      // All but the last slice of a round are hidden behind it. On a connection that keeps their order the first slice
      // goes on while the others come; otherwise all share the link and come together.
      const Bytes slice{(phase.bytes + phase.slices - 1) / phase.slices};
      const Duration others = wire(slice) * (phase.slices - 1);
      const Duration last = round_of(slice) + others;
      const Duration round = profile.tcp.ordered ? std::max(round_of(slice), wire(slice) * phase.slices) : last;
      total += round * (phase.rounds - 1) + last;
    }
    // Links that messages share are no part of the closed forms; what no sharing can beat is.
    row.time_s = std::max(to_seconds(total), bounds.of_cuts(entry.spec, merged).time_s);
    prediction.collectives.push_back(std::move(row));
  }
  // All ranks compute at once, and share the cores as far as they have to.
  KernelTimes times(profile);
  const int cores = profile.compute.asleep ? 0 : profile.cores.value_or(0);
  for (const auto& entry : planned.kernels)
    prediction.operations.push_back(
        kernel_row(planned, entry, Duration{shared_time(times.of(to_text(entry.kernel)), ranks, cores)}));
  prediction.summary = summary_of(prediction.collectives, prediction.operations);
  return prediction;
}

}  // namespace lockstep::sim
