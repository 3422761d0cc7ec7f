// What a rank's part in a planned collective is, as far as the data are concerned.
#pragma once

#include "core/collective/data.hpp"
#include "core/plan/plan.hpp"

namespace lockstep {

inline DataRequest data_request(const Plan& plan, const Collective& collective, Rank rank, std::int64_t iteration) {
  const auto place = plan.groups[collective.group].place_of(rank);
  DataRequest request;
  request.kind = collective.kind;
  request.rank = place.index;
  request.size = place.size;
  request.count = collective.count;
  request.root = collective.root;
  request.type = collective.type;
  request.reduction = collective.reduction;
  if (!collective.counts.empty()) request.counts = &collective.counts;
  request.seed = static_cast<std::uint64_t>(iteration);
  return request;
}

}  // namespace lockstep
