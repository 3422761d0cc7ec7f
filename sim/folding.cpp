#include "sim/folding.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <tuple>

#include "core/base/hash.hpp"
#include "core/collective/schedule.hpp"
#include "core/collective/walk.hpp"

namespace lockstep::sim {
namespace {

constexpr std::int64_t most_steps = 4'000'000;  // of schedules walked through to find who talks to whom
constexpr std::size_t most_pairs = 8'000'000;

std::uint64_t mix(std::uint64_t a, std::uint64_t b) { return mix64(a ^ mix64(b)); }

/// How many different values there are.
std::size_t distinct(const std::vector<std::uint64_t>& values) {
  std::vector<std::uint64_t> table(std::bit_ceil(values.size() * 2 + 1), 0);
  std::size_t count = 0;
  for (const std::uint64_t value : values) {
    const std::uint64_t entry = value | 1;
    std::size_t at = (value >> 1) & (table.size() - 1);
    while (table[at] != 0 && table[at] != entry) at = (at + 1) & (table.size() - 1);
    if (table[at] == 0) {
      table[at] = entry;
      ++count;
    }
  }
  return count;
}

/// Numbers colours by their first appearance.
class Classes {
 public:
  std::uint32_t number(std::uint64_t colour) {
    return numbers_.try_emplace(colour, static_cast<std::uint32_t>(numbers_.size())).first->second;
  }
  [[nodiscard]] std::size_t size() const { return numbers_.size(); }

 private:
  std::unordered_map<std::uint64_t, std::uint32_t> numbers_;
};

class Folder {
 public:
  Folder(const Plan& plan, std::span<const Program> programs, std::span<const std::uint64_t> resource_keys,
         bool by_channel, const WayBetween& way_between)
      : plan_(plan),
        programs_(programs),
        resource_keys_(resource_keys),
        by_channel_(by_channel),
        way_between_(way_between) {}

  std::optional<Folding> fold() {
    if (plan_.ranks < 2) return std::nullopt;
    find_uses();
    if (!colour_ranks() || distinct(rank_colour_) == rank_colour_.size()) return std::nullopt;
    if (!find_pairs()) return std::nullopt;
    refine();
    if (distinct(rank_colour_) == rank_colour_.size()) return std::nullopt;
    return build();
  }

 private:
  struct Use {  // of a group by a collective of a role
    const Collective* collective;
    std::uint64_t id;
  };
  struct PointToPoint {
    const Send* send;
    std::uint64_t id;
  };
  struct RoleUses {
    std::vector<Use> collectives;
    std::vector<PointToPoint> sends;
  };
  // Whom the ranks of one index class send to: peers as differences (rotation, exclusive or) or as they are.
  struct Peers {
    struct Peer {
      int value;
      std::uint16_t channel;
    };
    Symmetry symmetry;
    std::vector<Peer> values;
    bool known = false;
  };
  struct Pair {
    Rank from;
    Rank to;
    std::uint16_t channel;
    std::uint64_t kind;  // by which operations, at which distances
    std::uint64_t way;   // latency, switches, share
    std::uint32_t first_hop;
    std::uint32_t hops;
  };

  void find_uses() {
    std::uint64_t id = 0;
    for (const Program& program : programs_) {
      RoleUses uses;
      for (const CompiledOperation* compiled : program.by_id) {
        const Action& action = compiled->operation->action;
        ++id;
        if (const auto* collective = std::get_if<Collective>(&action)) uses.collectives.push_back({collective, id});
        if (const auto* send = std::get_if<Send>(&action)) uses.sends.push_back({send, id});
        if (const auto* receive = std::get_if<Receive>(&action))
          if (!receive->from.relative) absolute_peers_ = true;
      }
      roles_.push_back(std::move(uses));
    }
  }

  static Symmetry symmetry_of(const ScheduleRequest& request, const Algorithm& algorithm) {
    return algorithm.symmetry != nullptr ? algorithm.symmetry(request) : Symmetry{};
  }
  static int index_class(const Symmetry& symmetry, int index) {
    switch (symmetry.kind) {
      case Symmetry::Kind::rotation:
        return index % symmetry.period;
      case Symmetry::Kind::exclusive_or:
        return 0;
      case Symmetry::Kind::none:
        break;
    }
    return index;
  }

