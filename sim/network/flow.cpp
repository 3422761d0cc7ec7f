#include "sim/network/flow.hpp"

#include <algorithm>
#include <functional>

#include "core/base/error.hpp"

namespace lockstep::sim {
namespace {

constexpr double picoseconds_per_second = 1e12;
constexpr double least_tokens = 1;  // bits; what rounding leaves in a bucket is none

std::int64_t time_to_move(double bits, double rate) {
  if (bits <= 0) return 0;
  const double time = bits * picoseconds_per_second / rate + 0.5;
  LOCKSTEP_CHECK(time < 9.2e18, "a flow of {} bits at {} bit/s takes longer than the clock can count", bits, rate);
  return static_cast<std::int64_t>(time);
}

}  // namespace

ResourceId FlowNetwork::add_resource(double bits_per_second, double burst_bits) {
  LOCKSTEP_CHECK(bits_per_second > 0, "a resource of {} bit/s", bits_per_second);
  Resource resource;
  resource.capacity = bits_per_second;
  resource.burst = burst_bits;
  resource.tokens = burst_bits;
  resources_.push_back(std::move(resource));
  return static_cast<ResourceId>(resources_.size() - 1);
}

void FlowNetwork::set_capacity(ResourceId resource, double bits_per_second) {
  LOCKSTEP_CHECK(bits_per_second > 0, "a resource of {} bit/s", bits_per_second);
  resources_[resource].capacity = bits_per_second;
  touch(resource);
}

ResourceId FlowNetwork::add_rate(double bits_per_second) {
  const ResourceId id = add_resource(bits_per_second);
  resources_[id].passes_bursts = true;
  return id;
}

void FlowNetwork::rest(std::int64_t now) {
  for (Resource& resource : resources_) {
    if (resource.burst <= 0) continue;
    LOCKSTEP_CHECK(resource.flows.empty(), "a network at rest carries {} flows", resource.flows.size());
    resource.tokens = resource.burst;
    resource.used = 0;
    resource.tokens_at = now;
  }
}

void FlowNetwork::touch(ResourceId resource) {
  if (resources_[resource].touched) return;
  resources_[resource].touched = true;
  touched_.push_back(resource);
}

FlowId FlowNetwork::start(std::span<const ResourceId> route, double bits) {
  LOCKSTEP_INNER_CHECK(!route.empty() && bits > 0, "a flow of {} bits over {} resources", bits, route.size());
  FlowId id = 0;
  if (free_.empty()) {
    id = static_cast<FlowId>(flows_.size());
    flows_.emplace_back();
  } else {
    id = free_.back();
    free_.pop_back();
  }
  Flow& flow = flows_[id];
  flow.route = route;
  flow.remaining = bits;
  flow.rate = 0;
  flow.alive = true;
  flow.fresh = true;
  ++flow.version;
  flow.position.resize(route.size());
  for (std::uint32_t hop = 0; hop < route.size(); ++hop) {
    Resource& resource = resources_[route[hop]];
    flow.position[hop] = static_cast<std::uint32_t>(resource.flows.size());
    resource.flows.push_back({id, hop});
    touch(route[hop]);
  }
  started_.push_back(id);
  ++active_;
  return id;
}

void FlowNetwork::finish(FlowId id) {
  Flow& flow = flows_[id];
  LOCKSTEP_INNER_CHECK(flow.alive, "flow {} ends twice", id);
  for (std::uint32_t hop = 0; hop < flow.route.size(); ++hop) {
    Resource& resource = resources_[flow.route[hop]];
    const std::uint32_t at = flow.position[hop];
    const Member last = resource.flows.back();
    resource.flows[at] = last;
    flows_[last.flow].position[last.hop] = at;
    resource.flows.pop_back();
    // A resource left empty needs no solving, but its bucket has to know that it is idle from now on.
    if (!resource.flows.empty() || resource.burst > 0) touch(flow.route[hop]);
  }
  flow.alive = false;
  ++flow.version;
  free_.push_back(id);
  --active_;
}

double FlowNetwork::load(ResourceId resource) const {
  rates_.clear();
  for (const Member& member : resources_[resource].flows) rates_.push_back(flows_[member.flow].rate);
  // In ascending order, so that the sum does not hang on the order in which the flows came.
  std::sort(rates_.begin(), rates_.end());
  double sum = 0;
  for (const double rate : rates_) sum += rate;
  return sum;
}

void FlowNetwork::refill(Resource& resource, std::int64_t now) {
  if (resource.tokens_at >= now) return;
  const double seconds = static_cast<double>(now - resource.tokens_at) / picoseconds_per_second;
  const double tokens = resource.tokens + (resource.capacity - resource.used) * seconds;
  resource.tokens = tokens < least_tokens ? 0 : std::min(resource.burst, tokens);
  resource.tokens_at = now;
}

// The load of a resource with a bucket may have changed.
void FlowNetwork::use(ResourceId id, std::int64_t now) {
  Resource& resource = resources_[id];
  refill(resource, now);
  resource.used = load(id);
  ++resource.version;
  // Rates that add up to the capacity may exceed it by rounding.
  if (limits(resource) || resource.used <= resource.capacity * (1 + 1e-9)) return;
  drains_.push_back({id, resource.version, now + time_to_move(resource.tokens, resource.used - resource.capacity)});
}

void FlowNetwork::drain(ResourceId id, std::uint32_t version) {
  Resource& resource = resources_[id];
  if (resource.version != version) return;
  resource.drained = true;
  touch(id);
}

// Flows that start where every link has saved something: what they get at once. Each round empties a bucket or has
// nobody left, so that every flow ends up done or behind a resource that limits.
void FlowNetwork::grant_bursts(std::int64_t now) {
  bool some = false;
  for (const ResourceId id : touched_) {
    Resource& resource = resources_[id];
    if (resource.burst <= 0) continue;
    refill(resource, now);
    if (resource.drained) resource.tokens = 0;
    resource.drained = false;
    some = true;
  }
  if (!some) return;
  const auto stuck = [this](FlowId id) {
    const Flow& flow = flows_[id];
    if (!flow.alive || flow.remaining <= 0) return true;
    bool over_links = false;
    for (const ResourceId r : flow.route) {
      if (resources_[r].passes_bursts) continue;
      over_links = true;
      if (limits(resources_[r])) return true;
    }
    return !over_links;
  };
  bursting_ = started_;
  while (true) {
    bursting_.erase(std::remove_if(bursting_.begin(), bursting_.end(), stuck), bursting_.end());
    if (bursting_.empty()) return;
    for (const FlowId id : bursting_)
      for (const ResourceId r : flows_[id].route) ++resources_[r].starting;
    for (const FlowId id : bursting_) {
      Flow& flow = flows_[id];
      flow.grant = flow.remaining;
      for (const ResourceId r : flow.route)
        if (!resources_[r].passes_bursts)
          flow.grant = std::min(flow.grant, resources_[r].tokens / resources_[r].starting);
    }
    // In the order of the grants, so that what is left does not hang on the order of starting.
    std::sort(bursting_.begin(), bursting_.end(),
              [this](FlowId a, FlowId b) { return flows_[a].grant > flows_[b].grant; });
    for (const FlowId id : bursting_) {
      Flow& flow = flows_[id];
      flow.remaining -= flow.grant;
      for (const ResourceId r : flow.route) {
        Resource& resource = resources_[r];
        resource.starting = 0;
        if (resource.passes_bursts) continue;
        resource.tokens -= flow.grant;
        if (resource.tokens < least_tokens) resource.tokens = 0;
      }
    }
  }
}

std::optional<std::int64_t> FlowNetwork::left_at(FlowId id, double bits, std::int64_t now) const {
  const Flow& flow = flows_[id];
  if (flow.fresh) return std::nullopt;
  return std::max(now, flow.updated + time_to_move(std::max(0.0, flow.remaining - bits), flow.rate));
}

void FlowNetwork::set_rate(FlowId id, double rate, std::int64_t now) {
  Flow& flow = flows_[id];
  if (flow.fresh) {
    flow.fresh = false;
  } else if (flow.rate == rate) {
    return;
  } else {
    const double moved = flow.rate * (static_cast<double>(now - flow.updated) / picoseconds_per_second);
    flow.remaining = std::max(0.0, flow.remaining - moved);
    ++flow.version;
  }
  flow.updated = now;
  flow.rate = rate;
  ends_.push_back({id, flow.version, now + time_to_move(flow.remaining, rate)});
}

void FlowNetwork::solve_component(ResourceId seed, std::int64_t now) {
  // Everything that shares, directly or through others, with the touched resource.
  component_.clear();
  component_flows_.clear();
  component_.push_back(seed);
  resources_[seed].mark = mark_;
  for (std::size_t i = 0; i < component_.size(); ++i) {
    for (const Member& member : resources_[component_[i]].flows) {
      Flow& flow = flows_[member.flow];
      if (flow.mark == mark_) continue;
      flow.mark = mark_;
      component_flows_.push_back(member.flow);
      for (const ResourceId r : flow.route) {
        if (resources_[r].mark == mark_) continue;
        resources_[r].mark = mark_;
        component_.push_back(r);
      }
    }
  }
  solved_flows_ += component_flows_.size();
  for (const ResourceId r : component_)
    if (resources_[r].burst > 0) refill(resources_[r], now);
  if (component_flows_.size() == 1) {
    const FlowId id = component_flows_.front();
    double rate = 0;
    for (const ResourceId r : flows_[id].route)
      if (limits(resources_[r])) rate = rate > 0 ? std::min(rate, resources_[r].capacity) : resources_[r].capacity;
    set_rate(id, rate, now);
    return;
  }
  // Flows by id and resources by (level, id): the result depends on neither the order of insertion nor of discovery.
  heap_.clear();
  for (const ResourceId r : component_) {
    Resource& resource = resources_[r];
    resource.residual = resource.capacity;
    resource.unfixed = static_cast<std::uint32_t>(resource.flows.size());
    if (resource.unfixed > 0 && limits(resource)) heap_.emplace_back(resource.residual / resource.unfixed, r);
  }
  std::make_heap(heap_.begin(), heap_.end(), std::greater<>{});
  ++mark_;  // now marks flows whose rate is fixed
  std::size_t left = component_flows_.size();
  while (left > 0 && !heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>{});
    const auto [level, r] = heap_.back();
    heap_.pop_back();
    Resource& resource = resources_[r];
    if (resource.unfixed == 0) continue;
    const double now_level = resource.residual / resource.unfixed;
    if (now_level > level) {  // fair levels only rise while others are fixed below them
      heap_.emplace_back(now_level, r);
      std::push_heap(heap_.begin(), heap_.end(), std::greater<>{});
      continue;
    }
    for (const Member& member : resource.flows) {
      Flow& flow = flows_[member.flow];
      if (flow.mark == mark_) continue;
      flow.mark = mark_;
      set_rate(member.flow, now_level, now);
      --left;
      for (const ResourceId other : flow.route) {
        resources_[other].residual = std::max(0.0, resources_[other].residual - now_level);
        --resources_[other].unfixed;
      }
    }
  }
  // What is left has passed in its burst, and ends now.
  if (left > 0)
    for (const FlowId id : component_flows_)
      if (flows_[id].mark != mark_) {
        LOCKSTEP_INNER_CHECK(flows_[id].remaining <= 0, "nothing limits flow {}", id);
        set_rate(id, 0, now);
      }
}

