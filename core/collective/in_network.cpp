// Reduction in the network, as SHARP and NVLink SHARP do it: all ranks send their data towards one, switches combine
// them on the way and copy the result on the way back, so that every link carries the buffer once in each direction.
//
// Every channel has a root of its own (broadcast, reduce: the root of the collective) and goes in chunks: chunk j comes
// up while chunk j-1 goes down. The messages of a chunk say that they may be merged (Merge); whether they are is the
// network's affair: where no switch can, the root receives and combines all of them itself, which is what real backends
// do.
//
// all_reduce: K + 1 rounds of K chunks; broadcast, reduce: K.
//
// Source: Graham et al., "Scalable Hierarchical Aggregation Protocol (SHARP)", COMHPC 2016. There the root is a switch;
// here it is a rank, so that a message crosses the network twice and not once.
#include "core/collective/in_network.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/collective/parts.hpp"

namespace lockstep {
namespace {

bool goes_up(CollectiveKind kind) { return kind != CollectiveKind::broadcast; }
bool goes_down(CollectiveKind kind) { return kind != CollectiveKind::reduce; }

// Roots of several channels are spread over the ranks.
int root_of(const ScheduleRequest& request, int channel) {
  if (rooted(request.kind)) return request.root;
  return static_cast<int>(std::int64_t{channel} * request.size / request.channels);
}

// The root sends and receives two messages a step: to and from how many pairs of others (the last may be one alone).
int pairs_of(const ScheduleRequest& request) { return request.size / 2; }

int threads_of(const ScheduleRequest& request, int channel) {
  if (request.rank == root_of(request, channel)) return 1 + (goes_down(request.kind) ? pairs_of(request) : 0);
  return (goes_up(request.kind) ? 1 : 0) + (goes_down(request.kind) ? 1 : 0);
}

Chunks chunks_of(const ScheduleRequest& request, int channel) {
  const Range share = partition(request.count, request.channels, channel);
  return {share, chunk_elements(request, share.size(), 16_KiB, 512_KiB, 8)};
}

class Thread : public Schedule {
 public:
  Thread(const ScheduleRequest& request, int channel)
      : request_(request), chunks_(chunks_of(request, channel)), channel_(channel), root_(root_of(request, channel)) {}

 protected:
  [[nodiscard]] Part up(Part part) const { return marked(part, 0, Merge::to_one); }
  [[nodiscard]] Part down(Part part) const { return marked(part, 1, Merge::from_one); }
  /// The k-th of the ranks beside the root.
  [[nodiscard]] int other(int k) const { return (root_ + 1 + k) % request_.size; }

  const ScheduleRequest& request() const { return request_; }
  const Chunks& chunks() const { return chunks_; }
  [[nodiscard]] int root() const { return root_; }

 private:
  [[nodiscard]] Part marked(Part part, int direction, Merge merge) const {
    part.lane = static_cast<std::uint16_t>(2 * channel_ + direction);
    part.channel = static_cast<std::uint16_t>(channel_);
    part.merge = merge;
    return part;
  }
  ScheduleRequest request_;
  Chunks chunks_;
  int channel_;
  int root_;
};

// The root takes the chunks in, two messages at a time.
class Gathering final : public Thread {
 public:
  Gathering(const ScheduleRequest& request, int channel) : Thread(request, channel) {
    copy_pending_ = !request.in_place && chunks().whole().size() > 0;
  }
  bool next(Step& step) override {
    step.clear();
    if (copy_pending_) {
      copy_pending_ = false;
      step.copy = copy_of(chunks().whole());
      return true;
    }
    const int pairs = pairs_of(request());
    if (!goes_up(request().kind) || pairs == 0 || j_ == chunks().number()) return false;
    const int others = request().size - 1;
    for (int k = 2 * pair_; k < std::min(2 * pair_ + 2, others); ++k)
      step.add_receive(up(make_combine(other(k), 0, chunks().at(j_), k == others - 1)));
    if (++pair_ == pairs) {
      pair_ = 0;
      ++j_;
    }
    return true;
  }

 private:
  bool copy_pending_ = false;
  std::int64_t j_ = 0;
  int pair_ = 0;
};

// The root hands each chunk out to two others, as soon as thread `first` has gathered it.
class HandingOut final : public Thread {
 public:
  HandingOut(const ScheduleRequest& request, int channel, int pair, int first)
      : Thread(request, channel), pair_(pair), first_(first), copies_(request.in_place ? 0 : 1) {}
  bool next(Step& step) override {
    step.clear();
    if (j_ == chunks().number()) return false;
    step.after_thread = first_;
    step.after_steps = copies_ + (goes_up(request().kind) ? (j_ + 1) * pairs_of(request()) : 0);
    for (int k = 2 * pair_; k < std::min(2 * pair_ + 2, request().size - 1); ++k)
      step.add_send(down(make_part(other(k), 0, chunks().at(j_))));
    ++j_;
    return true;
  }

