// Hierarchical all-reduce, per node: a binomial tree combines the buffers of a node at its first rank, the leader; the
// leaders do a ring all-reduce across the nodes; a binomial tree hands the result out in every node. One rank per node
// uses the network, with the whole buffer: for nodes with one NIC that are fast inside.
#include "core/collective/hierarchical_leader.hpp"

#include "core/collective/nodes.hpp"
#include "core/collective/parts.hpp"

namespace lockstep {
namespace {

class Leader final : public Schedule {
 public:
  Leader(const ScheduleRequest& request, int channel)
      : channel_(channel),
        n_(request.size),
        rank_(request.rank),
        per_node_(ranks_per_node(request)),
        local_(request.rank % per_node_),
        nodes_(request.size / per_node_),
        node_(request.rank / per_node_),
        share_(partition(request.count, request.channels, channel)),
        copy_pending_(!request.in_place) {
    while (mask_ < per_node_ && (local_ & mask_) == 0) mask_ *= 2;  // a leader's is beyond its node
  }

  bool next(Step& step) override {
    step.clear();
    if (share_.size() == 0) return false;
    if (copy_pending_) {
      copy_pending_ = false;
      step.copy = copy_of(share_);
      return true;
    }
    if (stage_ == Stage::up && up(step)) return true;
    if (stage_ == Stage::across && across(step)) return true;
    return stage_ == Stage::down && down(step);
  }

 private:
  enum class Stage { up, across, down };

  bool up(Step& step) {
    for (; bit_ < mask_; bit_ *= 2) {
      if (local_ + bit_ >= per_node_) continue;
      step.add_receive(make_combine(rank_ + bit_, channel_, share_, last_combine_is_here() && local_ == 0));
      bit_ *= 2;
      return true;
    }
    stage_ = Stage::across;
    if (local_ == 0) return false;
    step.add_send(make_part(rank_ - mask_, channel_, share_));
    return true;
  }
  // Without other nodes the last child's data complete the sum.
  [[nodiscard]] bool last_combine_is_here() const { return nodes_ == 1 && bit_ * 2 >= per_node_; }

  bool across(Step& step) {
    if (local_ == 0) {
      const int to = (rank_ + per_node_) % n_;
      const int from = modulo(rank_ - per_node_, n_);
      while (k_ < 2 * (nodes_ - 1)) {
        const int k = k_++;
        const bool reducing = k < nodes_ - 1;
        const int first = reducing ? node_ - k - 1 : node_ - (k - (nodes_ - 1));
        add_send_if_any(step, make_part(to, channel_, chunk(first)));
        add_receive_if_any(step, reducing ? make_combine(from, channel_, chunk(first - 1), k == nodes_ - 2)
                                          : make_part(from, channel_, chunk(first - 1)));
        if (!step.empty()) return true;
      }
    }
    stage_ = Stage::down;
    bit_ = mask_ / 2;
    if (local_ == 0) return false;
    step.add_receive(make_part(rank_ - mask_, channel_, share_));
    return true;
  }

  bool down(Step& step) {
    for (; bit_ >= 1; bit_ /= 2) {
      if (local_ + bit_ >= per_node_) continue;
      step.add_send(make_part(rank_ + bit_, channel_, share_));
      bit_ /= 2;
      return true;
    }
    return false;
  }

  [[nodiscard]] Range chunk(int index) const {
    const Range part = partition(share_.size(), nodes_, modulo(index, nodes_));
    return {share_.begin + part.begin, share_.begin + part.end};
  }

  int channel_;
  int n_;
  int rank_;
  int per_node_;
  int local_;
  int nodes_;
  int node_;
  Range share_;
  bool copy_pending_;
  Stage stage_ = Stage::up;
  int mask_ = 1;
  int bit_ = 1;
  int k_ = 0;
};

int threads(const ScheduleRequest& request) { return request.channels; }

std::unique_ptr<Schedule> make(const ScheduleRequest& request, int thread) {
  return std::make_unique<Leader>(request, thread);
}

Cost cost(const ScheduleRequest& request) {
  Cost cost;
  if (request.size == 1 || request.count == 0) return cost;
  const auto width = static_cast<std::int64_t>(request.element_bytes);
  const std::int64_t per_node = ranks_per_node(request);
  const std::int64_t nodes = request.size / per_node;
  // Down the tree the leader sends in turn; up, a last subtree that is not whole has nothing to wait for.
  const std::int64_t down = ceil_log2(static_cast<int>(per_node));
  const std::int64_t up = (std::int64_t{1} << down) > per_node ? down - 1 : down;
  cost.steps = up + down + 2 * (nodes - 1);
  cost.bytes = 2 * ((per_node - 1) * nodes + nodes - 1) * request.count * width;
  for (int channel = 0; channel < request.channels; ++channel) {
    const std::int64_t share = partition(request.count, request.channels, channel).size();
    if (share > 0) cost.messages += 2 * ((per_node - 1) * nodes + (nodes - 1) * std::min(share, nodes));
  }
  if (down > 0) cost.phases.push_back({up + down, request.count * width});
  if (nodes > 1) cost.phases.push_back({2 * (nodes - 1), ceil_divide(request.count, nodes) * width});
  return cost;
}

}  // namespace

Algorithm hierarchical_leader_algorithm() {
  return {"hierarchical_leader",
          "per node: a tree to one rank of the node, a ring across the nodes, a tree back",
          {CollectiveKind::all_reduce},
          threads,
          make,
          cost,
          node_refusal};
}

}  // namespace lockstep
