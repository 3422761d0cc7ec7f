#include "sim/network/flow.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/base/error.hpp"

namespace lockstep::sim {
namespace {

constexpr double picoseconds_per_second = 1e12;
constexpr double least_saved = 1;  // bits; what rounding leaves in a bucket is none
constexpr int capacity_bits = 59;  // of the largest capacity in quanta

std::int64_t time_to_move(double bits, double rate) {
  if (bits <= 0) return 0;
  const double time = bits * picoseconds_per_second / rate + 0.5;
  LOCKSTEP_CHECK(time < 9.2e18, "a flow of {} bits at {} bit/s takes longer than the clock can count", bits, rate);
  return static_cast<std::int64_t>(time);
}

}  // namespace

// --- Resources and routes ---

void FlowNetwork::fit_quantum(double bits_per_second) {
  if (bits_per_second < largest_) return;
  int exponent = 0;
  static_cast<void>(std::frexp(bits_per_second, &exponent));  // bits_per_second < 2^exponent
  const double quantum = std::ldexp(1.0, exponent - capacity_bits);
  largest_ = std::ldexp(1.0, exponent);
  if (quantum_ > 0) {
    // Everything in the new, larger quanta; what has flows is filled again.
    const double ratio = quantum_ / quantum;
    for (Route& route : routes_)
      if (route.rate != unlimited) route.rate = static_cast<Rate>(static_cast<double>(route.rate) * ratio);
    for (ResourceId r = 0; r < resources_.size(); ++r) {
      Resource& resource = resources_[r];
      resource.capacity =
          resource.bits_per_second > 0 ? std::max<Rate>(1, static_cast<Rate>(resource.bits_per_second / quantum)) : 0;
      if (resource.active == 0) continue;
      resource.level = 0;
      touch(r);
    }
  }
  quantum_ = quantum;
}

ResourceId FlowNetwork::add_resource(double bits_per_second, double burst_bits) {
  LOCKSTEP_CHECK(bits_per_second > 0, "a resource of {} bit/s", bits_per_second);
  fit_quantum(bits_per_second);
  Resource resource;
  resource.bits_per_second = bits_per_second;
  resource.capacity = quanta(bits_per_second);
  const auto id = static_cast<ResourceId>(resources_.size());
  if (burst_bits > 0) {
    resource.bucket = static_cast<std::uint32_t>(buckets_.size());
    Bucket bucket;
    bucket.resource = id;
    bucket.size = bucket.saved = burst_bits;
    buckets_.push_back(bucket);
  }
  resources_.push_back(std::move(resource));
  return id;
}

ResourceId FlowNetwork::add_rate(double bits_per_second) {
  const ResourceId id = add_resource(bits_per_second);
  resources_[id].passes_bursts = true;
  return id;
}

RouteId FlowNetwork::add_route(std::span<const Hop> hops) {
  LOCKSTEP_CHECK(!hops.empty(), "a route over no resource");
  Route route;
  route.first_hop = static_cast<std::uint32_t>(hops_.size());
  route.hops = static_cast<std::uint32_t>(hops.size());
  for (const Hop& hop : hops) {
    hops_.push_back({hop.resource, hop.weight, none});
    route.plain = route.plain && hop.weight == 1;
  }
  routes_.push_back(route);
  return static_cast<RouteId>(routes_.size() - 1);
}

RouteId FlowNetwork::add_route(std::span<const ResourceId> resources) {
  std::vector<Hop> hops;
  hops.reserve(resources.size());
  for (const ResourceId resource : resources) hops.push_back({resource, 1});
  return add_route(hops);
}

void FlowNetwork::set_capacity(ResourceId id, double bits_per_second, std::int64_t now) {
  LOCKSTEP_CHECK(bits_per_second >= 0, "a resource of {} bit/s", bits_per_second);
  fit_quantum(bits_per_second);
  Resource& resource = resources_[id];
  if (resource.bucket != none) refill(buckets_[resource.bucket], now);
  resource.bits_per_second = bits_per_second;
  resource.capacity = quanta(bits_per_second);
  resource.gained = true;
  touch(id);
}

void FlowNetwork::touch(ResourceId id) {
  if (resources_[id].touched) return;
  resources_[id].touched = true;
  touched_.push_back(id);
}

double FlowNetwork::rate(FlowId flow) const {
  const Rate rate = routes_[flows_[flow].route].rate;
  return rate == unlimited ? std::numeric_limits<double>::infinity() : to_bits(rate);
}

double FlowNetwork::load(ResourceId id) const {
  // Of whole numbers: the same in any order. A bucket lets more than its capacity pass.
  __int128 sum = 0;
  for (const Member& member : resources_[id].members) {
    const Route& route = routes_[member.route];
    if (route.rate != unlimited)
      sum += static_cast<__int128>(route.rate) * (static_cast<std::int64_t>(hops_[member.hop].weight) * route.count);
  }
  return static_cast<double>(sum) * quantum_;
}

// --- Flows ---

FlowId FlowNetwork::start(RouteId route_id, double bits, std::int64_t now, std::uint32_t tag) {
  LOCKSTEP_INNER_CHECK(bits > 0, "a flow of {} bits", bits);
  FlowId id = 0;
  if (free_.empty()) {
    id = static_cast<FlowId>(flows_.size());
    flows_.emplace_back();
  } else {
    id = free_.back();
    free_.pop_back();
  }
  Route& route = routes_[route_id];
  Flow& flow = flows_[id];
  flow = {};
  flow.remaining = bits;
  flow.route = route_id;
  flow.next = route.first;
  flow.tag = tag;
  if (route.first != none) flows_[route.first].previous = id;
  if (route.count == 0) {
    route.rate = unlimited;
    route.updated = now;
    for (RouteHop& hop : hops_of(route)) {
      Resource& resource = resources_[hop.resource];
      ++resource.active;
      if (hop.position != none) continue;
      hop.position = static_cast<std::uint32_t>(resource.members.size());
      resource.members.push_back({route_id, static_cast<std::uint32_t>(&hop - hops_.data())});
    }
  } else {
    advance(route, now);
  }
  route.first = id;
  ++route.count;
  route.changed = true;
  started_.push_back(id);
  ++active_;
  return id;
}

void FlowNetwork::end(FlowId id) {
  const RouteId route_id = flows_[id].route;
  Route& route = routes_[route_id];
  const Flow& flow = flows_[id];
  if (flow.next != none) flows_[flow.next].previous = flow.previous;
  if (flow.previous != none)
    flows_[flow.previous].next = flow.next;
  else
    route.first = flow.next;
  flows_[id].route = none;
  free_.push_back(id);
  --active_;
  --route.count;
  route.changed = true;
  for (const RouteHop& hop : hops_of(route)) {
    Resource& resource = resources_[hop.resource];
    if (route.count == 0) {
      if (--resource.active == 0) resource.level = unlimited;
      if (resource.members.size() > 8 + 2 * std::size_t{resource.active}) drop_idle(resource);
    }
    // What is not full has nobody waiting for room; a bucket has to know what it carries.
    if (resource.level != unlimited || resource.bucket != none) touch(hop.resource);
  }
}

// Keeps the members that have flows. Called when most have none, so that a member is moved a few times at most.
void FlowNetwork::drop_idle(Resource& resource) {
  std::size_t kept = 0;
  for (const Member member : resource.members) {
    if (routes_[member.route].count == 0) {
      hops_[member.hop].position = none;
    } else {
      hops_[member.hop].position = static_cast<std::uint32_t>(kept);
      resource.members[kept++] = member;
    }
  }
  resource.members.resize(kept);
}

void FlowNetwork::watch(FlowId id, double bits, std::int64_t now) {
  Flow& flow = flows_[id];
  flow.watch = bits;
  const Route& route = routes_[flow.route];
  if (!route.changed) ends_.set(flow.route, std::max(now, next_of(route)));
}

void FlowNetwork::advance(Route& route, std::int64_t now) {
  if (route.updated == now) return;
  const double moved = route.rate == unlimited
                           ? std::numeric_limits<double>::infinity()
                           : to_bits(route.rate) * (static_cast<double>(now - route.updated) / picoseconds_per_second);
  for (FlowId f = route.first; f != none; f = flows_[f].next)
    flows_[f].remaining = std::max(0.0, flows_[f].remaining - moved);
  route.updated = now;
}

std::int64_t FlowNetwork::next_of(const Route& route) const {
  if (route.rate == unlimited) return route.updated;
  if (route.rate == 0) return never;
  double least = std::numeric_limits<double>::infinity();
  for (FlowId f = route.first; f != none; f = flows_[f].next) {
    const Flow& flow = flows_[f];
    least = std::min(least, flow.watch >= 0 ? flow.remaining - flow.watch : flow.remaining);
  }
  return route.updated + time_to_move(least, to_bits(route.rate));
}

const std::vector<FlowNetwork::Due>& FlowNetwork::take_due(std::int64_t now) {
  due_.clear();
  while (drains_.top_time() <= now) {
    Bucket& bucket = buckets_[drains_.top()];
    refill(bucket, now);
    bucket.saved = 0;
    resources_[bucket.resource].gained = true;
    touch(bucket.resource);
    drains_.remove(drains_.top());
  }
  ends_.take_until(now, ending_);
  for (const RouteId id : ending_) {
    Route& route = routes_[id];
    if (route.count == 1 && flows_[route.first].watch < 0) {  // mostly so: what it was in the heap for
      due_.push_back({route.first, flows_[route.first].tag, true});
      end(route.first);
      continue;
    }
    const double rate = route.rate == unlimited ? std::numeric_limits<double>::infinity() : to_bits(route.rate);
    const auto is_due = [&](double bits) { return route.updated + time_to_move(bits, rate) <= now; };
    for (FlowId f = route.first; f != none;) {
      Flow& flow = flows_[f];
      const FlowId following = flow.next;
      if (is_due(flow.remaining)) {
        due_.push_back({f, flow.tag, true});
        end(f);
      } else if (flow.watch >= 0 && is_due(flow.remaining - flow.watch)) {
        due_.push_back({f, flow.tag, false});
        flow.watch = -1;
      }
      f = following;
    }
    if (route.count > 0) ends_.set(id, std::max(now + 1, next_of(route)));
  }
  return due_;
}

// --- Token buckets ---

void FlowNetwork::rest(std::int64_t now) {
  for (Bucket& bucket : buckets_) {
    const auto routes = resources_[bucket.resource].active;
    LOCKSTEP_CHECK(routes == 0, "a network at rest has flows on {} routes", routes);
    bucket.saved = bucket.size;
    bucket.used = 0;
    bucket.at = now;
  }
}

void FlowNetwork::refill(Bucket& bucket, std::int64_t now) {
  if (bucket.at >= now) return;
  const double seconds = static_cast<double>(now - bucket.at) / picoseconds_per_second;
  const double saved = bucket.saved + (resources_[bucket.resource].bits_per_second - bucket.used) * seconds;
  bucket.saved = saved < least_saved ? 0 : std::min(bucket.size, saved);
  bucket.at = now;
}

double FlowNetwork::saved_bits(ResourceId resource, std::int64_t now) {
  const std::uint32_t bucket = resources_[resource].bucket;
  if (bucket == none) return 0;
  refill(buckets_[bucket], now);
  return buckets_[bucket].saved;
}

std::vector<double> FlowNetwork::saved_bits(std::int64_t now) {
  std::vector<double> saved;
  for (Bucket& bucket : buckets_) {
    refill(bucket, now);
    saved.push_back(bucket.saved);
  }
  return saved;
}

void FlowNetwork::note_bucket(const Resource& resource) {
  if (resource.bucket == none || buckets_[resource.bucket].changed) return;
  buckets_[resource.bucket].changed = true;
  changed_buckets_.push_back(resource.bucket);
}

void FlowNetwork::prepare_buckets(std::int64_t now) {
  for (const ResourceId r : touched_) note_bucket(resources_[r]);
  for (const FlowId f : started_)
    for (const RouteHop& hop : hops_of(routes_[flows_[f].route])) note_bucket(resources_[hop.resource]);
  for (const std::uint32_t b : changed_buckets_) refill(buckets_[b], now);
}

// Flows that start where every link has saved something: what they get at once. Each round empties a bucket or has
// nobody left, so that every flow ends up done or behind a resource that limits.
void FlowNetwork::grant_bursts() {
  const auto stuck = [this](FlowId id) {
    const Flow& flow = flows_[id];
    if (flow.remaining <= 0) return true;
    bool over_links = false;
    for (const RouteHop& hop : hops_of(routes_[flow.route])) {
      const Resource& resource = resources_[hop.resource];
      if (resource.passes_bursts) continue;
      over_links = true;
      if (limits(resource)) return true;
    }
    return !over_links;
  };
  const auto for_each_bucket = [this](FlowId id, auto&& visit) {
    for (const RouteHop& hop : hops_of(routes_[flows_[id].route])) {
      const std::uint32_t bucket = resources_[hop.resource].bucket;
      if (bucket != none) visit(buckets_[bucket], hop.weight);
    }
  };
  bursting_ = started_;
  for (;;) {
    bursting_.erase(std::remove_if(bursting_.begin(), bursting_.end(), stuck), bursting_.end());
    if (bursting_.empty()) break;
    for (const FlowId id : bursting_)
      for_each_bucket(id, [](Bucket& bucket, std::uint32_t weight) { bucket.starting += weight; });
    grants_.clear();
    for (const FlowId id : bursting_) {
      double grant = flows_[id].remaining;
      for_each_bucket(id, [&](const Bucket& bucket, std::uint32_t) {
        grant = std::min(grant, bucket.saved / static_cast<double>(bucket.starting));
      });
      grants_.emplace_back(grant, id);
    }
    // In the order of the grants, so that what is left does not hang on the order of starting.
    std::sort(grants_.begin(), grants_.end(), [this](const auto& a, const auto& b) {
      return std::pair(b.first, flows_[a.second].route) < std::pair(a.first, flows_[b.second].route);
    });
    for (const auto& [grant, id] : grants_) {
      flows_[id].remaining -= grant;
      for_each_bucket(id, [amount = grant](Bucket& bucket, std::uint32_t weight) {
        bucket.starting = 0;
        bucket.saved -= amount * weight;
        if (bucket.saved < least_saved) bucket.saved = 0;
      });
    }
  }
}

// Buckets whose load has changed: when will they be empty?
void FlowNetwork::use_buckets(std::int64_t now) {
  for (const auto& [route, next] : rerated_)
    for (const RouteHop& hop : hops_of(routes_[route])) note_bucket(resources_[hop.resource]);
  for (const std::uint32_t b : changed_buckets_) {
    Bucket& bucket = buckets_[b];
    bucket.changed = false;
    refill(bucket, now);
    bucket.used = load(bucket.resource);
    const double excess = bucket.used - resources_[bucket.resource].bits_per_second;
    // Rates that add up to the capacity may exceed it by rounding.
    if (bucket.saved <= 0 || excess <= resources_[bucket.resource].bits_per_second * 1e-9)
      drains_.remove(b);
    else
      drains_.set(b, now + time_to_move(bucket.saved, excess));
  }
  changed_buckets_.clear();
}

// --- Rates ---

bool FlowNetwork::alone(const Route& route) const {
  for (const RouteHop& hop : hops_of(route)) {
    const Resource& resource = resources_[hop.resource];
    if (resource.active != 1 || resource.bucket != none) return false;
  }
  return true;
}

void FlowNetwork::set_alone(RouteId id, std::int64_t now) {
  const Route& route = routes_[id];
  const auto set = [&](const auto& level_of) {
    Rate rate = unlimited;
    for (const RouteHop& hop : hops_of(route)) rate = std::min(rate, level_of(hop));
    for (const RouteHop& hop : hops_of(route))
      resources_[hop.resource].level = level_of(hop) == rate ? rate : unlimited;
    set_rate(id, rate, now);
  };
  if (route.plain && route.count == 1)  // mostly so, and a division takes long
    set([&](const RouteHop& hop) { return resources_[hop.resource].capacity; });
  else
    set([&](const RouteHop& hop) { return resources_[hop.resource].capacity / (Rate{hop.weight} * route.count); });
}

// The least rate at which the filling of this resource, which gained something, can differ from what it was: where it
// is full if its slower flows keep their rates. Found from below, so that stopping early is safe.
FlowNetwork::Rate FlowNetwork::first_difference(const Resource& resource) const {
  if (!limits(resource)) return unlimited;
  Rate level = 0;
  for (int round = 0; round < 5; ++round) {
    Rate slower = 0;
    std::int64_t open = 0;
    for (const Member& member : resource.members) {
      const Route& route = routes_[member.route];
      const auto weight = static_cast<std::int64_t>(hops_[member.hop].weight) * route.count;
      if (weight == 0) continue;
      if (route.rate < level)
        slower += weight * route.rate;
      else
        open += weight;
    }
    if (open == 0) return unlimited;
    const Rate next = (resource.capacity - slower) / open;
    if (next <= level) break;
    level = next;
  }
  return level;
}

void FlowNetwork::set_rate(RouteId id, Rate rate, std::int64_t now) {
  Route& route = routes_[id];
  if (route.rate == rate && !route.changed) return;
  advance(route, now);
  route.rate = rate;
  route.changed = false;
  rerated_.push_back({id, next_of(route)});  // while the route is at hand
}

// Fills the flows of at least rate `from` that are joined to the seed; the slower ones stay.
void FlowNetwork::fill(ResourceId seed, Rate from, std::int64_t now) {
  component_.clear();
  component_routes_.clear();
  component_.push_back(seed);
  filling_[seed].mark = mark_;
  for (std::size_t i = 0; i < component_.size(); ++i) {
    Resource& resource = resources_[component_[i]];
    if (resource.bucket != none) {
      refill(buckets_[resource.bucket], now);
      note_bucket(resource);
    }
    const bool limited = limits(resource);
    Rate residual = resource.capacity;
    std::int64_t open = 0;
    for (const Member& member : resource.members) {
      Route& route = routes_[member.route];
      const auto weight = static_cast<std::int64_t>(hops_[member.hop].weight) * route.count;
      if (weight == 0) continue;
      if (route.rate < from) {
        if (limited) residual -= weight * route.rate;
        continue;
      }
      open += weight;
      if (route.mark == mark_) continue;
      route.mark = mark_;
      component_routes_.push_back(member.route);
      for (const RouteHop& hop : hops_of(route)) {
        if (filling_[hop.resource].mark == mark_) continue;
        filling_[hop.resource].mark = mark_;
        component_.push_back(hop.resource);
      }
    }
    filling_[component_[i]].residual = residual;
    filling_[component_[i]].open = open;
    resource.level = unlimited;
  }
  filled_routes_ += component_routes_.size();
  heap_.clear();
  for (const ResourceId r : component_)
    if (filling_[r].open > 0 && limits(resources_[r]))
      heap_.emplace_back(std::max<Rate>(0, filling_[r].residual) / filling_[r].open, r);
  std::make_heap(heap_.begin(), heap_.end(), std::greater<>{});
  std::size_t left = component_routes_.size();
  const std::uint64_t filled = mark_ + 1;
  while (left > 0 && !heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>{});
    const auto [level, r] = heap_.back();
    heap_.pop_back();
    const Filling& filling = filling_[r];
    if (filling.open == 0) continue;
    const Rate level_now = std::max<Rate>(0, filling.residual) / filling.open;
    if (level_now > level) {  // levels only rise while others are filled below them
      heap_.emplace_back(level_now, r);
      std::push_heap(heap_.begin(), heap_.end(), std::greater<>{});
      continue;
    }
    resources_[r].level = level;
    // A link that carries something carries at least a quantum.
    const Rate rate = resources_[r].capacity > 0 ? std::max<Rate>(1, level) : 0;
    for (const Member& member : resources_[r].members) {
      Route& route = routes_[member.route];
      if (route.mark != mark_) continue;
      route.mark = filled;
      set_rate(member.route, rate, now);
      --left;
      for (const RouteHop& hop : hops_of(route)) {
        const auto weight = static_cast<std::int64_t>(hop.weight) * route.count;
        filling_[hop.resource].residual -= weight * rate;
        filling_[hop.resource].open -= weight;
      }
    }
  }
  // What is left has passed in its burst, and ends now.
  if (left > 0)
    for (const RouteId id : component_routes_)
      if (routes_[id].mark == mark_) set_rate(id, unlimited, now);
  mark_ += 2;
}

