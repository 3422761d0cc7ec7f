// The shortest paths between two hubs, found from both ends.
//
// Whole layers are searched around source and target, each time around the one whose next layer has fewer links, until
// they meet. In a network of large nodes that is their insides and the switches between: a switch with thousands of
// ports is met, not searched. The result is the same as that of distances from all hubs to the target: all shortest
// paths on which what lies between the ends forwards.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/topology/hub_graph.hpp"

namespace lockstep {

class ShortestPaths {
 public:
  std::uint32_t length = 0;
  std::vector<std::pair<std::uint32_t, LinkId>>
      steps;  ///< hubs on the paths with the links by which they go on, sorted
  /// The links by which a hub on the paths goes on.
  [[nodiscard]] std::span<const std::pair<std::uint32_t, LinkId>> from(std::uint32_t hub) const;
};

class PairSearch {
 public:
  explicit PairSearch(const HubGraph& graph);
  /// Between the two, what is above `most` does not forward. None if there is no path.
  std::optional<ShortestPaths> between(std::uint32_t source, std::uint32_t target, std::uint8_t most);

 private:
  struct Edge {
    std::uint32_t inner;  // nearer to the side's end
    std::uint32_t outer;
    LinkId link;  // from the inner one to the outer one
  };
  // What has been found around one of the ends.
  struct Side {
    std::uint32_t end = 0;
    std::uint32_t depth = 0;
    std::vector<std::uint32_t> seen;      // by hub: the search that saw it
    std::vector<std::uint32_t> distance;  // of those
    std::vector<std::uint32_t> frontier;
    std::vector<Edge> edges;  // by layer
    std::size_t work = 0;     // links from the frontier
  };
  void begin(Side& side, std::uint32_t end);
  void expand(Side& side, std::uint8_t most);

  const HubGraph& graph_;
  Side sides_[2];
  std::vector<std::uint32_t> on_path_;  // by hub: the search that found it on a path
  std::vector<std::uint32_t> next_;
  std::uint32_t search_ = 0;
};

}  // namespace lockstep
