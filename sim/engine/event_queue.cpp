#include "sim/engine/event_queue.hpp"

#include <algorithm>
#include <bit>

namespace lockstep::sim {
namespace {

struct Before {  // a type, so that sorting can have it inline
  bool operator()(const Event& a, const Event& b) const {
    if (a.kind != b.kind) return a.kind < b.kind;
    if (a.entity != b.entity) return a.entity < b.entity;
    if (a.counter != b.counter) return a.counter < b.counter;
    return a.data < b.data;
  }
};

}  // namespace

void EventQueue::join_front(const Event& event) {
  if (front_.size() < 2 * front_size) {
    std::ptrdiff_t later = 0;
    for (const Event& one : front_) later += one.time > event.time ? 1 : 0;
    front_.emplace_back();
    std::move_backward(front_.begin() + later, front_.end() - 1, front_.end());
    Event& place = front_[static_cast<std::size_t>(later)];
    place.time = event.time;
    place.entity = event.entity;
    place.counter = event.counter;
    place.data = event.data;
    place.kind = event.kind;
    return;
  }
  // Too many to keep sorted. All buckets are above the front, and stay what they are for a reference inside it.
  reference_ = last_;
  front_limit_ = last_;
  for (const Event& one : front_) deal(one);
  front_.clear();
  deal(event);
}

std::int64_t EventQueue::next_time() {
  if (!front_.empty()) return front_.back().time;
  if (buckets_[0].empty() && filled_ != 0 &&
      buckets_[static_cast<std::size_t>(std::countr_zero(filled_)) + 1].size() <= front_size) {
    // next() would do that in any case, and need not look at them twice. All other buckets are above, for a reference
    // of last_ too.
    open_lowest();
    return front_.back().time;
  }
  if (!least_known_) {
    least_ = never;
    if (!buckets_[0].empty()) {
      least_ = reference_;
    } else if (filled_ != 0) {
      for (const Event& event : buckets_[static_cast<std::size_t>(std::countr_zero(filled_)) + 1])
        least_ = std::min(least_, event.time);
    }
    least_known_ = true;
  }
  return least_;
}

// By counting, for each, those that come later: so few events, in no order, cost a sort more in wrongly guessed
// branches than all comparisons cost without any.
void EventQueue::sort_into_front(const std::vector<Event>& events) {
  std::array<std::size_t, front_size> later{};
  for (std::size_t i = 1; i < events.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const std::size_t one = events[j].time > events[i].time ? 1 : 0;
      later[i] += one;
      later[j] += 1 - one;
    }
  }
  front_.resize(events.size());
  for (std::size_t i = 0; i < events.size(); ++i) front_[later[i]] = events[i];
}

// The lowest bucket becomes the front, or is dealt out until the earliest moment has bucket 0.
void EventQueue::open_lowest() {
  const auto lowest = static_cast<std::size_t>(std::countr_zero(filled_)) + 1;
  auto& bucket = buckets_[lowest];
  if (bucket.size() <= front_size) {
    sort_into_front(bucket);
    bucket.clear();
    // The bucket's span ends where the next higher bit changes.
    const auto span = static_cast<std::uint64_t>(front_.front().time) >> (lowest - 1);
    const std::uint64_t limit = (span + 1) << (lowest - 1);
    front_limit_ = static_cast<std::int64_t>(std::min(limit, static_cast<std::uint64_t>(never)));
  } else {
    reference_ = next_time();
    front_limit_ = reference_;
    // All of them go to lower buckets: they agree with the new reference in every bit from this bucket's up.
    for (const Event& event : bucket) deal(event);
    bucket.clear();
  }
  filled_ &= ~(std::uint64_t{1} << (lowest - 1));
}

bool EventQueue::next(std::vector<Event>& batch) {
  batch.clear();
  if (size_ == 0) return false;
  if (front_.empty() && buckets_[0].empty()) open_lowest();
  if (front_.empty()) {
    last_ = reference_;
    batch.swap(buckets_[0]);
  } else {
    last_ = front_.back().time;
    while (!front_.empty() && front_.back().time == last_) {
      batch.push_back(front_.back());
      front_.pop_back();
    }
  }
  least_known_ = false;
  least_ = never;
  size_ -= batch.size();
  if (batch.size() > 1 && !std::is_sorted(batch.begin(), batch.end(), Before{}))
    std::sort(batch.begin(), batch.end(), Before{});
  return true;
}

}  // namespace lockstep::sim
