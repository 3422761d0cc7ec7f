// The nodes of a group, for algorithms that treat what is inside a node and what is outside differently: ranks r with
// the same r / ranks_per_node share one.
#pragma once

#include <fmt/format.h>

#include <string>

#include "core/collective/schedule.hpp"

namespace lockstep {

inline int ranks_per_node(const ScheduleRequest& request) {
  return request.ranks_per_node > 0 ? request.ranks_per_node : 1;
}

/// Algorithm::refusal of those that need nodes of one size.
inline std::string node_refusal(const ScheduleRequest& request) {
  if (request.ranks_per_node == 0)
    return "how many ranks share a node? Give ranks_per_node, or a topology whose nodes have equally many";
  if (request.size % request.ranks_per_node == 0) return {};
  return fmt::format("ranks_per_node: {} does not divide the {} ranks of the group", request.ranks_per_node,
                     request.size);
}

}  // namespace lockstep
