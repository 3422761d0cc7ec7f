#include "sim/nccl/predict.hpp"

#include "core/base/error.hpp"
#include "sim/row_summary.hpp"

namespace lockstep::sim::nccl {

bool is_nccl_row(const PlannedCollective& row, const Profile& profile) {
  const std::string& algorithm = row.spec.algorithms.front();
  return algorithm == "auto" || (algorithm == "native" && profile.nccl.has_value());
}

CollectiveRow row_of(const System& system, const CollectiveSpec& spec) {
  const std::int64_t bytes =
      spec.kind == CollectiveKind::barrier ? 4 : spec.sizes.front().count();  // frameworks reduce one element
  const Candidate chosen = lockstep::nccl::choose(system, spec.kind, bytes);
  CollectiveRow row;
  row.kind = spec.kind;
  row.algorithm = std::string(to_string(chosen.algorithm));
  row.protocol = std::string(to_string(chosen.protocol));
  row.ranks = system.ranks();
  row.size_bytes = spec.sizes.front().count();
  row.type = std::string(to_string(spec.type));
  if (reduces(spec.kind)) row.reduction = std::string(to_string(spec.reduction));
  // On whole picoseconds, as every simulated time.
  row.time_s = to_seconds(from_seconds(time_us(system, parts_of(system, chosen, spec.kind, bytes)) / 1e6));
  return row;
}

Prediction predict(const Topology& topology, const Profile& profile, const PlannedWorkload& planned) {
  LOCKSTEP_CHECK(profile.nccl.has_value(), "rows for NCCL under the profile '{}', which has no section 'nccl'",
                 profile.name);
  const System system = lockstep::nccl::system_of(topology, planned.plan.ranks, *profile.nccl);
  if (!planned.kernels.empty())
    throw InputError(
        fmt::format("kernels are the simulator's to predict, 'auto' is NCCL's under the profile '{}': put them into "
                    "workloads of their own",
                    profile.name));
  Prediction prediction;
  for (const auto& row : planned.rows) {
    if (!is_nccl_row(row, profile))
      throw InputError(
          fmt::format("algorithm '{}' of {} is Lockstep's own, 'auto' and 'native' are NCCL's under the profile '{}': "
                      "put them into workloads of their own",
                      row.spec.algorithms.front(), to_string(row.spec.kind), profile.name));
    prediction.collectives.push_back(row_of(system, row.spec));
  }
  prediction.summary = summary_of(prediction.collectives);
  return prediction;
}

}  // namespace lockstep::sim::nccl
