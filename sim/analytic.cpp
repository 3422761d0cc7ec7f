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
    const auto reduction = [&](Bytes payload) {
      if (!reduces(row.kind) || !profile.reduction.costs()) return Duration{0};
      const Bytes last =
          profile.reduction.granularity.count() > 0 ? std::min(payload, profile.reduction.granularity) : payload;
      return profile.reduction.time_of_piece(last, payload);
    };
    const auto round_of = [&](Bytes payload) {
      return paths.latency + wire(payload) + reduction(payload) +
             Duration{costs.send_time(payload.count(), paths.switches) + costs.receive_time(payload.count()) +
                      costs.latency(payload.count())};
    };
    // What follows a message closely comes so much later: by the wire, or by the processor of a rank.
    const auto behind = [&](Bytes payload, bool one_way) {
      const Duration send{costs.send_time(payload.count(), paths.switches)};
      const Duration receive = Duration{costs.receive_time(payload.count())} + reduction(payload);
      return std::max(wire(payload), one_way ? std::max(send, receive) : send + receive);
    };
    const Cost cost = algorithm_of(entry.collective).cost(request);
    const bool merged =
        !cost.merged_phases.empty() && switches_merge(topology, routing, request.kind, ranks, request.root);
    Duration total{0};
    for (const Phase& phase : merged ? cost.merged_phases : cost.phases) {
      if (phase.rounds == 0) continue;
      if (phase.hidden) {
        total += behind(Bytes{phase.bytes}, phase.one_way) * phase.rounds;
        continue;
      }
      // The first slice of a round goes on while the others come, where these come one after another: on a connection
      // that keeps their order, or through a processor that is slower than the wire. Else they share the link and come
      // together.
      const Bytes slice{(phase.bytes + phase.slices - 1) / phase.slices};
      const Duration next = behind(slice, phase.one_way);
      const Duration last = round_of(slice) + next * (phase.slices - 1);
      const bool in_turn = profile.tcp.ordered || next > wire(slice);
      const Duration round = in_turn ? std::max(round_of(slice), next * phase.slices) : last;
      total += (phase.slices == 1 ? last : round) * (phase.rounds - 1) + last;
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
