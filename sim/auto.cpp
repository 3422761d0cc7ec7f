#include "sim/auto.hpp"

#include <algorithm>
#include <exception>

#include "core/base/error.hpp"
#include "core/collective/schedule.hpp"
#include "core/nccl/tuning.hpp"
#include "sim/analytic.hpp"
#include "sim/merging.hpp"

namespace lockstep::sim {

std::vector<std::vector<AlgorithmTime>> algorithm_times(const CollectiveSpec& spec, const Topology& topology,
                                                        const Routing& routing, const Profile& profile, int ranks,
                                                        bool merging) {
  Workload workload;
  workload.name = "candidates";
  workload.collectives = {spec};
  std::vector<std::vector<AlgorithmTime>> times;
  std::exception_ptr refusal;
  for (const auto& algorithm : algorithm_catalogue()) {
    if (!algorithm.supports(spec.kind)) continue;
    const auto named = [&] {
      return std::find(spec.algorithms.begin(), spec.algorithms.end(), algorithm.name) != spec.algorithms.end();
    };
    const auto merged = [&] {
      return merging && spec.root < ranks && switches_merge(topology, routing, spec.kind, ranks, spec.root);
    };
    if (algorithm.merges && !named() && !merged()) continue;
    workload.collectives.front().algorithms = {algorithm.name};
    PlannedWorkload planned;
    try {
      planned = plan_workload(workload, ranks, shape_of(topology, ranks));
    } catch (const InputError&) {  // not for this number of ranks, say
      refusal = std::current_exception();
      continue;
    }
    Timeline timeline;
    const auto rows = predict_analytic(topology, routing, profile, planned, timeline).collectives;
    times.resize(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) times[i].push_back({rows[i].algorithm, rows[i].time_s});
  }
  if (times.empty() && refusal) std::rethrow_exception(refusal);  // what is wrong with the spec is wrong for all
  return times;
}

const AlgorithmTime& fastest(const std::vector<AlgorithmTime>& times) {
  LOCKSTEP_CHECK(!times.empty(), "the fastest of no algorithms");
  return *std::min_element(times.begin(), times.end(),
                           [](const AlgorithmTime& a, const AlgorithmTime& b) { return a.time_s < b.time_s; });
}

Workload choose_algorithms(Workload workload, const Topology& topology, const Routing& routing, const Profile& profile,
                           int ranks, bool merging) {
  std::vector<CollectiveSpec> chosen;
  for (auto& spec : workload.collectives) {
    if (spec.algorithms.empty() && profile.nccl && lockstep::nccl::knows(spec.kind)) spec.algorithms = {"auto"};
    const bool ours =
        !profile.nccl && std::find(spec.algorithms.begin(), spec.algorithms.end(), "auto") != spec.algorithms.end();
    if (!ours) {
      chosen.push_back(std::move(spec));
      continue;
    }
    for (const auto& algorithm : spec.algorithms) {
      CollectiveSpec one = spec;
      one.algorithms = {algorithm};
      if (algorithm != "auto") {
        chosen.push_back(std::move(one));
        continue;
      }
      const auto times = algorithm_times(spec, topology, routing, profile, ranks, merging);
      for (std::size_t i = 0; i < times.size(); ++i) {
        CollectiveSpec row = one;
        row.algorithms = {fastest(times[i]).algorithm};
        if (!spec.sizes.empty()) row.sizes = {spec.sizes[i]};
        chosen.push_back(std::move(row));
      }
    }
  }
  workload.collectives = std::move(chosen);
  return workload;
}

PlannedWorkload plan_chosen(const Workload& workload, const Topology& topology, const Routing& routing,
                            const Profile& profile, int ranks, bool merging) {
  return plan_workload(choose_algorithms(workload, topology, routing, profile, ranks, merging), ranks,
                       shape_of(topology, ranks), AutoRows::keep);
}

}  // namespace lockstep::sim
