// The earliest of many times that change: a heap of (time, id) whose entries can be moved.
//
// Quantities: ids are small whole numbers, times picoseconds (int64). Method: a heap of four children per node (a
// node's children share a cache line), and the place of every id in it. Equal times cost no sifting. Which of several
// equal times is on top is not defined: take all of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

namespace lockstep::sim {

class IndexedHeap {
 public:
  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

  [[nodiscard]] bool empty() const { return heap_.empty(); }
  [[nodiscard]] std::size_t size() const { return heap_.size(); }
  /// The earliest time; `never` if there is none.
  [[nodiscard]] std::int64_t top_time() const { return heap_.empty() ? never : heap_.front().time; }
  [[nodiscard]] std::uint32_t top() const { return heap_.front().id; }

  /// Puts an id in or moves it.
  void set(std::uint32_t id, std::int64_t time) {
    const std::uint32_t at = place(id);
    if (at == absent) {
      heap_.push_back({time, id});
      up(static_cast<std::uint32_t>(heap_.size() - 1));
    } else {
      const std::int64_t before = heap_[at].time;
      heap_[at].time = time;
      if (time < before)
        up(at);
      else if (time > before)
        down(at);
    }
  }
  void remove(std::uint32_t id) {
    if (id >= places_.size() || places_[id] == absent) return;
    const std::uint32_t at = places_[id];
    places_[id] = absent;
    const Entry last = heap_.back();
    heap_.pop_back();
    if (at == heap_.size()) return;
    heap_[at] = last;
    places_[last.id] = at;
    up(at);
    down(places_[last.id]);
  }
  /// Takes out all that are not later than `time`; their ids, in no defined order, come into `ids` (cleared first).
  void take_until(std::int64_t time, std::vector<std::uint32_t>& ids) {
    ids.clear();
    if (top_time() > time) return;
    // Their places, level by level: who is early has an early parent.
    ids.push_back(0);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const std::size_t first = std::size_t{ids[i]} * 4 + 1;
      const std::size_t end = std::min(first + 4, heap_.size());
      for (std::size_t child = first; child < end; ++child)
        if (heap_[child].time <= time) ids.push_back(static_cast<std::uint32_t>(child));
    }
    const bool many = ids.size() * 8 >= heap_.size();
    for (std::uint32_t& place_then_id : ids) place_then_id = heap_[place_then_id].id;
    if (!many) {
      for (const std::uint32_t id : ids) remove(id);
      return;
    }
    for (const std::uint32_t id : ids) places_[id] = absent;
    std::erase_if(heap_, [time](const Entry& entry) { return entry.time <= time; });
    for (std::size_t i = 0; i < heap_.size(); ++i) places_[heap_[i].id] = static_cast<std::uint32_t>(i);
    restore();
  }
  /// As set(), but the heap is in disorder until restore(): for changes of a large part of it.
  void set_unordered(std::uint32_t id, std::int64_t time) {
    const std::uint32_t at = place(id);
    if (at == absent) {
      places_[id] = static_cast<std::uint32_t>(heap_.size());
      heap_.push_back({time, id});
    } else {
      heap_[at].time = time;
    }
  }
  void restore() {
    for (std::uint32_t i = static_cast<std::uint32_t>(heap_.size() + 2) / 4; i-- > 0;) down(i);
  }

 private:
  struct Entry {
    std::int64_t time;
    std::uint32_t id;
  };
  static constexpr std::uint32_t absent = std::numeric_limits<std::uint32_t>::max();

  std::uint32_t place(std::uint32_t id) {
    if (id >= places_.size()) places_.resize(std::max<std::size_t>(id + std::size_t{1}, places_.size() * 2), absent);
    return places_[id];
  }
  void up(std::uint32_t at) {
    const Entry entry = heap_[at];
    while (at > 0) {
      const std::uint32_t parent = (at - 1) / 4;
      if (heap_[parent].time <= entry.time) break;
      heap_[at] = heap_[parent];
      places_[heap_[at].id] = at;
      at = parent;
    }
    heap_[at] = entry;
    places_[entry.id] = at;
  }
  void down(std::uint32_t at) {
    const auto size = static_cast<std::uint32_t>(heap_.size());
    if (at >= size) return;
    const Entry entry = heap_[at];
    for (;;) {
      const std::uint32_t first = at * 4 + 1;
      if (first >= size) break;
      std::uint32_t least = first;
      const std::uint32_t end = std::min(first + 4, size);
      for (std::uint32_t child = first + 1; child < end; ++child)
        if (heap_[child].time < heap_[least].time) least = child;
      if (heap_[least].time >= entry.time) break;
      heap_[at] = heap_[least];
      places_[heap_[at].id] = at;
      at = least;
    }
    heap_[at] = entry;
    places_[entry.id] = at;
  }

  std::vector<Entry> heap_;
  std::vector<std::uint32_t> places_;
};

}  // namespace lockstep::sim
