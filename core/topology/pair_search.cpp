#include "core/topology/pair_search.hpp"

#include <algorithm>

namespace lockstep {

std::span<const std::pair<std::uint32_t, LinkId>> ShortestPaths::from(std::uint32_t hub) const {
  const auto first = std::lower_bound(steps.begin(), steps.end(), std::pair<std::uint32_t, LinkId>{hub, 0});
  auto last = first;
  while (last != steps.end() && last->first == hub) ++last;
  return {first, last};
}

PairSearch::PairSearch(const HubGraph& graph) : graph_(graph), on_path_(graph.size(), 0) {
  for (Side& side : sides_) {
    side.seen.resize(graph.size(), 0);
    side.distance.resize(graph.size(), 0);
  }
}

void PairSearch::begin(Side& side, std::uint32_t end) {
  side.end = end;
  side.depth = 0;
  side.seen[end] = search_;
  side.distance[end] = 0;
  side.frontier.assign(1, end);
  side.edges.clear();
  side.work = graph_.links_from(end).size();
}

void PairSearch::expand(Side& side, std::uint8_t most) {
  next_.clear();
  side.work = 0;
  for (const std::uint32_t inner : side.frontier) {
    if (inner != side.end && graph_.level(inner) > most) continue;
    for (const LinkId link : graph_.links_from(inner)) {
      const std::uint32_t outer = graph_.target_of(link);
      if (side.seen[outer] != search_) {
        side.seen[outer] = search_;
        side.distance[outer] = side.depth + 1;
        side.work += graph_.links_from(outer).size();
        next_.push_back(outer);
      }
      if (side.distance[outer] == side.depth + 1) side.edges.push_back({inner, outer, link});
    }
  }
  ++side.depth;
  side.frontier.swap(next_);
}

std::optional<ShortestPaths> PairSearch::between(std::uint32_t source, std::uint32_t target, std::uint8_t most) {
  ++search_;
  ShortestPaths paths;
  if (source == target) return paths;
  begin(sides_[0], source);
  begin(sides_[1], target);
  bool met = false;
  while (!met) {
    Side& side = sides_[0].work <= sides_[1].work ? sides_[0] : sides_[1];
    const Side& other = &side == &sides_[0] ? sides_[1] : sides_[0];
    expand(side, most);
    if (side.frontier.empty()) return std::nullopt;
    // No hub was seen from both ends before, so whoever is now is as far from the other end as its last layer.
    for (const std::uint32_t hub : side.frontier) {
      if (other.seen[hub] != search_ || (hub != other.end && graph_.level(hub) > most)) continue;
      on_path_[hub] = search_;
      met = true;
    }
  }
  paths.length = sides_[0].depth + sides_[1].depth;
  // From where they met back to both ends: edges were found layer by layer, so those further out come first now.
  for (int s = 0; s < 2; ++s) {
    const auto& edges = sides_[s].edges;
    for (auto edge = edges.rbegin(); edge != edges.rend(); ++edge) {
      if (on_path_[edge->outer] != search_) continue;
      on_path_[edge->inner] = search_;
      if (s == 0)
        paths.steps.emplace_back(edge->inner, edge->link);
      else
        paths.steps.emplace_back(edge->outer, edge->link ^ 1U);
    }
  }
  std::sort(paths.steps.begin(), paths.steps.end());
  return paths;
}

}  // namespace lockstep
