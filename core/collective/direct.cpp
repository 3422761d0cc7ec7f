// Direct: what a rank has for another one goes to it in one message, and everybody sends to everybody at once. Few
// steps, many messages: for networks with full bisection and small numbers of ranks (inside a node).
//
// Thread d of rank r sends to r + d and receives from r - d; thread 0 copies what stays and combines: the order of
// combination (own, r-1, r-2, ...) must not depend on who arrives first, so it takes the messages two at a time.
// all_reduce: a direct reduce_scatter, then a direct all_gather that begins when thread 0 has the sum.
// send_recv: one message, to rank r + 1 (what nccl-tests' sendrecv does).
#include "core/collective/direct.hpp"

#include <fmt/format.h>

#include <limits>

#include "core/collective/blocks.hpp"

namespace lockstep {
namespace {

std::vector<Step> shift(const ScheduleRequest& request, int channel) {
  std::vector<Step> steps;
  Step step;
  const Range share = partition(request.count, request.channels, channel);
  if (request.size == 1) {
    step.copy = copy_of(share);
  } else {
    add_send_if_any(step, make_part((request.rank + 1) % request.size, channel, share, Place::source));
    add_receive_if_any(step, make_part(modulo(request.rank - 1, request.size), channel, share));
  }
  append_if_any(steps, step);
  return steps;
}

class Direct {
 public:
  Direct(const ScheduleRequest& request, int thread)
      : request_(request), n_(request.size), r_(request.rank), channel_(thread / n_), d_(thread % n_) {}

  std::vector<Step> steps() {
    switch (request_.kind) {
      case CollectiveKind::all_gather:
        d_ == 0 ? copy_own() : exchange(block(r_), block(from()), Place::source);
        break;
      case CollectiveKind::all_to_all:
      case CollectiveKind::all_to_all_v:
        d_ == 0 ? exchange_with_myself() : exchange(outgoing(to()), incoming(from()), Place::source);
        break;
      case CollectiveKind::gather:
      case CollectiveKind::scatter:
        rooted();
        break;
      default:
        d_ == 0 ? combine() : reduce();
        break;
    }
    return std::move(steps_);
  }

 private:
  [[nodiscard]] int to() const { return (r_ + d_) % n_; }
  [[nodiscard]] int from() const { return modulo(r_ - d_, n_); }
  [[nodiscard]] Range block(int index) const { return block_of(request_, index, channel_); }
  // All to all: where the block for a rank lies in the source, and that of a rank in the target.
  [[nodiscard]] Range outgoing(int peer) const {
    if (request_.counts == nullptr) return block(peer);
    return of_channel(request_.counts->sent_before(r_, peer), request_.counts->at(r_, peer));
  }
  [[nodiscard]] Range incoming(int peer) const {
    if (request_.counts == nullptr) return block(peer);
    return of_channel(request_.counts->received_before(r_, peer), request_.counts->at(peer, r_));
  }
  [[nodiscard]] Range of_channel(std::int64_t begin, std::int64_t count) const {
    const Range part = partition(count, request_.channels, channel_);
    return {begin + part.begin, begin + part.end};
  }

  Part part(int peer, int distance, const Range& range, Place place = Place::target, bool second = false) const {
    Part result = make_part(peer, (second ? request_.channels * n_ : 0) + channel_ * n_ + distance, range, place);
    result.channel = static_cast<std::uint16_t>(channel_);
    return result;
  }

  void copy_own() {
    if (request_.in_place) return;
    Step step;
    step.copy = copy_of(block(r_));
    append_if_any(steps_, step);
  }
  void exchange_with_myself() {
    Step step;
    step.copy = copy_of(outgoing(r_));
    step.copy.to = incoming(r_).begin;
    append_if_any(steps_, step);
  }
  void exchange(const Range& out, const Range& in, Place place) {
    Step step;
    add_send_if_any(step, part(to(), d_, out, place));
    add_receive_if_any(step, part(from(), d_, in));
    append_if_any(steps_, step);
  }
  void rooted() {
    const int v = modulo(r_ - request_.root, n_);
    const bool gather = request_.kind == CollectiveKind::gather;
    if (d_ == 0) {
      if (gather || v == 0) copy_own();
      return;
    }
    Step step;
    if (v == 0) {
      const Range of_peer = block(to());
      if (gather)
        add_receive_if_any(step, part(to(), d_, of_peer));
      else
        add_send_if_any(step, part(to(), d_, of_peer, Place::source));
    } else if (v == d_) {
      if (gather)
        add_send_if_any(step, part(request_.root, d_, block(r_), Place::source));
      else
        add_receive_if_any(step, part(request_.root, d_, block(r_)));
    }
    append_if_any(steps_, step);
  }