 private:
  int pair_;
  int first_;
  std::int64_t copies_;
  std::int64_t j_ = 0;
};

// What all others do: send their chunks, or receive the results, which may lie where thread `after` (-1: none) sends
// from.
class Other final : public Thread {
 public:
  Other(const ScheduleRequest& request, int channel, bool sends, int after)
      : Thread(request, channel), sends_(sends), after_(after) {}
  bool next(Step& step) override {
    step.clear();
    if (j_ == chunks().number()) return false;
    if (sends_) {
      step.add_send(up(make_part(root(), 0, chunks().at(j_), Place::source)));
    } else {
      step.after_thread = after_;
      step.after_steps = j_ + 1;
      step.add_receive(down(make_part(root(), 0, chunks().at(j_))));
    }
    ++j_;
    return true;
  }

 private:
  bool sends_;
  int after_;
  std::int64_t j_ = 0;
};

int threads(const ScheduleRequest& request) {
  int number = 0;
  for (int channel = 0; channel < request.channels; ++channel) number += threads_of(request, channel);
  return number;
}

std::unique_ptr<Schedule> make(const ScheduleRequest& request, int thread) {
  int channel = 0;
  int first = 0;  // thread of the channel
  while (thread >= first + threads_of(request, channel)) first += threads_of(request, channel++);
  const int number = thread - first;
  if (request.rank == root_of(request, channel)) {
    if (number == 0) return std::make_unique<Gathering>(request, channel);
    return std::make_unique<HandingOut>(request, channel, number - 1, first);
  }
  const bool sends = goes_up(request.kind) && number == 0;
  return std::make_unique<Other>(request, channel, sends, goes_up(request.kind) ? first : -1);
}

Cost cost(const ScheduleRequest& request) {
  Cost cost;
  const std::int64_t n = request.size;
  const auto width = static_cast<std::int64_t>(request.element_bytes);
  if (n == 1 || request.count == 0) return cost;
  const int ways = (goes_up(request.kind) ? 1 : 0) + (goes_down(request.kind) ? 1 : 0);
  std::int64_t most_chunks = 0;
  std::int64_t round = 0;                                        // what merged messages bring over a link in one
  std::vector<std::int64_t> taken(static_cast<std::size_t>(n));  // by a root, in one round, where nothing merges
  for (int channel = 0; channel < request.channels; ++channel) {
    const Chunks chunks = chunks_of(request, channel);
    if (chunks.number() == 0) continue;
    const std::int64_t length = chunks.at(0).size();
    cost.messages += ways * (n - 1) * chunks.number();
    most_chunks = std::max(most_chunks, chunks.number());
    round += length;
    taken[static_cast<std::size_t>(root_of(request, channel))] += (n - 2) * length;
  }
  cost.bytes = ways * (n - 1) * request.count * width;
  cost.steps = most_chunks + ways - 1;
  // The first chunk waits for its way, those behind it follow.
  const auto phases = [&](std::int64_t bytes) {
    const bool one_way = ways == 1;
    return std::vector<Phase>{{ways, bytes * width, 1, false, one_way},
                              {most_chunks - 1, bytes * width, 1, true, one_way}};
  };
  cost.phases = phases(round + *std::max_element(taken.begin(), taken.end()));
  cost.merged_phases = phases(round);
  return cost;
}

// A rank has 65,536 threads at most (Token of core/plan/walker.hpp).
std::string refusal(const ScheduleRequest& request) {
  constexpr std::int64_t most = 65'536;
  const std::int64_t threads = std::int64_t{request.channels} * (1 + pairs_of(request));
  if (threads <= most) return {};
  return fmt::format("in_network: the root of {} ranks and {} channels has {} threads of {} at most", request.size,
                     request.channels, threads, most);
}

}  // namespace

Algorithm in_network_algorithm() {
  Algorithm algorithm{
      "in_network",
      "switches combine on the way to a rank and copy on the way back; without such switches the rank does it",
      {CollectiveKind::all_reduce, CollectiveKind::broadcast, CollectiveKind::reduce},
      threads,
      make,
      cost,
      refusal};
  algorithm.merges = true;
  return algorithm;
}

}  // namespace lockstep
