// Blocks: rank i owns block i of the buffer in all_gather, reduce_scatter, gather, scatter (the i-th part when the
// elements are dealt to all ranks) and all_to_all (equal blocks). Algorithms of few steps move several blocks in one
// message; where those do not lie side by side, the message is scattered.
#pragma once

#include <vector>

#include "core/collective/parts.hpp"

namespace lockstep {

/// Elements of block `index` on `channel`.
inline Range block_of(const ScheduleRequest& request, int index, int channel) {
  Range whole;
  if (request.kind == CollectiveKind::all_to_all) {
    const std::int64_t size = request.count / request.size;
    whole = {index * size, (index + 1) * size};
  } else {
    whole = partition(request.count, request.size, index);
  }
  const Range part = partition(whole.size(), request.channels, channel);
  return {whole.begin + part.begin, whole.begin + part.end};
}

/// Several blocks: first, first + stride, ... (modulo the ranks), `number` of them; with a mask only those whose place
/// in that row has the mask's bit.
struct BlockSet {
  int first = 0;
  int number = 0;
  int stride = 1;
  int mask = 0;
};

/// Of how many blocks `channel` has elements: always the first ones.
inline int filled_blocks(const ScheduleRequest& request, int channel) {
  const std::int64_t least = request.count / request.size;
  if (least > channel) return request.size;
  if (request.kind == CollectiveKind::all_to_all || least < channel) return 0;
  return static_cast<int>(request.count % request.size);
}

/// Elements of the `number` blocks from `first` on, modulo the ranks, on all channels.
inline std::int64_t elements_of(const ScheduleRequest& request, int first, int number) {
  const auto until = [&](int index) { return index == 0 ? 0 : partition(request.count, request.size, index - 1).end; };
  const int end = first + number;
  if (end <= request.size) return until(end) - until(first);
  return request.count - until(first) + until(end - request.size);
}

/// Channels on which any of the `number` blocks from `first` on, modulo the ranks, has elements.
inline std::int64_t messages_of(const ScheduleRequest& request, int first, int number) {
  std::int64_t messages = 0;
  for (int channel = 0; channel < request.channels; ++channel) {
    const int filled = filled_blocks(request, channel);
    messages += filled > 0 && (first < filled || first + number > request.size) ? 1 : 0;
  }
  return messages;
}

/// Messages of all ranks on all channels when rank r sends the blocks of `relative`, shifted by r.
inline std::int64_t messages_of_all(const ScheduleRequest& request, const BlockSet& relative) {
  std::int64_t messages = 0;
  for (int channel = 0; channel < request.channels; ++channel) {
    const int filled = filled_blocks(request, channel);
    if (filled == request.size) {
      messages += request.size;
    } else if (filled > 0) {
      for (int r = 0; r < request.size; ++r) {
        int index = modulo(r + relative.first, request.size);
        bool any = false;
        for (int i = 0; i < relative.number && !any; ++i) {
          any = index < filled;
          index = modulo(index + relative.stride, request.size);
        }
        messages += any ? 1 : 0;
      }
    }
  }
  return messages;
}

/// A schedule that writes its steps down whole, in which each part is a set of blocks. Sets that are one piece are sent
/// as such, the others scattered.
class BlockSteps : public Schedule {
 public:
  bool next(Step& step) override {
    if (at_ == steps_.size()) return false;
    step = steps_[at_++];
    return true;
  }
  [[nodiscard]] std::vector<Range> pieces(const Part& part) const override {
    std::vector<Range> pieces;
    for_each(sets_[static_cast<std::size_t>(part.offset)], [&](const Range& range) { pieces.push_back(range); });
    return pieces;
  }

 protected:
  BlockSteps(const ScheduleRequest& request, int channel) : request_(request), channel_(channel) {}

  [[nodiscard]] Range block(int index) const { return block_of(request_, index, channel_); }

  /// The message with these blocks; count 0 if they have no elements.
  Part part_of(int peer, int lane, const BlockSet& set, bool always_scattered = false) {
    Part part = make_part(peer, lane, {});
    part.channel = static_cast<std::uint16_t>(channel_);
    Range joined;
    bool one_piece = true;
    for_each(set, [&](const Range& range) {
      if (range.size() == 0) return;
      if (part.count == 0)
        joined = range;
      else if (joined.end == range.begin)
        joined.end = range.end;
      else
        one_piece = false;
      part.count += range.size();
    });
    if (one_piece && !always_scattered) {
      part.offset = joined.begin;
    } else {
      part.scattered = true;
      part.offset = static_cast<std::int64_t>(sets_.size());
      sets_.push_back(set);
    }
    return part;
  }
  Part combining_part_of(int peer, int lane, const BlockSet& set, bool finish) {
    Part part = part_of(peer, lane, set);
    part.combine = true;
    part.finish = finish;
    return part;
  }
  void append(const Step& step) { append_if_any(steps_, step); }
  /// What lies in the channel's part of all blocks goes from source to target.
  void append_copy_of_all() {
    if (request_.channels == 1) {
      Step step;
      step.copy = copy_of({0, request_.count});
      append(step);
      return;
    }
    for (int i = 0; i < request_.size; ++i) append_copy_of(i);
  }
  void append_copy_of(int index) {
    Step step;
    step.copy = copy_of(block(index));
    append(step);
  }

  ScheduleRequest request_;
  int channel_;

 private:
  template <class Visit>
  void for_each(const BlockSet& set, Visit visit) const {
    int index = modulo(set.first, request_.size);
    for (int i = 0; i < set.number; ++i) {
      if (set.mask == 0 || (i & set.mask) != 0) visit(block(index));
      index = modulo(index + set.stride, request_.size);
    }
  }

  std::vector<Step> steps_;
  std::vector<BlockSet> sets_;
  std::size_t at_ = 0;
};

}  // namespace lockstep
