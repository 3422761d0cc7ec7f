// Flows sharing links, max-min fair: a library of its own, which knows neither ranks nor topologies.
//
// Quantities: a *resource* has a capacity C (bit/s) and optionally a token bucket of b bits; a *route* is a set of
// resources, each with a weight w; a *flow* has a route and a size (bits). A flow of rate r takes w r of a resource of
// its route: weight 1 is a flow over a link, and where one resource stands for several equal ones (folding), w is how
// many of the flows that the route's flow stands for cross one of them.
//
// Rates are the max-min fair allocation: no resource carries more than C, and no flow's rate can be raised without
// lowering that of a flow that is no faster (Bertsekas and Gallager, "Data Networks", 6.5). It is unique. Method:
// progressive filling, in the order of the resources' fair levels. The *level* of a resource is the rate at which it
// becomes full, (C - what its slower flows take) / (weights of the others): those others get it.
//  - Whole numbers: rates are multiples of a quantum q (a power of two, at most 2^-59 of the largest capacity), levels
//    are rounded down. So sums are exact in any order, no resource ever carries more than C, and a rate differs from
//    the real-valued one by less than (flows of the resource) q.
//  - Only what is touched: let x be the least level at which a resource that gained or lost a flow fills up now, or did
//    before. Below x the filling goes as it went, so flows slower than x keep their rates; only the flows from x on
//    that are joined to a touched resource, directly or through others of their kind, are filled again.
//  - Flows of one route are one to the filling, and all starts and ends of a moment are filled once.
//  - A route that shares no resource needs no filling.
//
// Between changes rates are constant, so a flow ends at t + remaining / r. Token bucket: a resource saves what it does
// not use, up to b bits, and does not limit the flows on it while it has saved some: d saved / dt = C - sum w r,
// between 0 and b; where it reaches 0, C limits again. A flow that starts where every link of the route has saved
// something takes the least of it at once (shared equally among the flows that start there in the same moment). This is
// the fluid limit of tc-tbf with a peak rate far above C.
//
// Assumptions: fluid (no packets), rates adapt at once, fair sharing as ideal TCP flows of equal round-trip time reach
// it. When it is wrong: transfers of a few packets, incast with drops, flows whose windows limit them. Times are
// picoseconds; ends are rounded to the nearest. Cost of a change: the members of the resources that are filled again,
// and log of these resources for each that becomes full.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "sim/engine/indexed_heap.hpp"

namespace lockstep::sim {

using FlowId = std::uint32_t;
using ResourceId = std::uint32_t;
using RouteId = std::uint32_t;

class FlowNetwork {
 public:
  static constexpr std::int64_t never = IndexedHeap::never;

  ResourceId add_resource(double bits_per_second, double burst_bits = 0);
  /// A rate that is no link (a processor's): it limits flows and lets bursts pass.
  ResourceId add_rate(double bits_per_second);
  [[nodiscard]] std::size_t resource_count() const { return resources_.size(); }

  struct Hop {
    ResourceId resource = 0;
    std::uint32_t weight = 1;
  };
  /// Not empty, no resource twice.
  RouteId add_route(std::span<const Hop> hops);
  RouteId add_route(std::span<const ResourceId> resources);

  /// A quiet spell: every token bucket is full again. No flow may be active on a resource with a bucket.
  void rest(std::int64_t now);
  /// From now on. What the bucket saved so far stays. 0: nothing passes; what is on its way waits.
  void set_capacity(ResourceId resource, double bits_per_second, std::int64_t now);

  /// A flow of `bits` > 0 from now on; `tag` is the caller's. Nothing happens before settle().
  FlowId start(RouteId route, double bits, std::int64_t now, std::uint32_t tag = 0);
  /// The caller will be told once, by take_due(), when at most `bits` of the flow are left.
  void watch(FlowId flow, double bits, std::int64_t now);
  /// Brings rates up to date after the starts, ends and drains of this moment. `now` never decreases.
  void settle(std::int64_t now);
  [[nodiscard]] bool needs_settling() const { return !touched_.empty() || !started_.empty(); }

  /// The next moment at which something happens by itself; `never` if nothing does. Known after settle().
  [[nodiscard]] std::int64_t next() const { return std::min(ends_.top_time(), drains_.top_time()); }
  struct Due {
    FlowId flow = 0;
    std::uint32_t tag = 0;
    bool ended = false;  ///< else: a watch
  };
  /// What happens now, in no defined order: flows that end (they leave; their ids are used again) and watches. Buckets
  /// that run dry now limit from the next settle() on. To be called until next() is later than now.
  const std::vector<Due>& take_due(std::int64_t now);

  /// In bit/s, as of the last settle().
  [[nodiscard]] double rate(FlowId flow) const;
  [[nodiscard]] std::size_t active() const { return active_; }
  /// Sum of weight x rate on a resource now, in bit/s.
  [[nodiscard]] double load(ResourceId resource) const;
  [[nodiscard]] double capacity(ResourceId resource) const { return resources_[resource].bits_per_second; }
  /// What the token buckets have saved, in the order of their resources.
  [[nodiscard]] std::vector<double> saved_bits(std::int64_t now);
  /// The same of one resource; 0 where it has no token bucket.
  [[nodiscard]] double saved_bits(ResourceId resource, std::int64_t now);
  /// How many routes have been filled so far (what tests of locality look at).
  [[nodiscard]] std::uint64_t filled_routes() const { return filled_routes_; }