void FlowNetwork::schedule_ends() {
  if (rerated_.size() * 4 < ends_.size() || rerated_.size() < 8) {
    for (const auto& [route, next] : rerated_) ends_.set(route, next);
  } else {
    for (const auto& [route, next] : rerated_) ends_.set_unordered(route, next);
    ends_.restore();
  }
}

void FlowNetwork::settle(std::int64_t now) {
  if (!needs_settling()) return;
  if (!buckets_.empty()) {
    prepare_buckets(now);
    grant_bursts();
  }
  filling_.resize(resources_.size());
  rerated_.clear();
  for (const FlowId f : started_) {
    const RouteId id = flows_[f].route;
    const Route& route = routes_[id];
    if (!route.changed) continue;  // its first new flow has settled it
    if (alone(route)) {
      set_alone(id, now);
      continue;
    }
    for (const RouteHop& hop : hops_of(route)) {
      resources_[hop.resource].gained = true;
      touch(hop.resource);
    }
  }
  seeds_.clear();
  for (const ResourceId r : touched_) {
    Resource& resource = resources_[r];
    resource.touched = false;
    const Rate from = resource.gained ? std::min(resource.level, first_difference(resource)) : resource.level;
    resource.gained = false;
    if (from != unlimited && resource.active > 0) seeds_.emplace_back(from, r);
  }
  touched_.clear();
  // From the least level up: what is joined to a seed is filled from the least level of its seeds.
  std::sort(seeds_.begin(), seeds_.end());
  mark_ += 2;
  const std::uint64_t first = mark_;
  for (const auto& [from, r] : seeds_)
    if (filling_[r].mark < first) fill(r, from, now);
  // Nothing limits a route whose every resource has saved something: its flows have passed.
  for (const FlowId f : started_)
    if (routes_[flows_[f].route].changed) set_rate(flows_[f].route, unlimited, now);
  started_.clear();
  if (!buckets_.empty()) use_buckets(now);
  schedule_ends();
}

}  // namespace lockstep::sim
