#include "sim/engine/event_queue.hpp"

#include <algorithm>
#include <bit>
#include <tuple>

#include "core/base/error.hpp"

namespace lockstep::sim {
namespace {

bool before(const Event& a, const Event& b) {
  return std::tie(a.kind, a.entity, a.counter, a.data) < std::tie(b.kind, b.entity, b.counter, b.data);
}

}  // namespace

std::size_t EventQueue::bucket_of(std::int64_t time) const {
  const auto difference = static_cast<std::uint64_t>(time) ^ static_cast<std::uint64_t>(last_);
  return difference == 0 ? 0 : static_cast<std::size_t>(std::bit_width(difference));
}

void EventQueue::push(const Event& event) {
  LOCKSTEP_CHECK(event.time >= last_, "an event at {} ps is pushed at {} ps", event.time, last_);
  const std::size_t bucket = bucket_of(event.time);
  if (bucket > 0) filled_ |= std::uint64_t{1} << (bucket - 1);
  buckets_[bucket].push_back(event);
  if (event.time < least_) least_ = event.time;
  ++size_;
}

std::int64_t EventQueue::next_time() {
  if (!least_known_) {
    least_ = never;
    if (!buckets_[0].empty()) {
      least_ = last_;
    } else if (filled_ != 0) {
      for (const Event& event : buckets_[static_cast<std::size_t>(std::countr_zero(filled_)) + 1])
        least_ = std::min(least_, event.time);
    }
    least_known_ = true;
  }
  return least_;
}

bool EventQueue::next(std::vector<Event>& batch) {
  batch.clear();
  if (size_ == 0) return false;
  if (buckets_[0].empty()) {
    const auto lowest = static_cast<std::size_t>(std::countr_zero(filled_)) + 1;
    auto& bucket = buckets_[lowest];
    last_ = next_time();
    filled_ &= ~(std::uint64_t{1} << (lowest - 1));
    least_known_ = false;
    least_ = never;
    if (bucket.size() == 1) {  // mostly so where few events are pending
      batch.push_back(bucket.front());
      bucket.clear();
      --size_;
      return true;
    }
    // All of them go to lower buckets: they agree with the new moment in every bit from this bucket's up.
    for (const Event& event : bucket) {
      const std::size_t target = bucket_of(event.time);
      if (target > 0) filled_ |= std::uint64_t{1} << (target - 1);
      buckets_[target].push_back(event);
    }
    bucket.clear();
  }
  batch.swap(buckets_[0]);
  least_known_ = false;
  least_ = never;
  size_ -= batch.size();
  if (batch.size() > 1 && !std::is_sorted(batch.begin(), batch.end(), before))
    std::sort(batch.begin(), batch.end(), before);
  return true;
}

}  // namespace lockstep::sim
