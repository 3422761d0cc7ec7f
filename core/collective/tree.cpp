// Double binary tree, pipelined in chunks. Each channel halves its share of the elements, one half per tree
// (binary_tree.hpp).
//
// all_reduce: chunks go up the tree, combined on the way, and down again. Up and down are threads of their own, except
// at a tree's root,
//   where chunk j-1 goes down while chunk j comes in. K chunks and height D take 2D + K - 1 rounds.
// broadcast, reduce: the trees span the ranks other than the root, which feeds (or drains) both: D + 1 + K - 1 rounds.
// In every round an inner node receives two chunks going up and sends two going down, and one of each as a leaf of the
// other tree.
#include "core/collective/tree.hpp"

#include <algorithm>

#include "core/collective/binary_tree.hpp"
#include "core/collective/parts.hpp"

namespace lockstep {
namespace {

enum class Direction { up, down };

struct TreeShape {
  int parent = -1;
  std::array<int, 2> children{-1, -1};
  int child_count = 0;
};

// The rank's place in one tree, as ranks of the group.
TreeShape shape_of(const ScheduleRequest& request, int tree) {
  TreeShape shape;
  const int n = request.size;
  if (!rooted(request.kind)) {
    const TreePlace place = double_tree_place(n, request.rank, tree);
    shape.parent = place.parent;
    shape.children = place.children;
    shape.child_count = place.child_count;
    return shape;
  }
  const auto to_rank = [&](int position) { return (request.root + 1 + position) % n; };
  if (request.rank == request.root) {
    shape.children[0] = to_rank(double_tree_root(n - 1, tree));
    shape.child_count = 1;
    return shape;
  }
  const TreePlace place = double_tree_place(n - 1, modulo(request.rank - request.root - 1, n), tree);
  shape.parent = place.parent >= 0 ? to_rank(place.parent) : request.root;
  shape.child_count = place.child_count;
  for (int c = 0; c < place.child_count; ++c)
    shape.children[static_cast<std::size_t>(c)] = to_rank(place.children[static_cast<std::size_t>(c)]);
  return shape;
}

Range half_of(const ScheduleRequest& request, int channel, int tree) {
  const Range share = partition(request.count, request.channels, channel);
  const Range half = partition(share.size(), 2, tree);
  return {share.begin + half.begin, share.begin + half.end};
}

Chunks chunks_of(Range half, const ScheduleRequest& request) {
  return {half, chunk_elements(request, half.size(), 16_KiB, 512_KiB, 8)};
}

class TreeThread final : public Schedule {
 public:
  /// up, down, or both in one thread (the root of an all_reduce).
  TreeThread(const ScheduleRequest& request, int channel, int tree, bool up, bool down)
      : shape_(shape_of(request, tree)),
        chunks_(chunks_of(half_of(request, channel, tree), request)),
        up_(up),
        down_(down) {
    channel_ = channel;
    lane_up_ = channel * 4 + tree * 2;
    lane_down_ = lane_up_ + 1;
    const bool has_input = request.kind != CollectiveKind::broadcast || request.rank == request.root;
    copy_pending_ = !request.in_place && has_input && (up || request.kind == CollectiveKind::broadcast);
    finishes_ = up && shape_.parent < 0;
  }

  bool next(Step& step) override {
    step.clear();
    if (copy_pending_) {
      copy_pending_ = false;
      step.copy = copy_of(chunks_.whole());
      if (step.copy.count > 0) return true;
    }
    const bool receives = up_ ? shape_.child_count > 0 : shape_.parent >= 0;
    const std::int64_t lag = receives ? 1 : 0;
    while (j_ < chunks_.number() + lag) {
      const std::int64_t j = j_++;
      if (receives && j < chunks_.number()) {
        if (up_) {
          for (int c = 0; c < shape_.child_count; ++c)
            step.add_receive(make_combine(child(c), lane_up_, chunks_.at(j), finishes_ && c == shape_.child_count - 1));
        } else {
          step.add_receive(make_part(shape_.parent, lane_down_, chunks_.at(j)));
        }
      }
      if (j >= lag) {
        if (up_ && shape_.parent >= 0) step.add_send(make_part(shape_.parent, lane_up_, chunks_.at(j - lag)));
        if (down_)
          for (int c = 0; c < shape_.child_count; ++c)
            step.add_send(make_part(child(c), lane_down_, chunks_.at(j - lag)));
      }
      for (int s = 0; s < step.send_count; ++s) step.sends[static_cast<std::size_t>(s)].channel = channel();
      for (int s = 0; s < step.receive_count; ++s) step.receives[static_cast<std::size_t>(s)].channel = channel();
      if (!step.empty()) return true;
    }
    return false;
  }

