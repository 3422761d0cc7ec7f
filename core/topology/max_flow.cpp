#include "core/topology/max_flow.hpp"

#include <algorithm>

namespace lockstep {

void MaximumFlow::add_edge(std::uint32_t from, std::uint32_t to, Capacity forward, Capacity backward) {
  const auto id = static_cast<std::uint32_t>(edges_.size());
  edges_.push_back({to, first_[from], forward});
  first_[from] = id;
  edges_.push_back({from, first_[to], backward});
  first_[to] = id + 1;
}

bool MaximumFlow::layer(std::uint32_t source, std::uint32_t sink) {
  level_.assign(first_.size(), none);
  level_[source] = 0;
  std::vector<std::uint32_t> queue{source};
  for (std::size_t next = 0; next < queue.size() && level_[sink] == none; ++next) {
    for (std::uint32_t edge = first_[queue[next]]; edge != none; edge = edges_[edge].next) {
      const std::uint32_t to = edges_[edge].to;
      if (edges_[edge].capacity == 0 || level_[to] != none) continue;
      level_[to] = level_[queue[next]] + 1;
      queue.push_back(to);
    }
  }
  return level_[sink] != none;
}

// One augmenting path in the layers, without recursion: a ring of 100,000 switches is as deep as it is long.
MaximumFlow::Capacity MaximumFlow::augment(std::uint32_t source, std::uint32_t sink) {
  path_.clear();
  std::uint32_t at = source;
  while (at != sink) {
    std::uint32_t& edge = current_[at];
    while (edge != none && (edges_[edge].capacity == 0 || level_[edges_[edge].to] != level_[at] + 1))
      edge = edges_[edge].next;
    if (edge != none) {
      path_.push_back(edge);
      at = edges_[edge].to;
      continue;
    }
    if (at == source) return 0;
    at = edges_[path_.back() ^ 1U].to;  // a dead end: step back and leave that edge out
    path_.pop_back();
    current_[at] = edges_[current_[at]].next;
  }
  Capacity least = edges_[path_[0]].capacity;
  for (const std::uint32_t edge : path_) least = std::min(least, edges_[edge].capacity);
  for (const std::uint32_t edge : path_) {
    edges_[edge].capacity -= least;
    edges_[edge ^ 1U].capacity += least;
  }
  return least;
}

MaximumFlow::Capacity MaximumFlow::solve(std::uint32_t source, std::uint32_t sink) {
  Capacity total = 0;
  while (layer(source, sink)) {
    current_ = first_;
    while (const Capacity flow = augment(source, sink)) total += flow;
  }
  return total;
}

}  // namespace lockstep
