// Small builders that the algorithms share.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "core/collective/schedule.hpp"

namespace lockstep {

inline Part make_part(int peer, int lane, Range range, Place place = Place::target) {
  Part part;
  part.peer = peer;
  part.lane = static_cast<std::uint16_t>(lane);
  part.channel = part.lane;  // where an algorithm has one lane per channel; others say which
  part.place = place;
  part.offset = range.begin;
  part.count = range.size();
  return part;
}

inline Part make_combine(int peer, int lane, Range range, bool finish) {
  Part part = make_part(peer, lane, range);
  part.combine = true;
  part.finish = finish;
  return part;
}

inline LocalCopy copy_of(Range range) {
  LocalCopy copy;
  copy.from = copy.to = range.begin;
  copy.count = range.size();
  return copy;
}

/// A schedule that is short enough to be written down whole: O(log n) or O(1) steps.
class StepList final : public Schedule {
 public:
  explicit StepList(std::vector<Step> steps) : steps_(std::move(steps)) {}
  bool next(Step& step) override {
    if (at_ == steps_.size()) return false;
    step = steps_[at_++];
    return true;
  }

 private:
  std::vector<Step> steps_;
  std::size_t at_ = 0;
};

/// Parts without elements are not sent (see the contract): these add only what carries data.
inline void add_send_if_any(Step& step, const Part& part) {
  if (part.count > 0) step.add_send(part);
}
inline void add_receive_if_any(Step& step, const Part& part) {
  if (part.count > 0) step.add_receive(part);
}
inline void append_if_any(std::vector<Step>& steps, const Step& step) {
  if (!step.empty()) steps.push_back(step);
}

/// Symmetries of algorithms all of whose ranks do the same to their neighbours at fixed distances, or to their partners
/// of an exclusive or, provided that all get equally much.
constexpr Symmetry rotation_if(bool equal, int period = 1) {
  return equal ? Symmetry{Symmetry::Kind::rotation, period} : Symmetry{};
}
constexpr Symmetry exclusive_or_if(bool equal) {
  return equal ? Symmetry{Symmetry::Kind::exclusive_or, 1} : Symmetry{};
}
constexpr bool power_of_two(int n) { return n > 0 && (n & (n - 1)) == 0; }
/// Every channel's share is dealt evenly to the ranks.
inline bool even_shares(const ScheduleRequest& request) {
  for (int channel = 0; channel < request.channels; ++channel)
    if (partition(request.count, request.channels, channel).size() % request.size != 0) return false;
  return true;
}

constexpr int modulo(int value, int n) {
  const int r = value % n;
  return r < 0 ? r + n : r;
}
/// ceil(log2(n)) for n >= 1.
constexpr int ceil_log2(int n) {
  int bits = 0;
  while ((1 << bits) < n) ++bits;
  return bits;
}
constexpr std::int64_t ceil_divide(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Elements in chunks of one length, the last of which may be shorter: what pipelines send.
class Chunks {
 public:
  Chunks(Range whole, std::int64_t length) : whole_(whole), length_(length) {}
  [[nodiscard]] std::int64_t number() const { return ceil_divide(whole_.size(), length_); }
  [[nodiscard]] Range at(std::int64_t j) const {
    const std::int64_t begin = whole_.begin + j * length_;
    return {begin, std::min(begin + length_, whole_.end)};
  }
  [[nodiscard]] Range whole() const { return whole_; }

 private:
  Range whole_;
  std::int64_t length_;
};

/// Number of pieces of at most `chunk` elements.
inline std::int64_t chunk_elements(const ScheduleRequest& request, std::int64_t count, Bytes smallest, Bytes largest,
                                   std::int64_t pieces) {
  const auto width = static_cast<std::int64_t>(request.element_bytes);
  if (request.chunk.count() > 0) return std::max<std::int64_t>(1, request.chunk.count() / width);
  const std::int64_t wanted = ceil_divide(std::max<std::int64_t>(count, 1), pieces) * width;
  return std::max<std::int64_t>(1, std::clamp(wanted, smallest.count(), largest.count()) / width);
}

}  // namespace lockstep
