#include "sim/lower_bound.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <queue>

#include "core/base/catalogue.hpp"
#include "core/base/error.hpp"
#include "core/collective/chain.hpp"
#include "core/topology/max_flow.hpp"
#include "core/workload/row_requests.hpp"
#include "sim/merging.hpp"

namespace lockstep::sim {
namespace {

constexpr int bisection_ranks_at_most = 1024;
// Above these the steps of an algorithm are not walked: the check must cost less than the simulation.
constexpr int walked_ranks_at_most = 64;
constexpr std::int64_t walked_messages_at_most = 20'000;
// Ends of flows are rounded to a picosecond, and a row ends with several of them.
constexpr double rounding = 1e-9;
constexpr double rounding_s = 1e-11;

/// Bytes of a row, as the bounds count them.
struct Volume {
  double whole = 0;
  double block = 0;
};

Volume volume_of(const CollectiveSpec& row, int ranks) {
  const std::int64_t size = row.sizes.empty() ? 0 : row.sizes.front().count();
  const auto width = static_cast<std::int64_t>(element_bytes(row.type));
  const std::int64_t block = size / width / ranks * width;
  return {static_cast<double>(size), static_cast<double>(block)};
}

/// A set A of the ranks, as far as the bounds see it.
struct Side {
  double size = 0;    ///< |A|
  double others = 0;  ///< |B|
  bool has_root = false;
  double leaving = 0;  ///< ranks of A whose next is in B; as many of B have their next in A
};

/// The least that ranks of A send to ranks of B.
double crossing(CollectiveKind kind, const Volume& volume, const Side& a) {
  if (a.size == 0 || a.others == 0) return 0;
  switch (kind) {
    case CollectiveKind::all_reduce:
      return volume.whole;
    case CollectiveKind::reduce:
      return a.has_root ? 0 : volume.whole;
    case CollectiveKind::broadcast:
      return a.has_root ? volume.whole : 0;
    case CollectiveKind::all_gather:
      return a.size * volume.block;
    case CollectiveKind::reduce_scatter:
      return a.others * volume.block;
    case CollectiveKind::all_to_all:
      return a.size * a.others * volume.block;
    case CollectiveKind::send_recv:
      return a.leaving * volume.whole;
    default:
      return 0;  // a barrier; kinds whose bytes differ by rank are bounded by their latency alone
  }
}

/// The least that all ranks send together, without help from switches.
double total(const CollectiveSpec& row, const Volume& volume, int ranks) {
  const double n = ranks;
  switch (row.kind) {
    case CollectiveKind::all_reduce:
      return 2 * (n - 1) * volume.whole;
    case CollectiveKind::reduce:
    case CollectiveKind::broadcast:
      return (n - 1) * volume.whole;
    case CollectiveKind::all_gather:
    case CollectiveKind::reduce_scatter:
    case CollectiveKind::all_to_all:
      return n * (n - 1) * volume.block;
    case CollectiveKind::send_recv:
      return n * volume.whole;
    default:
      return 0;
  }
}

void raise(LowerBound& bound, double time_s, const std::string& reason) {
  if (time_s <= bound.time_s) return;
  bound.time_s = time_s;
  bound.reason = reason;
}

}  // namespace

double LowerBounds::Capacity::time_s(double bytes) const {
  const double bits = 8 * bytes - burst_bits;
  return bits > 0 && bits_per_second > 0 ? bits / bits_per_second : 0;
}

LowerBounds::LowerBounds(const Topology& topology, int ranks) : topology_(topology), ranks_(ranks) {
  const auto add = [](Capacity& capacity, const Link& link) {
    capacity.bits_per_second += static_cast<double>(link.bandwidth.bits_per_second());
    if (link.burst) capacity.burst_bits += 8 * static_cast<double>(link.burst->count());
  };
  std::vector<int> rank_of(topology.devices.size(), -1);
  for (int rank = 0; rank < ranks; ++rank) rank_of[topology.endpoint(rank)] = rank;
  rank_out_.resize(static_cast<std::size_t>(ranks));
  rank_in_.resize(static_cast<std::size_t>(ranks));
  // The least latency between two ranks: a direct link, or the way out of one and the way into another.
  constexpr double never = std::numeric_limits<double>::infinity();
  double direct = never;
  double way_out = never;
  double way_in = never;
  for (const Link& link : topology.links) {
    const int from = rank_of[link.from];
    const int to = rank_of[link.to];
    const double latency_s = to_seconds(link.latency);
    if (from >= 0) {
      add(rank_out_[static_cast<std::size_t>(from)], link);
      add(all_out_, link);
    }
    if (to >= 0) {
      add(rank_in_[static_cast<std::size_t>(to)], link);
      add(all_in_, link);
    }
    if (from >= 0 && to >= 0) direct = std::min(direct, latency_s);
    if (from >= 0 && to < 0) way_out = std::min(way_out, latency_s);
    if (from < 0 && to >= 0) way_in = std::min(way_in, latency_s);
  }
  const double least = std::min(direct, way_out + way_in);
  least_hop_s_ = least < never ? least : 0;
  add_cuts_of_nodes();
  add_bisection();
}

LowerBounds::Cut& LowerBounds::add_cut(std::string name, std::vector<int> ranks) {
  Cut cut;
  cut.name = std::move(name);
  cut.ranks = std::move(ranks);
  std::sort(cut.ranks.begin(), cut.ranks.end());
  for (const int rank : cut.ranks)
    if (!std::binary_search(cut.ranks.begin(), cut.ranks.end(), (rank + 1) % ranks_)) ++cut.leaving;
  return cuts_.emplace_back(std::move(cut));
}

void LowerBounds::add_cuts_of_nodes() {
  std::vector<std::vector<int>> ranks_of(topology_.nodes.size());
  for (int rank = 0; rank < ranks_; ++rank) ranks_of[topology_.node_of_rank(rank)].push_back(rank);
  std::vector<std::size_t> cut_of(topology_.nodes.size(), 0);
  for (NodeId id = 0; id < topology_.nodes.size(); ++id) {
    const auto size = static_cast<int>(ranks_of[id].size());
    if (size == 0 || size == ranks_ || topology_.nodes[id].devices.size() < 2) continue;
    add_cut("node " + topology_.nodes[id].name, ranks_of[id]);
    cut_of[id] = cuts_.size();
  }
  if (cuts_.empty()) return;
  for (const Link& link : topology_.links) {
    const NodeId from = topology_.devices[link.from].node;
    const NodeId to = topology_.devices[link.to].node;
    if (from == to) continue;
    const auto bits = static_cast<double>(link.bandwidth.bits_per_second());
    const double burst = link.burst ? 8 * static_cast<double>(link.burst->count()) : 0;
    if (from != no_id && cut_of[from] > 0) {
      Capacity& out = cuts_[cut_of[from] - 1].out;
      out.bits_per_second += bits;
      out.burst_bits += burst;
    }
    if (to != no_id && cut_of[to] > 0) {
      Capacity& in = cuts_[cut_of[to] - 1].in;
      in.bits_per_second += bits;
      in.burst_bits += burst;
    }
  }
}

void LowerBounds::add_bisection() {
  const int half = ranks_ / 2;
  if (half == 0 || ranks_ > bisection_ranks_at_most) return;
  std::vector<int> first_half;
  for (int rank = 0; rank < half; ++rank) first_half.push_back(rank);
  Cut& cut = add_cut(fmt::format("ranks 0 to {}", half - 1), std::move(first_half));
  double bursts = 0;
  for (const Link& link : topology_.links)
    if (link.burst) bursts += 8 * static_cast<double>(link.burst->count());
  for (const bool outward : {true, false}) {
    const auto source = static_cast<std::uint32_t>(topology_.devices.size());
    MaximumFlow flow(source + 2);
    for (int rank = 0; rank < ranks_; ++rank) {
      const DeviceId device = topology_.endpoint(rank);
      MaximumFlow::Capacity all = 0;
      for (const LinkId link : topology_.links_from(device)) {
        all += topology_.links[link].bandwidth.bits_per_second();
        all += topology_.links[link ^ 1U].bandwidth.bits_per_second();
      }
      if (rank < half)
        flow.add_edge(source, device, outward ? all : 0, outward ? 0 : all);
      else
        flow.add_edge(device, source + 1, outward ? all : 0, outward ? 0 : all);
    }
    for (const Link& link : topology_.links) flow.add_edge(link.from, link.to, link.bandwidth.bits_per_second(), 0);
    const auto bits = outward ? flow.solve(source, source + 1) : flow.solve(source + 1, source);
    (outward ? cut.out : cut.in) = {static_cast<double>(bits), bursts};
  }
}

/// From a rank to the farthest (or the next) of the others, by Dijkstra's algorithm over latencies.
double LowerBounds::least_latency(int from, bool farthest) const {
  std::vector<std::int64_t> distance(topology_.devices.size(), std::numeric_limits<std::int64_t>::max());
  using Entry = std::pair<std::int64_t, DeviceId>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue;
  distance[topology_.endpoint(from)] = 0;
  queue.emplace(0, topology_.endpoint(from));
  while (!queue.empty()) {
    const auto [at, device] = queue.top();
    queue.pop();
    if (at > distance[device]) continue;
    for (const LinkId id : topology_.links_from(device)) {
      const Link& link = topology_.links[id];
      const std::int64_t there = at + link.latency.count() + topology_.devices[link.to].latency.count();
      if (there >= distance[link.to]) continue;
      distance[link.to] = there;
      queue.emplace(there, link.to);
    }
  }
  if (!farthest) return to_seconds(Duration{distance[topology_.endpoint((from + 1) % ranks_)]});
  std::int64_t most = 0;
  for (int rank = 0; rank < ranks_; ++rank) most = std::max(most, distance[topology_.endpoint(rank)]);
  return to_seconds(Duration{most});
}

LowerBound LowerBounds::of_cuts(const CollectiveSpec& row, bool combining_switches) const {
  LowerBound bound;
  if (ranks_ < 2) return bound;
  const Volume volume = volume_of(row, ranks_);
  // Where there are fewer elements than ranks, some kinds have nothing to send at all.
  if (row.kind == CollectiveKind::barrier || total(row, volume, ranks_) > 0)
    raise(bound, least_latency(row.root, row.kind != CollectiveKind::send_recv), "the latency between two ranks");
  const auto hold = [&](double size, bool has_root, double leaving, const Capacity& out, const Capacity& in,
                        const auto& name) {
    const Side side{size, ranks_ - size, has_root, leaving};
    const Side others{ranks_ - size, size, !has_root, leaving};
    const double leaves_s = out.time_s(crossing(row.kind, volume, side));
    const double arrives_s = in.time_s(crossing(row.kind, volume, others));
    if (leaves_s > bound.time_s) raise(bound, leaves_s, "what has to leave " + name());
    if (arrives_s > bound.time_s) raise(bound, arrives_s, "what has to reach " + name());
  };
  for (int rank = 0; rank < ranks_; ++rank) {
    const auto i = static_cast<std::size_t>(rank);
    hold(1, rank == row.root, 1, rank_out_[i], rank_in_[i], [&] { return fmt::format("rank {}", rank); });
  }
  for (const Cut& cut : cuts_)
    hold(static_cast<double>(cut.ranks.size()), std::binary_search(cut.ranks.begin(), cut.ranks.end(), row.root),
         cut.leaving, cut.out, cut.in, [&] { return cut.name; });
  if (!combining_switches) {
    const double bytes = total(row, volume, ranks_);
    raise(bound, std::max(all_out_.time_s(bytes), all_in_.time_s(bytes)), "what all ranks together have to send");
  }
  return bound;
}

LowerBound LowerBounds::of_algorithm(std::string_view name, const ScheduleRequest& request) const {
  LowerBound bound;
  const Algorithm* algorithm = find_in(algorithm_catalogue(), name);
  if (ranks_ < 2 || algorithm == nullptr || !algorithm->supports(request.kind)) return bound;
  const Cost cost = algorithm->cost(request);
  raise(bound, all_out_.time_s(static_cast<double>(cost.bytes)), "what the algorithm sends");
  if (ranks_ > walked_ranks_at_most || cost.messages > walked_messages_at_most) return bound;
  const ScheduleTotals totals = schedule_totals(request, *algorithm);
  raise(bound, static_cast<double>(totals.longest_chain) * least_hop_s_,
        fmt::format("{} messages of which each waits for the one before", totals.longest_chain));
  for (std::size_t rank = 0; rank < totals.sent.size(); ++rank) {
    raise(bound, rank_out_[rank].time_s(static_cast<double>(totals.sent[rank])),
          fmt::format("what rank {} sends by this algorithm", rank));
    raise(bound, rank_in_[rank].time_s(static_cast<double>(totals.received[rank])),
          fmt::format("what rank {} receives by this algorithm", rank));
  }
  return bound;
}

void check_lower_bounds(const Topology& topology, const PlannedWorkload& planned,
                        const std::vector<CollectiveRow>& rows, double tolerance) {
  LOCKSTEP_CHECK(rows.size() == planned.rows.size(), "{} rows of {} planned", rows.size(), planned.rows.size());
  const LowerBounds bounds(topology, planned.plan.ranks);
  const auto requests = row_requests(planned);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const CollectiveSpec& spec = planned.rows[i].spec;
    // Merged messages are fewer than the algorithm's ranks send.
    const Algorithm* algorithm = find_in(algorithm_catalogue(), rows[i].algorithm);
    const bool merges = algorithm != nullptr && algorithm->merges && any_switch_reduces(topology);
    for (const LowerBound& bound :
         {bounds.of_cuts(spec, merges), merges ? LowerBound{} : bounds.of_algorithm(rows[i].algorithm, requests[i])})
      LOCKSTEP_CHECK(rows[i].time_s >= bound.time_s * (1 - rounding - tolerance) - rounding_s,
                     "{} by {} of {} bytes on {} ranks takes {} s, and {} alone takes {} s", to_string(spec.kind),
                     rows[i].algorithm, rows[i].size_bytes, planned.plan.ranks, rows[i].time_s, bound.reason,
                     bound.time_s);
  }
}

}  // namespace lockstep::sim
