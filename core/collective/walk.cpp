#include "core/collective/walk.hpp"

#include <map>
#include <set>

#include "core/base/error.hpp"
#include "core/collective/custom.hpp"
#include "core/plan/program.hpp"

namespace lockstep {

ScheduleRequest request_for(const Collective& collective, const GroupFamily::Place& place) {
  ScheduleRequest request;
  request.kind = collective.kind;
  request.rank = place.index;
  request.size = place.size;
  request.count = collective.count;
  request.element_bytes = element_bytes(collective.type);
  request.root = collective.root;
  request.channels = collective.channels;
  request.chunk = collective.chunk;
  request.in_place = collective.source == collective.target;
  request.ranks_per_node = collective.ranks_per_node;
  request.dimensions = collective.dimensions;
  if (!collective.counts.empty()) request.counts = &collective.counts;
  request.custom = collective.custom.get();
  request.reduction = collective.reduction;
  return request;
}

const Algorithm& algorithm_of(const Collective& collective) {
  if (collective.custom != nullptr) return custom_algorithm();
  return find_algorithm(collective.kind, collective.algorithm);
}

namespace {

template <class Visit>
void for_each_send(const Plan& plan, const Collective& collective, Rank rank, Visit visit) {
  if (collective.algorithm == "native") return;
  const GroupFamily& group = plan.groups[collective.group];
  const auto place = group.place_of(rank);
  if (place.instance < 0) return;
  const ScheduleRequest request = request_for(collective, place);
  const Algorithm& algorithm = algorithm_of(collective);
  Step step;
  for (int t = 0; t < algorithm.threads(request); ++t) {
    const auto schedule = algorithm.make(request, t);
    while (schedule->next(step)) {
      for (int s = 0; s < step.send_count; ++s) {
        const Part& part = step.sends[static_cast<std::size_t>(s)];
        visit(group.member(place.instance, part.peer), part.count * static_cast<std::int64_t>(request.element_bytes));
      }
      for (int s = 0; s < step.receive_count; ++s)
        visit(group.member(place.instance, step.receives[static_cast<std::size_t>(s)].peer), std::int64_t{-1});
    }
  }
}

}  // namespace

Rank peer_rank(const Plan& plan, Rank rank, const Peer& peer) {
  const GroupFamily& group = plan.groups[peer.group];
  const auto place = group.place_of(rank);
  LOCKSTEP_CHECK(place.instance >= 0, "rank {} is in no group '{}'", rank, group.name);
  const int index = peer.relative ? ((place.index + peer.value) % place.size + place.size) % place.size : peer.value;
  return group.member(place.instance, index);
}

std::vector<Rank> peers_of(const Plan& plan, Rank rank) {
  std::set<Rank> peers;
  const Program program = compile(plan.role_of(rank));
  for (const auto* operation : program.by_id) {
    const auto add = [&](const Peer& peer) { peers.insert(peer_rank(plan, rank, peer)); };
    if (const auto* send = std::get_if<Send>(&operation->operation->action)) add(send->to);
    if (const auto* receive = std::get_if<Receive>(&operation->operation->action)) add(receive->from);
    if (const auto* collective = std::get_if<Collective>(&operation->operation->action))
      for_each_send(plan, *collective, rank, [&](Rank peer, std::int64_t) { peers.insert(peer); });
  }
  peers.erase(rank);
  return {peers.begin(), peers.end()};
}

std::vector<PairBytes> traffic_of(const Plan& plan, const Collective& collective) {
  std::vector<PairBytes> traffic;
  for (Rank rank = 0; rank < plan.ranks; ++rank) {
    std::map<Rank, PairBytes> to;
    for_each_send(plan, collective, rank, [&](Rank peer, std::int64_t bytes) {
      if (bytes < 0) return;
      auto& pair = to[peer];
      pair.from = rank;
      pair.to = peer;
      pair.bytes += bytes;
      ++pair.messages;
    });
    for (const auto& [peer, pair] : to) traffic.push_back(pair);
  }
  return traffic;
}

}  // namespace lockstep