 private:
  [[nodiscard]] std::uint16_t channel() const { return static_cast<std::uint16_t>(channel_); }
  [[nodiscard]] int child(int c) const { return shape_.children[static_cast<std::size_t>(c)]; }
  TreeShape shape_;
  Chunks chunks_;
  bool up_;
  bool down_;
  std::int64_t j_ = 0;
  int channel_ = 0;
  int lane_up_ = 0;
  int lane_down_ = 1;
  bool copy_pending_ = false;
  bool finishes_ = false;
};

// Threads per channel: all_reduce has up and down of either tree (the down thread of a tree's root has no steps: its up
// thread does both); broadcast and reduce have one direction of either tree.
int threads(const ScheduleRequest& request) {
  if (request.size == 1) return request.channels;
  return request.channels * (rooted(request.kind) ? 2 : 4);
}

std::unique_ptr<Schedule> make(const ScheduleRequest& request, int thread) {
  if (request.size == 1) {
    Step step;
    if (!request.in_place) step.copy = copy_of(partition(request.count, request.channels, thread));
    std::vector<Step> steps;
    append_if_any(steps, step);
    return std::make_unique<StepList>(std::move(steps));
  }
  if (rooted(request.kind)) {
    const bool up = request.kind == CollectiveKind::reduce;
    return std::make_unique<TreeThread>(request, thread / 2, thread % 2, up, !up);
  }
  const int channel = thread / 4;
  const int tree = thread / 2 % 2;
  const bool up = thread % 2 == 0;
  const bool root = double_tree_place(request.size, request.rank, tree).parent < 0;
  if (root && !up) return std::make_unique<StepList>(std::vector<Step>{});
  return std::make_unique<TreeThread>(request, channel, tree, up, root || !up);
}

Cost cost(const ScheduleRequest& request) {
  Cost cost;
  const int n = request.size;
  const auto width = static_cast<std::int64_t>(request.element_bytes);
  if (n == 1 || request.count == 0) return cost;
  const std::int64_t ways = rooted(request.kind) ? 1 : 2;
  const std::int64_t depth =
      rooted(request.kind) ? (n == 2 ? 1 : 1 + double_tree_height(n - 1, 0)) : double_tree_height(n, 0);
  std::int64_t most_chunks = 0;
  std::int64_t per_round = 0;
  for (int channel = 0; channel < request.channels; ++channel) {
    for (int tree = 0; tree < 2; ++tree) {
      const Chunks chunks = chunks_of(half_of(request, channel, tree), request);
      if (chunks.number() == 0) continue;
      cost.messages += ways * (n - 1) * chunks.number();
      most_chunks = std::max(most_chunks, chunks.number());
      per_round += chunks.at(0).size();
    }
  }
  // Once the trees are full, the link of an inner node carries per chunk of either tree: two chunks to its children and
  // one to its parent, and one as a leaf of the other tree; where data go one way only, the root's carries two. Until
  // then the first chunk waits at every level for its twin, at the ends of the trees alone for none.
  const std::int64_t fan = !rooted(request.kind) && n > 2 ? 4 : 2;
  cost.bytes = ways * (n - 1) * request.count * width;
  cost.steps = ways * depth + most_chunks - 1;
  cost.phases = {{ways, per_round * width / 2},
                 {ways * (depth - 1), per_round * width},
                 {most_chunks - 1, per_round * width * fan / 2}};
  return cost;
}

}  // namespace

Algorithm tree_algorithm() {
  return {"tree",
          "double binary tree pipelined in chunks: latency grows with log2 of the ranks, near full bandwidth",
          {CollectiveKind::all_reduce, CollectiveKind::broadcast, CollectiveKind::reduce},
          threads,
          make,
          cost};
}

}  // namespace lockstep