  // Whom an index class sends to; walks through the schedule of its least index once. Null: too long a walk.
  const Peers* peers_of_class(const Use& use, const GroupFamily::Place& place) {
    auto& by_size = peers_[{use.id, place.size}];
    if (!by_size.symmetry_known) {
      by_size.symmetry = symmetry_of(request_for(*use.collective, place), algorithm_of(*use.collective));
      by_size.symmetry_known = true;
    }
    const int least = index_class(by_size.symmetry, place.index);
    Peers& peers = by_size.classes[least];
    if (peers.known) return &peers;
    peers.known = true;
    peers.symmetry = by_size.symmetry;
    GroupFamily::Place at = place;
    at.index = least;
    const ScheduleRequest request = request_for(*use.collective, at);
    const Algorithm& algorithm = algorithm_of(*use.collective);
    Step step;
    std::vector<std::vector<bool>> seen;  // by channel and peer
    const auto note = [&](const Part& part) {
      const std::size_t channel = by_channel_ ? part.channel : 0;
      if (channel >= seen.size()) seen.resize(channel + 1);
      seen[channel].resize(static_cast<std::size_t>(place.size), false);
      seen[channel][static_cast<std::size_t>(part.peer)] = true;
    };
    for (int t = 0; t < algorithm.threads(request); ++t) {
      const auto schedule = algorithm.make(request, t);
      while (schedule->next(step)) {
        if (++steps_ > most_steps) return nullptr;
        for (std::uint8_t s = 0; s < step.send_count; ++s) note(step.sends[s]);
        schedule->skip(schedule->repeats());
      }
    }
    const auto value_of = [&](int peer) {
      switch (peers.symmetry.kind) {
        case Symmetry::Kind::rotation:
          return (peer - least + place.size) % place.size;
        case Symmetry::Kind::exclusive_or:
          return peer ^ least;
        case Symmetry::Kind::none:
          break;
      }
      return peer;
    };
    for (std::size_t channel = 0; channel < seen.size(); ++channel)
      for (std::size_t peer = 0; peer < seen[channel].size(); ++peer)
        if (seen[channel][peer])
          peers.values.push_back({value_of(static_cast<int>(peer)), static_cast<std::uint16_t>(channel)});
    return &peers;
  }

  bool colour_ranks() {
    if (absolute_peers_) return false;
    rank_colour_.resize(static_cast<std::size_t>(plan_.ranks));
    for (Rank r = 0; r < plan_.ranks; ++r) {
      const std::uint32_t role = plan_.role_index(r);
      std::uint64_t colour = mix64(role + 1);
      for (const Use& use : roles_[role].collectives) {
        const auto place = plan_.groups[use.collective->group].place_of(r);
        if (use.collective->algorithm == "native") return false;
        if (place.instance < 0) {
          colour = mix(colour, use.id);
          continue;
        }
        const Peers* peers = peers_of_class(use, place);
        if (peers == nullptr) return false;
        colour = mix(colour, mix(use.id, static_cast<std::uint64_t>(place.size) << 32 |
                                             static_cast<std::uint32_t>(index_class(peers->symmetry, place.index))));
      }
      for (const PointToPoint& use : roles_[role].sends) {
        if (!use.send->to.relative) return false;
        colour = mix(colour, use.id);
      }
      rank_colour_[static_cast<std::size_t>(r)] = colour;
    }
    first_colour_ = rank_colour_;
    return true;
  }

  bool find_pairs() {
    struct Target {
      Rank to;
      std::uint16_t channel;
      std::uint64_t kind;
    };
    std::vector<Target> targets;
    const auto add = [&targets](Rank to, std::uint16_t channel, std::uint64_t kind) {
      for (Target& target : targets)
        if (target.to == to && target.channel == channel) {
          target.kind += kind;
          return;
        }
      targets.push_back({to, channel, kind});
    };
    for (Rank r = 0; r < plan_.ranks; ++r) {
      targets.clear();
      const RoleUses& uses = roles_[plan_.role_index(r)];
      for (const Use& use : uses.collectives) {
        const GroupFamily& group = plan_.groups[use.collective->group];
        const auto place = group.place_of(r);
        if (place.instance < 0) continue;
        const Peers& peers = *peers_of_class(use, place);
        for (const auto& [value, channel] : peers.values) {
          int index = value;
          if (peers.symmetry.kind == Symmetry::Kind::rotation) index = (place.index + value) % place.size;
          if (peers.symmetry.kind == Symmetry::Kind::exclusive_or) index = place.index ^ value;
          add(group.member(place.instance, index), channel,
              mix(use.id, (static_cast<std::uint64_t>(value) << 16 | channel) + 1));
        }
      }
      for (const PointToPoint& use : uses.sends) add(peer_rank(plan_, r, use.send->to), 0, mix64(use.id));
      if (pairs_.size() + targets.size() > most_pairs) return false;
      for (const auto& [to, channel, kind] : targets) {
        const Way way = way_between_(r, to, channel);
        Pair pair{};
        pair.from = r;
        pair.to = to;
        pair.channel = channel;
        pair.kind = kind;
        pair.way = mix(mix(static_cast<std::uint64_t>(way.latency), static_cast<std::uint64_t>(way.switches)),
                       std::bit_cast<std::uint64_t>(way.payload_share));
        pair.first_hop = static_cast<std::uint32_t>(hops_.size());
        pair.hops = static_cast<std::uint32_t>(way.resources.size());
        for (const ResourceId resource : way.resources) hops_.push_back(used(resource));
        pairs_.push_back(pair);
      }
    }
    pair_colour_.resize(pairs_.size());
    return true;
  }