 private:
  using Rate = std::int64_t;  // in quanta
  static constexpr Rate unlimited = std::numeric_limits<Rate>::max();
  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

  struct Flow {
    double remaining = 0;  // bits, when the route was last brought up to date
    double watch = -1;     // bits left; < 0: none
    RouteId route = none;  // none: free
    std::uint32_t previous = none;
    std::uint32_t next = none;  // of the route's flows
    std::uint32_t tag = 0;
  };
  struct Route {
    std::uint32_t first_hop = 0;
    std::uint32_t hops = 0;
    std::uint32_t count = 0;  // of active flows
    FlowId first = none;
    Rate rate = 0;  // of each flow; unlimited: nothing has limited it yet
    std::int64_t updated = 0;
    std::uint64_t mark = 0;
    bool changed = false;  // in its flows
    bool plain = true;     // all weights are 1
  };
  struct RouteHop {
    ResourceId resource;
    std::uint32_t weight;
    std::uint32_t position;  // among the resource's members; `none`: not among them
  };
  struct Member {
    RouteId route;
    std::uint32_t hop;  // index of a RouteHop
  };
  struct alignas(64) Resource {  // a line of memory
    double bits_per_second = 0;
    Rate capacity = 0;
    Rate level = unlimited;    // at which it is full; unlimited: it is not
    std::uint32_t active = 0;  // routes that have flows
    std::uint32_t bucket = none;
    std::vector<Member> members;  // those, and some that had: a route that is used again finds itself here
    bool passes_bursts = false;
    bool touched = false;
    bool gained = false;  // a flow, or lost capacity: it may fill up earlier than before
  };
  static_assert(sizeof(Resource) == 64);
  struct Bucket {
    ResourceId resource = 0;
    double size = 0;
    double saved = 0;
    double used = 0;  // sum of weight x rate
    std::int64_t at = 0;
    std::uint64_t starting = 0;  // weights of the flows that start now
    bool changed = false;
  };
  struct Filling {  // scratch of fill(), by resource
    Rate residual = 0;
    std::int64_t open = 0;  // weights of flows without a rate
    std::uint64_t mark = 0;
  };

  [[nodiscard]] double to_bits(Rate rate) const { return static_cast<double>(rate) * quantum_; }
  [[nodiscard]] std::span<RouteHop> hops_of(Route& route) {
    return std::span<RouteHop>(hops_).subspan(route.first_hop, route.hops);
  }
  [[nodiscard]] std::span<const RouteHop> hops_of(const Route& route) const {
    return std::span<const RouteHop>(hops_).subspan(route.first_hop, route.hops);
  }
  [[nodiscard]] Rate quanta(double bits_per_second) const {
    return bits_per_second > 0 ? std::max<Rate>(1, static_cast<Rate>(bits_per_second / quantum_)) : 0;
  }
  [[nodiscard]] bool limits(const Resource& resource) const {
    return resource.bucket == none || buckets_[resource.bucket].saved <= 0 || resource.capacity == 0;
  }
  void fit_quantum(double bits_per_second);
  void touch(ResourceId resource);
  void drop_idle(Resource& resource);
  void note_bucket(const Resource& resource);
  void end(FlowId flow);
  void advance(Route& route, std::int64_t now);
  [[nodiscard]] std::int64_t next_of(const Route& route) const;
  void refill(Bucket& bucket, std::int64_t now);
  void prepare_buckets(std::int64_t now);
  void grant_bursts();
  void use_buckets(std::int64_t now);
  void set_alone(RouteId id, std::int64_t now);
  [[nodiscard]] bool alone(const Route& route) const;
  [[nodiscard]] Rate first_difference(const Resource& resource) const;
  void fill(ResourceId seed, Rate from, std::int64_t now);
  void set_rate(RouteId id, Rate rate, std::int64_t now);
  void schedule_ends();

  double quantum_ = 0;
  double largest_ = 0;  // capacity that the quantum was chosen for
  std::vector<Resource> resources_;
  std::vector<Bucket> buckets_;
  std::vector<Route> routes_;
  std::vector<RouteHop> hops_;
  std::vector<Flow> flows_;
  std::vector<FlowId> free_;
  std::size_t active_ = 0;

  std::vector<ResourceId> touched_;
  std::vector<FlowId> started_;
  std::vector<std::pair<RouteId, std::int64_t>> rerated_;  // by this settle(), and when it has its next end or watch
  std::vector<std::uint32_t> changed_buckets_;
  std::vector<Due> due_;
  std::vector<RouteId> ending_;
  IndexedHeap ends_;    // by route: the next end or watch
  IndexedHeap drains_;  // by bucket

  std::vector<std::pair<Rate, ResourceId>> seeds_;
  std::vector<ResourceId> component_;
  std::vector<RouteId> component_routes_;
  std::vector<std::pair<Rate, ResourceId>> heap_;
  std::vector<Filling> filling_;
  std::vector<FlowId> bursting_;
  std::vector<std::pair<double, FlowId>> grants_;
  std::uint64_t mark_ = 0;
  std::uint64_t filled_routes_ = 0;
};

}  // namespace lockstep::sim