  // Thread 0 of reduce_scatter and all_reduce: the sum of the rank's own block.
  void combine() {
    copy_own();
    const Range own = block(r_);
    if (own.size() == 0) return;
    for (int d = 1; d < n_; d += 2) {
      Step step;
      for (int e = d; e < std::min(d + 2, n_); ++e) {
        Part in = part(modulo(r_ - e, n_), e, own);
        in.combine = true;
        in.finish = e == n_ - 1;
        step.add_receive(in);
      }
      steps_.push_back(step);
    }
  }
  [[nodiscard]] std::int64_t combine_steps() const {
    if (block(r_).size() == 0) return 0;
    return (request_.in_place ? 0 : 1) + n_ / 2;
  }
  void reduce() {
    Step step;
    add_send_if_any(step, part(to(), d_, block(to()), Place::source));
    append_if_any(steps_, step);
    if (request_.kind != CollectiveKind::all_reduce) return;
    step.clear();
    add_send_if_any(step, part(to(), d_, block(r_), Place::target, true));
    add_receive_if_any(step, part(from(), d_, block(from()), Place::target, true));
    step.after_thread = channel_ * n_;
    step.after_steps = combine_steps();
    append_if_any(steps_, step);
  }

  ScheduleRequest request_;
  int n_;
  int r_;
  int channel_;
  int d_;
  std::vector<Step> steps_;
};

std::unique_ptr<Schedule> make(const ScheduleRequest& request, int thread) {
  if (request.kind == CollectiveKind::send_recv) return std::make_unique<StepList>(shift(request, thread));
  return std::make_unique<StepList>(Direct(request, thread).steps());
}

int threads(const ScheduleRequest& request) {
  return request.kind == CollectiveKind::send_recv ? request.channels : request.channels * request.size;
}

std::string refusal(const ScheduleRequest& request) {
  if (request.kind == CollectiveKind::send_recv) return {};
  const std::int64_t lanes = std::int64_t{2} * request.channels * request.size;
  if (lanes <= std::numeric_limits<std::uint16_t>::max()) return {};
  return fmt::format("direct runs a thread per channel and peer; {} channels of {} ranks are too many (32767 in all)",
                     request.channels, request.size);
}

Cost cost(const ScheduleRequest& request) {
  Cost cost;
  const std::int64_t n = request.size;
  if (n == 1 || request.count == 0) return cost;
  const auto width = static_cast<std::int64_t>(request.element_bytes);
  cost.steps = 1;
  if (request.kind == CollectiveKind::send_recv) {
    cost.messages = n * std::min<std::int64_t>(request.count, request.channels);
    cost.bytes = n * request.count * width;
    cost.phases = {{1, request.count * width}};
    return cost;
  }
  if (request.kind == CollectiveKind::all_to_all_v) {
    std::int64_t busiest = 0;
    for (int r = 0; r < request.size; ++r) {
      for (int to = 0; to < request.size; ++to) {
        if (to == r) continue;
        cost.messages += std::min<std::int64_t>(request.counts->at(r, to), request.channels);
        cost.bytes += request.counts->at(r, to) * width;
      }
      const std::int64_t own = request.counts->at(r, r);
      busiest = std::max({busiest, request.counts->sent_before(r, request.size) - own,
                          request.counts->received_before(r, request.size) - own});
    }
    cost.phases = {{1, busiest * width}};
    return cost;
  }
  std::int64_t filled = 0;
  for (int channel = 0; channel < request.channels; ++channel) filled += filled_blocks(request, channel);
  const bool even = request.kind == CollectiveKind::all_to_all;
  const std::int64_t block = even ? request.count / n : ceil_divide(request.count, n);
  cost.messages = (n - 1) * filled;
  cost.bytes = (n - 1) * (even ? block * n : request.count) * width;
  cost.phases = {{1, (n - 1) * block * width}};
  if (request.kind == CollectiveKind::gather || request.kind == CollectiveKind::scatter) {
    cost.messages = filled - messages_of(request, request.root, 1);
    cost.bytes = (request.count - elements_of(request, request.root, 1)) * width;
  } else if (request.kind == CollectiveKind::all_reduce) {
    cost.steps *= 2;
    cost.messages *= 2;
    cost.bytes *= 2;
    cost.phases[0].rounds = 2;
  }
  return cost;
}

Symmetry symmetry(const ScheduleRequest& request) { return rotation_if(request.kind == CollectiveKind::send_recv); }

}  // namespace

Algorithm direct_algorithm() {
  return {"direct",
          "every message straight to its receiver, all at once: fewest steps, for few ranks or full bisection",
          {CollectiveKind::send_recv, CollectiveKind::gather, CollectiveKind::scatter, CollectiveKind::all_to_all,
           CollectiveKind::all_to_all_v, CollectiveKind::all_gather, CollectiveKind::reduce_scatter,
           CollectiveKind::all_reduce},
          threads,
          make,
          cost,
          refusal,
          symmetry};
}

}  // namespace lockstep
