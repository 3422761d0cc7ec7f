// Question: do events come out by time, ordered within a moment whatever the order of pushing?
#include "sim/engine/event_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <tuple>

#include "core/base/error.hpp"

namespace lockstep::sim {
namespace {

Event event(std::int64_t time, std::uint8_t kind, std::uint32_t entity, std::uint32_t counter, std::uint64_t data = 0) {
  Event e;
  e.time = time;
  e.kind = kind;
  e.entity = entity;
  e.counter = counter;
  e.data = data;
  return e;
}
using Key = std::tuple<std::int64_t, std::uint8_t, std::uint32_t, std::uint32_t, std::uint64_t>;
Key key(const Event& e) { return {e.time, e.kind, e.entity, e.counter, e.data}; }

TEST(EventQueue, AMomentComesAsOneBatchByKindEntityAndCounter) {
  const std::vector<Event> wanted{event(5, 0, 9, 9), event(5, 1, 0, 7), event(5, 1, 2, 1), event(5, 1, 2, 3, 0),
                                  event(5, 1, 2, 3, 4)};
  std::vector<std::size_t> order{0, 1, 2, 3, 4};
  do {
    EventQueue queue;
    queue.push(event(6, 0, 0, 0));
    for (const std::size_t i : order) queue.push(wanted[i]);
    EXPECT_EQ(queue.size(), 6U);
    std::vector<Event> batch;
    ASSERT_TRUE(queue.next(batch));
    ASSERT_EQ(batch.size(), wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_EQ(key(batch[i]), key(wanted[i]));
    EXPECT_EQ(queue.now(), 5);
    ASSERT_TRUE(queue.next(batch));
    EXPECT_EQ(batch.size(), 1U);
    EXPECT_FALSE(queue.next(batch));
    EXPECT_TRUE(batch.empty());
    EXPECT_TRUE(queue.empty());
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(EventQueue, WhatThePresentCausesAtOnceIsItsNextBatch) {
  EventQueue queue;
  queue.push(event(5, 3, 0, 0));
  std::vector<Event> batch;
  ASSERT_TRUE(queue.next(batch));
  queue.push(event(6, 0, 0, 0));
  queue.push(event(5, 0, 1, 0));
  ASSERT_TRUE(queue.next(batch));
  ASSERT_EQ(batch.size(), 1U);
  EXPECT_EQ(batch[0].entity, 1U);
  EXPECT_EQ(queue.now(), 5);
}

TEST(EventQueue, ThePastIsRefused) {
  EventQueue queue;
  queue.push(event(10, 0, 0, 0));
  std::vector<Event> batch;
  ASSERT_TRUE(queue.next(batch));
  EXPECT_THROW(queue.push(event(9, 0, 0, 0)), BrokenInvariant);
  EXPECT_NO_THROW(queue.push(event(10, 0, 0, 0)));
  EXPECT_THROW(EventQueue().push(event(-1, 0, 0, 0)), BrokenInvariant);
}

TEST(EventQueue, EqualsASortedMapOnRandomRuns) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    std::mt19937_64 random(seed);
    // From crowded moments to the far end of the clock.
    const std::uint64_t spread = std::uint64_t{1} << (random() % 62);
    EventQueue queue;
    std::multimap<Key, int> reference;
    std::int64_t now = 0;
    std::vector<Event> batch;
    std::size_t pushed = 0;
    while (pushed < 3000 || !reference.empty()) {
      for (std::uint64_t n = pushed < 3000 ? random() % 8 : 0; n > 0; --n, ++pushed) {
        const auto ahead = static_cast<std::int64_t>(random() % spread);
        if (ahead > std::numeric_limits<std::int64_t>::max() - now) continue;
        const Event e =
            event(now + ahead, static_cast<std::uint8_t>(random() % 3), static_cast<std::uint32_t>(random() % 4),
                  static_cast<std::uint32_t>(random() % 5), random() % 3);
        queue.push(e);
        reference.emplace(key(e), 0);
      }
      ASSERT_EQ(queue.size(), reference.size());
      ASSERT_EQ(queue.next(batch), !reference.empty());
      if (batch.empty()) continue;
      ASSERT_GE(batch.front().time, now);
      now = batch.front().time;
      ASSERT_EQ(queue.now(), now);
      for (const Event& e : batch) {
        ASSERT_EQ(key(e), reference.begin()->first);
        reference.erase(reference.begin());
      }
      // The batch is the whole moment.
      ASSERT_TRUE(reference.empty() || std::get<0>(reference.begin()->first) > now);
    }
  }
}

}  // namespace
}  // namespace lockstep::sim