  // Resources that any way crosses are numbered densely.
  std::uint32_t used(ResourceId resource) {
    if (used_of_.empty()) used_of_.assign(resource_keys_.size(), none);
    if (used_of_[resource] == none) {
      used_of_[resource] = static_cast<std::uint32_t>(resource_colour_.size());
      resource_colour_.push_back(mix64(resource_keys_[resource]));
      resource_of_used_.push_back(resource);
    }
    return used_of_[resource];
  }

  [[nodiscard]] std::span<const std::uint32_t> hops_of(const Pair& pair) const {
    return std::span<const std::uint32_t>(hops_).subspan(pair.first_hop, pair.hops);
  }

  void colour_pairs() {
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      const Pair& pair = pairs_[i];
      std::uint64_t colour = mix(mix(rank_colour_[static_cast<std::size_t>(pair.from)], pair.kind),
                                 mix(rank_colour_[static_cast<std::size_t>(pair.to)], pair.way));
      for (const std::uint32_t hop : hops_of(pair)) colour = mix(colour, resource_colour_[hop]);
      pair_colour_[i] = colour;
    }
  }

  // Until no round tells more apart. Sums do not hang on the order of the pairs.
  void refine() {
    std::size_t before = 0;
    for (;;) {
      const std::size_t colours = distinct(rank_colour_) + distinct(resource_colour_);
      if (colours == before) break;
      before = colours;
      colour_pairs();
      std::vector<std::uint64_t> rank_sum(rank_colour_.size(), 0);
      std::vector<std::uint64_t> resource_sum(resource_colour_.size(), 0);
      for (std::size_t i = 0; i < pairs_.size(); ++i) {
        rank_sum[static_cast<std::size_t>(pairs_[i].from)] += mix(pair_colour_[i], 1);
        rank_sum[static_cast<std::size_t>(pairs_[i].to)] += mix(pair_colour_[i], 2);
        for (const std::uint32_t hop : hops_of(pairs_[i])) resource_sum[hop] += mix(pair_colour_[i], 3);
      }
      for (std::size_t r = 0; r < rank_colour_.size(); ++r) rank_colour_[r] = mix(rank_colour_[r], rank_sum[r]);
      for (std::size_t r = 0; r < resource_colour_.size(); ++r)
        resource_colour_[r] = mix(resource_colour_[r], resource_sum[r]);
    }
    colour_pairs();
  }

  std::optional<Folding> build() {
    Folding folding;
    Classes rank_classes;
    for (std::size_t r = 0; r < rank_colour_.size(); ++r) {
      const std::uint32_t c = rank_classes.number(rank_colour_[r]);
      folding.class_of.push_back(c);
      if (c == folding.representatives.size()) {
        folding.representatives.push_back(static_cast<Rank>(r));
        folding.sizes.push_back(0);
      }
      ++folding.sizes[c];
      if (first_colour_[r] != first_colour_[static_cast<std::size_t>(folding.representatives[c])]) return std::nullopt;
    }
    Classes resource_classes;
    std::vector<std::uint32_t> class_of_used;
    std::vector<std::int64_t> resource_sizes;
    for (std::size_t r = 0; r < resource_colour_.size(); ++r) {
      const std::uint32_t c = resource_classes.number(resource_colour_[r]);
      class_of_used.push_back(c);
      if (c == folding.resource_representatives.size()) {
        folding.resource_representatives.push_back(resource_of_used_[r]);
        resource_sizes.push_back(0);
      }
      ++resource_sizes[c];
      if (resource_keys_[resource_of_used_[r]] != resource_keys_[folding.resource_representatives[c]])
        return std::nullopt;
    }
    // Pairs by kind, the representative's first: it is the least rank of its class.
    Classes kinds;
    std::vector<std::vector<std::uint32_t>> pairs_of;
    for (std::uint32_t i = 0; i < pairs_.size(); ++i) {
      const std::uint32_t k = kinds.number(pair_colour_[i]);
      if (k == pairs_of.size()) pairs_of.emplace_back();
      pairs_of[k].push_back(i);
      const Pair& pair = pairs_[i];
      const auto is_representative = [&folding](Rank rank) {
        return folding.representatives[folding.class_of[static_cast<std::size_t>(rank)]] == rank;
      };
      if (is_representative(pair.from) || is_representative(pair.to))
        folding.kind_of_pair.emplace(pair_key(pair.from, pair.to, pair.channel), k);
    }
    std::vector<std::int64_t> crossings(resource_colour_.size(), 0);
    std::vector<std::int64_t> arrivals(rank_colour_.size(), 0);
    for (const auto& members : pairs_of) {
      auto kind = check_kind(folding, members, class_of_used, resource_sizes, crossings, arrivals);
      if (!kind) return std::nullopt;
      folding.kinds.push_back(std::move(*kind));
    }
    return folding;
  }