const std::vector<FlowNetwork::End>& FlowNetwork::settle(std::int64_t now) {
  ends_.clear();
  drains_.clear();
  if (touched_.empty()) return ends_;
  grant_bursts(now);
  mark_ += 2;
  const std::uint64_t first = mark_;
  for (const ResourceId r : touched_) {
    resources_[r].touched = false;
    if (resources_[r].mark >= first || resources_[r].flows.empty()) continue;
    solve_component(r, now);
    ++mark_;
  }
  // Buckets whose load may have changed: touched, or of flows with new rates.
  bucketed_.clear();
  for (const ResourceId r : touched_)
    if (resources_[r].burst > 0) bucketed_.push_back(r);
  for (const End& end : ends_)
    for (const ResourceId r : flows_[end.flow].route)
      if (resources_[r].burst > 0) bucketed_.push_back(r);
  std::sort(bucketed_.begin(), bucketed_.end());
  bucketed_.erase(std::unique(bucketed_.begin(), bucketed_.end()), bucketed_.end());
  for (const ResourceId r : bucketed_) use(r, now);
  touched_.clear();
  started_.clear();
  std::sort(ends_.begin(), ends_.end(), [](const End& a, const End& b) { return a.flow < b.flow; });
  return ends_;
}

}  // namespace lockstep::sim
