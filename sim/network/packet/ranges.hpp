// A set of bytes of a stream: disjoint ranges [begin, end), ascending. Few at a time: what is missing or ahead.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace lockstep::sim::packet {

class Ranges {
 public:
  struct Range {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };
  void add(std::uint64_t begin, std::uint64_t end) {
    if (begin >= end) return;
    // Mostly at the end.
    if (ranges_.empty() || begin > ranges_.back().end) {
      ranges_.push_back({begin, end});
      return;
    }
    auto first = std::lower_bound(ranges_.begin(), ranges_.end(), begin,
                                  [](const Range& range, std::uint64_t at) { return range.end < at; });
    auto last = first;
    while (last != ranges_.end() && last->begin <= end) {
      begin = std::min(begin, last->begin);
      end = std::max(end, last->end);
      ++last;
    }
    if (first == last) {
      ranges_.insert(first, {begin, end});
    } else {
      *first = {begin, end};
      ranges_.erase(first + 1, last);
    }
  }
  void remove(std::uint64_t begin, std::uint64_t end) {
    if (count(begin, end) == 0) return;
    Ranges left;
    for (const Range& range : ranges_) {
      left.add(range.begin, std::min(range.end, begin));
      left.add(std::max(range.begin, end), range.end);
    }
    *this = std::move(left);
  }
  /// Forgets what is below `at`.
  void drop_below(std::uint64_t at) {
    std::size_t gone = 0;
    while (gone < ranges_.size() && ranges_[gone].end <= at) ++gone;
    ranges_.erase(ranges_.begin(), ranges_.begin() + static_cast<std::ptrdiff_t>(gone));
    if (!ranges_.empty()) ranges_.front().begin = std::max(ranges_.front().begin, at);
  }
  [[nodiscard]] bool empty() const { return ranges_.empty(); }
  void clear() { ranges_.clear(); }
  /// Not empty.
  [[nodiscard]] const Range& front() const { return ranges_.front(); }
  /// The end of the last range; 0 if there is none.
  [[nodiscard]] std::uint64_t end() const { return ranges_.empty() ? 0 : ranges_.back().end; }
  /// The first byte from `at` on that is not in the set.
  [[nodiscard]] std::uint64_t first_missing(std::uint64_t at) const {
    for (const Range& range : ranges_)
      if (range.begin <= at && at < range.end) return range.end;
    return at;
  }
  /// The first byte after `at` that is in the set; the largest number if there is none.
  [[nodiscard]] std::uint64_t next_present(std::uint64_t at) const {
    for (const Range& range : ranges_)
      if (range.begin >= at) return range.begin;
    return std::numeric_limits<std::uint64_t>::max();
  }
  /// How many bytes of [begin, end) are in the set.
  [[nodiscard]] std::uint64_t count(std::uint64_t begin, std::uint64_t end) const {
    std::uint64_t sum = 0;
    for (const Range& range : ranges_) {
      const std::uint64_t from = std::max(begin, range.begin), to = std::min(end, range.end);
      if (from < to) sum += to - from;
    }
    return sum;
  }

 private:
  std::vector<Range> ranges_;
};

}  // namespace lockstep::sim::packet
