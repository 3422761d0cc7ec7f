#include "core/topology/topology.hpp"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "core/base/error.hpp"

namespace lockstep {

int Topology::rank_capacity() const { return static_cast<int>(rank_endpoint_.size()); }

DeviceId Topology::endpoint(int rank) const {
  LOCKSTEP_CHECK(rank >= 0 && rank < rank_capacity(), "rank {} of {}", rank, rank_capacity());
  return rank_endpoint_[static_cast<std::size_t>(rank)];
}

NodeId Topology::node_of_rank(int rank) const {
  LOCKSTEP_CHECK(rank >= 0 && rank < rank_capacity(), "rank {} of {}", rank, rank_capacity());
  return rank_node_[static_cast<std::size_t>(rank)];
}

std::span<const LinkId> Topology::links_from(DeviceId device) const {
  LOCKSTEP_INNER_CHECK(device + 1 < adjacency_begin_.size(), "device {} before finish()", device);
  return std::span<const LinkId>(adjacency_)
      .subspan(adjacency_begin_[device], adjacency_begin_[device + 1] - adjacency_begin_[device]);
}

DeviceId Topology::find_device(std::string_view name_wanted) const {
  const auto found =
      std::lower_bound(by_name_.begin(), by_name_.end(), name_wanted,
                       [this](DeviceId id, std::string_view wanted) { return devices[id].name < wanted; });
  return found != by_name_.end() && devices[*found].name == name_wanted ? *found : no_id;
}

std::uint32_t Topology::resource_count() const { return resources_; }

bool Topology::inside_a_node(const Link& link) const {
  const NodeId node = devices[link.from].node;
  return node != no_id && node == devices[link.to].node;
}

DeviceId Topology::add_device(Device device) {
  const auto id = static_cast<DeviceId>(devices.size());
  devices.push_back(std::move(device));
  return id;
}

LinkId Topology::add_duplex(Link link, bool half_duplex) {
  const auto id = static_cast<LinkId>(links.size());
  Link back = link;
  std::swap(back.from, back.to);
  link.resource = resources_++;
  back.resource = half_duplex ? link.resource : resources_++;
  links.push_back(link);
  links.push_back(back);
  return id;
}

void Topology::remove_cables(const std::vector<bool>& gone) {
  LOCKSTEP_CHECK(gone.size() * 2 == links.size(), "{} cables of {}", gone.size(), links.size() / 2);
  const std::vector<Link> before = std::move(links);
  links.clear();
  resources_ = 0;
  for (std::size_t cable = 0; cable < gone.size(); ++cable)
    if (!gone[cable]) add_duplex(before[2 * cable], before[2 * cable].resource == before[2 * cable + 1].resource);
}

void Topology::finish() {
  LOCKSTEP_CHECK(links.size() % 2 == 0, "{} directed links", links.size());
  adjacency_begin_.assign(devices.size() + 1, 0);
  for (const Link& link : links) {
    LOCKSTEP_CHECK(link.from < devices.size() && link.to < devices.size(), "link from {} to {} of {}", link.from,
                   link.to, devices.size());
    LOCKSTEP_CHECK(link.from != link.to, "device {} linked to itself", devices[link.from].name);
    LOCKSTEP_CHECK(link.bandwidth > Bandwidth{}, "link {} - {} without bandwidth", devices[link.from].name,
                   devices[link.to].name);
    LOCKSTEP_CHECK(link.latency >= Duration{0}, "link {} - {} of negative latency", devices[link.from].name,
                   devices[link.to].name);
    LOCKSTEP_CHECK(link.resource < resources_, "resource {} of {}", link.resource, resources_);
    ++adjacency_begin_[link.from + 1];
  }
  std::partial_sum(adjacency_begin_.begin(), adjacency_begin_.end(), adjacency_begin_.begin());
  adjacency_.resize(links.size());
  auto next = adjacency_begin_;
  for (LinkId id = 0; id < links.size(); ++id) adjacency_[next[links[id].from]++] = id;

  by_name_.resize(devices.size());
  std::iota(by_name_.begin(), by_name_.end(), DeviceId{0});
  std::sort(by_name_.begin(), by_name_.end(),
            [this](DeviceId a, DeviceId b) { return devices[a].name < devices[b].name; });
  for (std::size_t i = 1; i < by_name_.size(); ++i) {
    LOCKSTEP_CHECK(devices[by_name_[i - 1]].name != devices[by_name_[i]].name, "two devices named {}",
                   devices[by_name_[i]].name);
  }

  rank_endpoint_.clear();
  rank_node_.clear();
  const auto fill = [this](NodeId node) {
    for (const DeviceId device : nodes[node].endpoints) {
      LOCKSTEP_CHECK(device < devices.size(), "endpoint {} of {}", device, devices.size());
      rank_endpoint_.push_back(device);
      rank_node_.push_back(node);
    }
  };
  if (placement.empty()) {
    for (NodeId node = 0; node < nodes.size(); ++node) fill(node);
    return;
  }
  std::unordered_map<std::string_view, NodeId> named;
  for (NodeId node = 0; node < nodes.size(); ++node) named.emplace(nodes[node].name, node);
  for (const auto& wanted : placement) {
    const auto found = named.find(wanted);
    LOCKSTEP_CHECK(found != named.end(), "placement names no node {}", wanted);
    fill(found->second);
  }
}

}  // namespace lockstep
