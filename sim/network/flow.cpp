#include "sim/network/flow.hpp"

#include <algorithm>
#include <functional>

#include "core/base/error.hpp"

namespace lockstep::sim {
namespace {

constexpr double picoseconds_per_second = 1e12;

std::int64_t time_to_move(double bits, double rate) {
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
  double sum = 0;
  for (const Member& member : resources_[resource].flows) sum += flows_[member.flow].rate;
  return sum;
}

void FlowNetwork::refill(Resource& resource, std::int64_t now) {
  if (resource.tokens_at < now) {
    const double seconds = static_cast<double>(now - resource.tokens_at) / picoseconds_per_second;
    resource.tokens =
        std::min(resource.burst, resource.tokens + std::max(0.0, resource.capacity - resource.used) * seconds);
    resource.tokens_at = now;
  }
}

void FlowNetwork::grant_bursts(std::int64_t now) {
  for (const ResourceId id : touched_)
    if (resources_[id].burst > 0) {
      refill(resources_[id], now);
      resources_[id].starting = 0;
      bucketed_.push_back(id);
    }
  if (bucketed_.empty()) return;
  bucketed_.clear();
  for (const FlowId id : started_)
    for (const ResourceId r : flows_[id].route) ++resources_[r].starting;
  // Ascending ids are the order of starting; the shares do not depend on it.
  for (const FlowId id : started_) {
    Flow& flow = flows_[id];
    if (!flow.alive) continue;
    double grant = flow.remaining;
    for (const ResourceId r : flow.route) {
      const Resource& resource = resources_[r];
      if (!resource.passes_bursts)
        grant = resource.burst > 0 ? std::min(grant, resource.tokens / resource.starting) : 0;
    }
    flow.remaining -= grant;
    flow.rate = -grant;  // remembered until every flow has its share
  }
  for (const FlowId id : started_) {
    Flow& flow = flows_[id];
    if (!flow.alive) continue;
    const double grant = -flow.rate;
    flow.rate = 0;
    if (grant > 0)
      for (const ResourceId r : flow.route) resources_[r].tokens = std::max(0.0, resources_[r].tokens - grant);
  }
  for (const FlowId id : started_)
    for (const ResourceId r : flows_[id].route) resources_[r].starting = 0;
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
  if (component_flows_.size() == 1) {
    const FlowId id = component_flows_.front();
    double rate = resources_[component_.front()].capacity;
    for (const ResourceId r : flows_[id].route) rate = std::min(rate, resources_[r].capacity);
    set_rate(id, rate, now);
    return;
  }
  // Flows by id and resources by (level, id): the result depends on neither the order of insertion nor of discovery.
  heap_.clear();
  for (const ResourceId r : component_) {
    Resource& resource = resources_[r];
    resource.residual = resource.capacity;
    resource.unfixed = static_cast<std::uint32_t>(resource.flows.size());
    if (resource.unfixed > 0) heap_.emplace_back(resource.residual / resource.unfixed, r);
  }
  std::make_heap(heap_.begin(), heap_.end(), std::greater<>{});
  ++mark_;  // now marks flows whose rate is fixed
  std::size_t left = component_flows_.size();
  while (left > 0) {
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
}

const std::vector<FlowNetwork::End>& FlowNetwork::settle(std::int64_t now) {
  ends_.clear();
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
  for (const ResourceId r : touched_)
    if (resources_[r].burst > 0) resources_[r].used = load(r);
  // Buckets whose load changed without being touched: those of flows with new rates.
  for (const End& end : ends_)
    for (const ResourceId r : flows_[end.flow].route) {
      Resource& resource = resources_[r];
      if (resource.burst > 0) {
        refill(resource, now);
        resource.used = load(r);
      }
    }
  touched_.clear();
  started_.clear();
  std::sort(ends_.begin(), ends_.end(), [](const End& a, const End& b) { return a.flow < b.flow; });
  return ends_;
}

}  // namespace lockstep::sim
