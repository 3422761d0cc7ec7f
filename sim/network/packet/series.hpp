// What happened at a port over time, in at most so many intervals of equal length: when they are full, two become one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lockstep::sim::packet {

class Series {
 public:
  struct Interval {
    std::uint64_t largest_queue = 0;  // bytes
    std::uint64_t sent = 0;           // bytes whose transmission began
  };

  /// `most` > 1.
  explicit Series(std::size_t most) : most_(most) {}
  /// The queue held `bytes` from `begin` to `end`.
  void queue(std::int64_t begin, std::int64_t end, std::uint64_t bytes) {
    fit(end);
    for (std::int64_t i = begin / length_; i <= end / length_; ++i) {
      Interval& interval = intervals_[static_cast<std::size_t>(i)];
      interval.largest_queue = std::max(interval.largest_queue, bytes);
    }
  }
  void send(std::int64_t at, std::uint64_t bytes) {
    fit(at);
    intervals_[static_cast<std::size_t>(at / length_)].sent += bytes;
  }
  /// Picoseconds.
  [[nodiscard]] std::int64_t length() const { return length_; }
  [[nodiscard]] const std::vector<Interval>& intervals() const { return intervals_; }

 private:
  void fit(std::int64_t time) {
    while (time / length_ >= static_cast<std::int64_t>(most_)) {
      length_ *= 2;
      for (std::size_t i = 0; i < intervals_.size(); ++i) {
        Interval& into = intervals_[i / 2];
        if (i % 2 == 0) {
          into = intervals_[i];
        } else {
          into.largest_queue = std::max(into.largest_queue, intervals_[i].largest_queue);
          into.sent += intervals_[i].sent;
        }
      }
      intervals_.resize((intervals_.size() + 1) / 2);
    }
    const auto needed = static_cast<std::size_t>(time / length_) + 1;
    if (intervals_.size() < needed) intervals_.resize(needed);
  }

  std::size_t most_;
  std::int64_t length_ = 1'000'000;  // 1 us
  std::vector<Interval> intervals_;
};

}  // namespace lockstep::sim::packet
