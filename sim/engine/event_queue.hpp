// The event queue: plain values in a monotone radix heap, taken out a moment at a time.
//
// Quantities: time in picoseconds (int64, never before the moment last taken out). An event is {time, kind, entity,
// counter, data}. Order: by time; events of one moment come as one batch, ordered by (kind, entity, counter), where
// counter is the entity's own. There is no global insertion number, so the order in which simultaneous events were
// pushed cannot change a result. Events pushed at the moment being processed form its next batch (they are caused by
// the present one). Method: bucket b > 0 holds the times that differ from a reference (not later than the last moment)
// in bit b-1 as the highest; an event moves down at most once per bit (Ahuja, Mehlhorn, Orlin, Tarjan, "Faster
// algorithms for the shortest path problem", JACM 1990). A bucket of few events is not dealt out any further but
// sorted: the *front*, which what is pushed into its span joins. No allocation in steady state. When it is wrong:
// never; a push into the past is a broken invariant.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/base/error.hpp"

namespace lockstep::sim {

struct Event {
  std::int64_t time = 0;
  std::uint32_t entity = 0;
  std::uint32_t counter = 0;
  std::uint64_t data = 0;
  std::uint8_t kind = 0;
};

class EventQueue {
 public:
  void push(const Event& event) {
    LOCKSTEP_CHECK(event.time >= last_, "an event is pushed {} ps before the present", last_ - event.time);
    if (event.time < least_) least_ = event.time;
    ++size_;
    if (event.time < front_limit_)
      join_front(event);
    else
      deal(event);
  }
  /// Moves the next moment's events into `batch` (cleared first), ordered; false when there are none.
  bool next(std::vector<Event>& batch);
  /// The time of the next moment; `never` if there is none. It may still be before events that will be pushed.
  [[nodiscard]] std::int64_t next_time();
  /// The event that comes `n`-th (0: the next), if that is already known; a hint for what to fetch ahead.
  [[nodiscard]] const Event* upcoming(std::size_t n) const {
    return n < front_.size() ? &front_[front_.size() - 1 - n] : nullptr;
  }
  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  /// The moment last taken out.
  [[nodiscard]] std::int64_t now() const { return last_; }

 private:
  static constexpr std::size_t bucket_count = 65;
  static constexpr std::size_t front_size = 16;  // of a bucket that becomes the front; twice that is dealt out again
  [[nodiscard]] std::size_t bucket_of(std::int64_t time) const {
    const auto difference = static_cast<std::uint64_t>(time) ^ static_cast<std::uint64_t>(reference_);
    return static_cast<std::size_t>(std::bit_width(difference));
  }
  void deal(const Event& event) {
    const std::size_t bucket = bucket_of(event.time);
    if (bucket > 0) filled_ |= std::uint64_t{1} << (bucket - 1);
    // Field by field: what has just been written field by field is slow to read as a whole.
    buckets_[bucket].emplace_back(event.time, event.entity, event.counter, event.data, event.kind);
  }
  void join_front(const Event& event);
  void sort_into_front(const std::vector<Event>& events);  // at most front_size
  void open_lowest();

  std::array<std::vector<Event>, bucket_count> buckets_;
  std::uint64_t filled_ = 0;      // bit b-1: bucket b is not empty
  std::int64_t reference_ = 0;    // of the buckets
  std::vector<Event> front_;      // the earliest last
  std::int64_t front_limit_ = 0;  // whatever is earlier belongs to the front
  std::int64_t last_ = 0;
  std::size_t size_ = 0;
  std::int64_t least_ = never;  // time of the next moment, where known
  bool least_known_ = true;
};

}  // namespace lockstep::sim
