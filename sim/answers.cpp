#include "sim/answers.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace lockstep::sim {

std::int64_t Answers::train_time(double bits_per_second) const {
  return static_cast<std::int64_t>(std::llround(train_bits_ / bits_per_second * 1e12));
}

void Answers::add_pair(ResourceId first, double narrowest) {
  pairs_.push_back({first, narrowest});
  if (first != none) longest_train_ = std::max(longest_train_, train_time(narrowest));
}

void Answers::begun(std::uint32_t pair) {
  Pair& own = pairs_[pair];
  ++own.launched;
  // What waited for it goes behind its data, too, if they have entered.
  for (Held& held : own.held)
    if (held.launched == own.launched) held.gone = own.entered;
}

void Answers::enters(std::uint32_t pair, std::int64_t now) {
  Pair& own = pairs_[pair];
  if (own.entered_at != now) own.entered_now = 0;
  own.entered_at = now;
  ++own.entered_now;
  ++own.entered;
}

void Answers::flows(std::uint32_t pair, std::int64_t now) {
  Pair& own = pairs_[pair];
  own.flowing = true;
  own.since = now;
  if (own.first == none) return;
  Link& link = links_[own.first];
  ++link.flowing;
  if (link.begun_at != now) link.begun = 0;
  link.begun_at = now;
  ++link.begun;
}

void Answers::left(std::uint32_t pair, std::int64_t now) {
  Pair& own = pairs_[pair];
  own.flowing = false;
  ++own.gone;
  if (own.first == none) return;
  Link& link = links_[own.first];
  --link.flowing;
  if (own.since == now) --link.begun;
  if (link.latest[0].pair != pair) {
    link.latest[1] = {pair, now};
    std::swap(link.latest[0], link.latest[1]);
  }
  link.latest[0].time = now;
}

bool Answers::holds(std::uint32_t back, std::uint32_t message, std::int64_t now) {
  Pair& pair = pairs_[back];
  const std::uint64_t before = pair.entered - (pair.entered_at == now ? pair.entered_now : 0);
  if (pair.launched == pair.begun && before <= pair.gone) return false;
  pair.held.push_back({message, pair.begun, before});
  return true;
}

std::uint32_t Answers::next_answer(std::uint32_t back) {
  Pair& pair = pairs_[back];
  if (pair.held.empty()) return none;
  const Held first = pair.held.front();
  if (first.launched > pair.launched || first.gone > pair.gone) return none;
  pair.held.pop_front();
  return first.message;
}

std::int64_t Answers::behind_train(std::uint32_t back, FlowNetwork& network, std::int64_t now) const {
  const Pair& own = pairs_[back];
  if (train_bits_ <= 0 || own.first == none) return 0;
  const std::int64_t train = train_time(own.narrowest);
  const Link& link = links_[own.first];
  const std::int64_t own_flow = own.flowing && own.since < now ? 1 : 0;
  const std::int64_t flowing = link.flowing - (link.begun_at == now ? link.begun : 0) - own_flow;
  const bool busy = flowing > 0 || std::any_of(link.latest.begin(), link.latest.end(), [&](const Departure& other) {
                      return other.pair != none && other.pair != back && other.time > now - train;
                    });
  if (!busy) return 0;
  const double waits = std::max(0.0, train_bits_ - network.saved_bits(own.first, now));
  return static_cast<std::int64_t>(std::llround(waits / own.narrowest * 1e12));
}

std::vector<std::int64_t> Answers::ages(std::int64_t now) const {
  std::vector<std::int64_t> ages;
  if (longest_train_ == 0) return ages;
  for (const Link& link : links_)
    for (const Departure& one : link.latest) {
      const bool matters = one.pair != none && one.time > now - longest_train_;
      ages.push_back(matters ? one.pair : none);
      ages.push_back(matters ? now - one.time : 0);
    }
  return ages;
}

}  // namespace lockstep::sim
