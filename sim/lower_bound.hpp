// What no execution can beat: the invariant that every simulated row is held against.
//
// Quantities: n ranks, S bytes (the whole buffer of one rank), block = floor(elements / n) of it. For a set A of the
// ranks and the others B, whatever the algorithm,
//
//   kind                          bytes from A to B at least              bytes sent by all ranks together at least
//   all_reduce                    S                                       2 (n - 1) S
//   reduce, broadcast             S if the root is in B, in A             (n - 1) S
//   all_gather, reduce_scatter    |A| block, |B| block                    n (n - 1) block
//   all_to_all                    |A| |B| block                           n (n - 1) block
//   send_recv                     S per rank of A whose next is in B      n S
//
// and the time is at least (bytes - what token buckets let pass at once) / capacity, for these cuts: every rank from
// the rest (all that leaves or reaches its device), every node of several devices, the first half of the ranks from the
// second (the least cut, up to 1,024 ranks), and for the totals the sum of all that leaves the ranks' devices. The
// totals do not hold where switches combine or multiply data (NVLS, SHARP), and are left out there. 2 (n - 1) per
// element is the least number of one-way messages by which n gossips know everything (Baker and Shostak, "Gossips and
// telephones", 1972, for the two-way case; Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms for clusters of
// workstations", 2009). Data of one rank reach another no sooner than the least latency between the two.
//
// Of the algorithm: the bytes that it sends (Cost, core/collective/schedule.hpp) over the sum of all that leaves the
// ranks' devices; and, counted on the steps of up to 64 ranks (core/collective/chain.hpp), its longest chain of
// messages times the least latency between two ranks, and what every rank sends and receives over its own links.
//
// Assumptions: software costs nothing, every byte is payload; so the bounds hold under every profile.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/collective/schedule.hpp"
#include "core/timeline/result.hpp"
#include "core/topology/topology.hpp"
#include "core/workload/workload.hpp"

namespace lockstep::sim {

struct LowerBound {
  double time_s = 0;
  std::string reason;  ///< "the link of rank 3", ...; empty where the bound is 0
};

class LowerBounds {
 public:
  /// Works out the cuts: O(links), and a maximum flow up to 1,024 ranks. The topology must outlive it.
  LowerBounds(const Topology& topology, int ranks);

  /// Of any algorithm; `combining_switches` where the network itself combines or multiplies data.
  [[nodiscard]] LowerBound of_cuts(const CollectiveSpec& row, bool combining_switches = false) const;
  /// Of an algorithm of the catalogue; 0 for others.
  [[nodiscard]] LowerBound of_algorithm(std::string_view name, const ScheduleRequest& request) const;

 private:
  struct Capacity {
    double bits_per_second = 0;
    double burst_bits = 0;
    [[nodiscard]] double time_s(double bytes) const;
  };
  struct Cut {
    std::string name;
    std::vector<int> ranks;  ///< ascending
    double leaving = 0;      ///< those whose next rank is outside
    Capacity out, in;
  };
  Cut& add_cut(std::string name, std::vector<int> ranks);
  void add_cuts_of_nodes();
  void add_bisection();
  [[nodiscard]] double least_latency(int from, bool farthest) const;

  const Topology& topology_;
  int ranks_;
  std::vector<Capacity> rank_out_, rank_in_;
  Capacity all_out_, all_in_;
  double least_hop_s_ = 0;
  std::vector<Cut> cuts_;
};

/// A broken invariant if a row of `rows` (by index those of `planned`) is faster than its bounds, by more than the
/// share `tolerance` of them.
void check_lower_bounds(const Topology& topology, const PlannedWorkload& planned,
                        const std::vector<CollectiveRow>& rows, double tolerance = 0);

}  // namespace lockstep::sim
