// Hierarchical all-reduce, per rail: a ring reduce_scatter inside every node, a ring all-reduce across the nodes among
// the ranks with the same place in their node (one rail), a ring all_gather inside the node (grid.hpp). With g ranks
// per node and k nodes a rank sends 2(g-1)/g of the buffer inside its node and 2(k-1)/(kg) outside.
#include "core/collective/hierarchical.hpp"

#include <fmt/format.h>

#include "core/collective/grid.hpp"
#include "core/collective/nodes.hpp"

namespace lockstep {
namespace {

std::vector<GridDimension> dimensions_of(const ScheduleRequest& request) {
  const int per_node = ranks_per_node(request);
  std::vector<GridDimension> dimensions;
  if (per_node > 1) dimensions.push_back({per_node, 1, false});
  if (request.size > per_node) dimensions.push_back({request.size / per_node, per_node, false});
  return dimensions;
}

int threads(const ScheduleRequest& request) { return request.channels; }

std::unique_ptr<Schedule> make(const ScheduleRequest& request, int thread) {
  return std::make_unique<GridRing>(request, dimensions_of(request), partition(request.count, request.channels, thread),
                                    thread, thread);
}

Cost cost(const ScheduleRequest& request) {
  Cost cost;
  const std::int64_t n = request.size;
  if (n == 1 || request.count == 0) return cost;
  const auto width = static_cast<std::int64_t>(request.element_bytes);
  const auto dimensions = dimensions_of(request);
  for (int channel = 0; channel < request.channels; ++channel)
    cost.messages +=
        grid_messages(request.size, dimensions, partition(request.count, request.channels, channel).size());
  cost.steps = grid_steps(dimensions);
  cost.bytes = 2 * (n - 1) * request.count * width;
  std::int64_t share = request.count;
  for (const auto& dimension : dimensions) {
    share = ceil_divide(share, dimension.length);
    cost.phases.push_back({2 * (dimension.length - 1), share * width});
  }
  return cost;
}

// Seen from its rank, a schedule depends on the place in the node alone.
Symmetry symmetry(const ScheduleRequest& request) {
  return rotation_if(grid_is_even(request, dimensions_of(request), request.channels), ranks_per_node(request));
}

}  // namespace

Algorithm hierarchical_algorithm() {
  return {"hierarchical",
          "per rail: reduce_scatter in the node, all_reduce across nodes for each local rank, all_gather in the node",
          {CollectiveKind::all_reduce},
          threads,
          make,
          cost,
          node_refusal,
          symmetry};
}

}  // namespace lockstep
