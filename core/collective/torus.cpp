// Torus: all-reduce by rows, then columns (then planes), grid.hpp. The buffer is dealt to twice as many threads as
// there are dimensions: thread 2i+b begins with dimension i and goes round its rings upwards (b = 0) or downwards (b =
// 1), so every link of a torus is busy in both directions. Source of the order of phases: Mikami, Suganuma, U-chupala,
// Tanaka, Kageyama, "Massively distributed SGD: ImageNet/ResNet-50 training in a flash", arXiv 1811.05233.
#include "core/collective/torus.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/collective/grid.hpp"

namespace lockstep {
namespace {

// The given dimensions that are longer than 1; without any, the most square grid of two.
std::vector<GridDimension> dimensions_of(const ScheduleRequest& request) {
  std::vector<int> lengths;
  for (const int length : request.dimensions)
    if (length > 0) lengths.push_back(length);
  if (lengths.empty()) {
    int rows = 1;
    for (int r = 1; r * r <= request.size; ++r)
      if (request.size % r == 0) rows = r;
    lengths = {rows, request.size / rows};
  }
  std::vector<GridDimension> dimensions;
  int stride = 1;
  for (auto length = lengths.rbegin(); length != lengths.rend(); ++length) {
    if (*length > 1) dimensions.push_back({*length, stride, false});
    stride *= *length;
  }
  return dimensions;
}

int threads_per_channel(const std::vector<GridDimension>& dimensions) {
  return std::max(1, 2 * static_cast<int>(dimensions.size()));
}

// As thread `which` of a channel goes through them.
std::vector<GridDimension> in_order(std::vector<GridDimension> dimensions, int which) {
  if (dimensions.empty()) return dimensions;
  std::rotate(dimensions.begin(), dimensions.begin() + which / 2, dimensions.end());
  for (auto& dimension : dimensions) dimension.backwards = which % 2 == 1;
  return dimensions;
}

int threads(const ScheduleRequest& request) { return request.channels * threads_per_channel(dimensions_of(request)); }

std::unique_ptr<Schedule> make(const ScheduleRequest& request, int thread) {
  const auto dimensions = dimensions_of(request);
  const int per_channel = threads_per_channel(dimensions);
  return std::make_unique<GridRing>(request, in_order(dimensions, thread % per_channel),
                                    partition(request.count, request.channels * per_channel, thread), thread,
                                    thread / per_channel);
}

std::string refusal(const ScheduleRequest& request) {
  std::int64_t product = 1;
  std::string shape;
  for (const int length : request.dimensions) {
    if (length <= 0) continue;
    product *= length;
    shape += fmt::format("{}{}", shape.empty() ? "" : " x ", length);
  }
  if (shape.empty() || product == request.size) return {};
  return fmt::format("dimensions: {} {} {} ranks, the group has {}", shape,
                     shape.find('x') == std::string::npos ? "is" : "are", product, request.size);
}

Cost cost(const ScheduleRequest& request) {
  Cost cost;
  const std::int64_t n = request.size;
  if (n == 1 || request.count == 0) return cost;
  const auto width = static_cast<std::int64_t>(request.element_bytes);
  const auto dimensions = dimensions_of(request);
  const int count = threads(request);
  for (int thread = 0; thread < count; ++thread)
    cost.messages += grid_messages(request.size, in_order(dimensions, thread % threads_per_channel(dimensions)),
                                   partition(request.count, count, thread).size());
  cost.steps = grid_steps(dimensions);
  cost.bytes = 2 * (n - 1) * request.count * width;
  // Threads in different dimensions have rounds of different sizes: what a rank sends in all, spread over the rounds.
  cost.phases = {{cost.steps, ceil_divide(2 * (n - 1) * request.count, n * cost.steps) * width}};
  return cost;
}

}  // namespace

Algorithm torus_algorithm() {
  return {"torus",
          "rings along the dimensions of a grid, in all of them and both ways at once: few steps over short ways",
          {CollectiveKind::all_reduce},
          threads,
          make,
          cost,
          refusal};
}

}  // namespace lockstep
