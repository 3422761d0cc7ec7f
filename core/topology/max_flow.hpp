// Maximum flow in integers: Dinic's algorithm (Soviet Math. Doklady 11, 1970), O(V^2 E) at worst, near-linear on the
// layered networks of clusters.
#pragma once

#include <cstdint>
#include <vector>

namespace lockstep {

class MaximumFlow {
 public:
  using Capacity = __int128;  // sums of bandwidths of a large cluster may pass 2^63 bit/s

  explicit MaximumFlow(std::uint32_t vertices) : first_(vertices, none) {}

  /// An edge with a capacity in each direction (>= 0).
  void add_edge(std::uint32_t from, std::uint32_t to, Capacity forward, Capacity backward);
  /// The greatest flow from source to sink; to be called once.
  Capacity solve(std::uint32_t source, std::uint32_t sink);

 private:
  static constexpr std::uint32_t none = 0xFFFFFFFF;
  struct Edge {
    std::uint32_t to;
    std::uint32_t next;  // of the same vertex
    Capacity capacity;
  };
  bool layer(std::uint32_t source, std::uint32_t sink);
  Capacity augment(std::uint32_t source, std::uint32_t sink);

  std::vector<std::uint32_t> first_;
  std::vector<Edge> edges_;  // 2i and 2i + 1 are opposite
  std::vector<std::uint32_t> level_;
  std::vector<std::uint32_t> current_;
  std::vector<std::uint32_t> path_;  // edges
};

}  // namespace lockstep
