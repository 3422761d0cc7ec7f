// Flows sharing links, max-min fair: a library of its own, which knows neither ranks nor topologies.
//
// Quantities: a *resource* has a capacity C (bit/s) and optionally a token bucket of b bits; a *flow* has a route (a
// set of resources) and a size (bits). Rates r_f are the max-min fair allocation: no resource carries more than C, and
// no flow's rate can be raised without lowering that of a flow that is no faster (Bertsekas and Gallager, "Data
// Networks", 6.5). Between changes rates are constant, so a flow ends at t + remaining / r_f. Method: progressive
// filling, in the order of the resources' fair levels, and only on the connected part of the sharing graph that a start
// or an end has touched; all starts and ends of one moment are solved once; a flow that shares nothing needs no
// solving. Token bucket: a resource saves what it does not use, up to b bits, and does not limit the flows on it while
// it has saved some: d saved / dt = C - sum r_f, between 0 and b; where it reaches 0, C limits again. A flow that
// starts where every link of the route has saved something takes the least of it at once (shared equally among the
// flows that start there in the same moment). This is the fluid limit of tc-tbf with a peak rate far above C.
// Assumptions: fluid (no packets), rates adapt at once, fair sharing as ideal TCP flows of equal round-trip time reach
// it. When it is wrong: transfers of a few packets, incast with drops, flows whose windows limit them. Times are
// picoseconds; end times are rounded to the nearest.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace lockstep::sim {

using FlowId = std::uint32_t;
using ResourceId = std::uint32_t;

class FlowNetwork {
 public:
  ResourceId add_resource(double bits_per_second, double burst_bits = 0);
  /// A rate that is no link (a processor's): it limits flows and lets bursts pass.
  ResourceId add_rate(double bits_per_second);
  /// A quiet spell: every token bucket is full again. No flow may be active on a resource with a bucket.
  void rest(std::int64_t now);
  void set_capacity(ResourceId resource, double bits_per_second);
  [[nodiscard]] std::size_t resource_count() const { return resources_.size(); }

  /// A flow of `bits` > 0 over `route` (not empty, no resource twice) from now on. Nothing happens before settle(). The
  /// route must stay valid while the flow lives.
  FlowId start(std::span<const ResourceId> route, double bits);
  /// The flow whose end has come leaves. Its id is reused later.
  void finish(FlowId flow);

  /// The end of a flow as known now. `version` tells it from earlier predictions for the same id.
  struct End {
    FlowId flow = 0;
    std::uint32_t version = 0;
    std::int64_t time = 0;
  };
  /// Brings rates up to date after the starts and finishes of this moment; returns the flows whose end is new or has
  /// changed (valid until the next call). `now` never decreases.
  const std::vector<End>& settle(std::int64_t now);

  /// A bucket that will be empty, as known now: from then on its resource limits. `version` as for an end.
  struct Drain {
    ResourceId resource = 0;
    std::uint32_t version = 0;
    std::int64_t time = 0;
  };
  /// The buckets whose emptying the last settle() found (valid until the next).
  [[nodiscard]] const std::vector<Drain>& drains() const { return drains_; }
  /// The time of a drain has come: unless it has changed since, the resource limits after the next settle().
  void drain(ResourceId resource, std::uint32_t version);
  [[nodiscard]] bool current(FlowId flow, std::uint32_t version) const {
    return flows_[flow].alive && flows_[flow].version == version;
  }
  [[nodiscard]] bool needs_settling() const { return !touched_.empty(); }

  [[nodiscard]] double rate(FlowId flow) const { return flows_[flow].rate; }
  [[nodiscard]] std::uint32_t version(FlowId flow) const { return flows_[flow].version; }
  /// When at most `bits` of a flow are left, as known now: not before `now`. Nothing while it waits for settle().
  [[nodiscard]] std::optional<std::int64_t> left_at(FlowId flow, double bits, std::int64_t now) const;
  [[nodiscard]] std::size_t active() const { return active_; }
  /// Sum of the rates on a resource now, in bit/s.
  [[nodiscard]] double load(ResourceId resource) const;
  /// How many flows have been given new rates by progressive filling so far (what tests of locality look at).
  [[nodiscard]] std::uint64_t solved_flows() const { return solved_flows_; }

 private:
  struct Flow {
    std::span<const ResourceId> route;
    std::vector<std::uint32_t> position;  // in each resource's list
    double remaining = 0;                 // bits, at `updated`
    double rate = 0;
    double grant = 0;  // of the bursts of this moment
    std::int64_t updated = 0;
    std::uint32_t version = 0;
    bool alive = false;
    bool fresh = false;
    std::uint64_t mark = 0;
  };
  struct Member {
    FlowId flow;
    std::uint32_t hop;  // of the flow's route
  };
  struct Resource {
    double capacity = 0;
    double burst = 0;
    bool passes_bursts = false;
    double tokens = 0;
    double used = 0;  // sum of rates, kept for resources with a bucket
    std::int64_t tokens_at = 0;
    std::uint32_t version = 0;  // of what is known of the bucket
    bool drained = false;
    std::vector<Member> flows;
    bool touched = false;
    std::uint64_t mark = 0;
    // scratch of the solver
    double residual = 0;
    std::uint32_t unfixed = 0;
    std::uint32_t starting = 0;
  };

  void touch(ResourceId resource);
  void refill(Resource& resource, std::int64_t now);
  void use(ResourceId resource, std::int64_t now);
  [[nodiscard]] static bool limits(const Resource& resource) { return resource.tokens <= 0; }
  void grant_bursts(std::int64_t now);
  void solve_component(ResourceId seed, std::int64_t now);
  void set_rate(FlowId id, double rate, std::int64_t now);

  std::vector<Resource> resources_;
  std::vector<Flow> flows_;
  std::vector<FlowId> free_;
  std::vector<ResourceId> touched_;
  std::vector<FlowId> started_;
  std::vector<End> ends_;
  std::vector<ResourceId> component_;
  std::vector<FlowId> component_flows_;
  std::vector<std::pair<double, ResourceId>> heap_;
  std::vector<ResourceId> bucketed_;
  std::vector<FlowId> bursting_;
  std::vector<Drain> drains_;
  mutable std::vector<double> rates_;  // scratch of load()
  std::uint64_t mark_ = 0;
  std::size_t active_ = 0;
  std::uint64_t solved_flows_ = 0;
};

}  // namespace lockstep::sim