  // One message of this kind from every rank of a class and one to every rank of a class, over resources each of which
  // is crossed as often as the others of its class.
  std::optional<Folding::Kind> check_kind(const Folding& folding, const std::vector<std::uint32_t>& members,
                                          const std::vector<std::uint32_t>& class_of_used,
                                          const std::vector<std::int64_t>& resource_sizes,
                                          std::vector<std::int64_t>& crossings, std::vector<std::int64_t>& arrivals) {
    const Pair& first = pairs_[members.front()];
    Folding::Kind kind;
    kind.from_class = folding.class_of[static_cast<std::size_t>(first.from)];
    kind.to_class = folding.class_of[static_cast<std::size_t>(first.to)];
    bool even = static_cast<std::int64_t>(members.size()) == folding.sizes[kind.from_class] &&
                static_cast<std::int64_t>(members.size()) == folding.sizes[kind.to_class];
    std::map<std::uint32_t, std::pair<std::int64_t, std::int64_t>> by_class;  // resources crossed, crossings of each
    std::vector<std::uint32_t> touched;
    Rank last = -1;
    for (const std::uint32_t i : members) {
      const Pair& pair = pairs_[i];
      even = even && pair.from > last && pair.kind == first.kind && pair.way == first.way && pair.hops == first.hops &&
             folding.class_of[static_cast<std::size_t>(pair.from)] == kind.from_class &&
             folding.class_of[static_cast<std::size_t>(pair.to)] == kind.to_class &&
             ++arrivals[static_cast<std::size_t>(pair.to)] == 1;
      if (!even) return std::nullopt;
      last = pair.from;
      for (std::uint32_t h = 0; h < pair.hops; ++h) {
        const std::uint32_t hop = hops_of(pair)[h];
        if (class_of_used[hop] != class_of_used[hops_of(first)[h]]) return std::nullopt;
        if (crossings[hop]++ == 0) touched.push_back(hop);
      }
    }
    for (const std::uint32_t i : members) arrivals[static_cast<std::size_t>(pairs_[i].to)] = 0;
    for (const std::uint32_t hop : touched) {
      auto& [count, each] = by_class[class_of_used[hop]];
      even = even && (count == 0 || each == crossings[hop]);
      ++count;
      each = crossings[hop];
      crossings[hop] = 0;
    }
    kind.way = way_between_(first.from, first.to, first.channel);
    kind.way.resources.clear();
    for (const auto& [resource_class, counts] : by_class) {
      even = even && counts.first == resource_sizes[resource_class];
      kind.way.resources.push_back(resource_class);
      kind.weights.push_back(static_cast<std::uint32_t>(counts.second));
    }
    if (!even) return std::nullopt;
    return kind;
  }

  static constexpr std::uint32_t none = 0xFFFFFFFFU;
  const Plan& plan_;
  std::span<const Program> programs_;
  std::span<const std::uint64_t> resource_keys_;
  bool by_channel_;
  const WayBetween& way_between_;
  bool absolute_peers_ = false;
  std::vector<RoleUses> roles_;
  struct BySize {
    Symmetry symmetry;
    bool symmetry_known = false;
    std::map<int, Peers> classes;
  };
  std::map<std::pair<std::uint64_t, int>, BySize> peers_;
  std::int64_t steps_ = 0;
  std::vector<std::uint64_t> rank_colour_;
  std::vector<std::uint64_t> first_colour_;
  std::vector<std::uint64_t> resource_colour_;
  std::vector<std::uint64_t> pair_colour_;
  std::vector<std::uint32_t> used_of_;
  std::vector<ResourceId> resource_of_used_;
  std::vector<Pair> pairs_;
  std::vector<std::uint32_t> hops_;
};

}  // namespace

std::optional<Folding> fold(const Plan& plan, std::span<const Program> programs,
                            std::span<const std::uint64_t> resource_keys, bool by_channel,
                            const WayBetween& way_between) {
  return Folder(plan, programs, resource_keys, by_channel, way_between).fold();
}

}  // namespace lockstep::sim
