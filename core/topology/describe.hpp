// What a topology looks like, for people and programs: `lockstep topology show`.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "core/topology/routing.hpp"
#include "core/topology/topology.hpp"

namespace lockstep {

struct TopologySummary {
  std::size_t hosts = 0, gpus = 0, nics = 0, switches = 0, cables = 0;
  int ranks = 0;
  int diameter_links = 0;        ///< the longest shortest path between two ranks, in links
  Duration diameter_latency{0};  ///< its latency
  Bandwidth bisection;  ///< least cut between the two halves of the ranks in rank order (maximum flow), one direction
  bool diameter_sampled = false;  ///< more than 512 ranks: from 64 sources
};

TopologySummary summarise(const Topology& topology);
std::string to_text(const Topology& topology, const TopologySummary& summary);
std::string to_dot(const Topology& topology);
nlohmann::ordered_json to_json(const Topology& topology, const TopologySummary& summary);
/// "rank 0 (h0) -> rank 3 (h3): h0 -> switch -> h3, 2 links, 100us, 1Gbps"
std::string describe_route(const Topology& topology, const Routing& routing, int from_rank, int to_rank);

}  // namespace lockstep
