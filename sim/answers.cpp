#include "sim/answers.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace lockstep::sim {

void Answers::flows(std::uint32_t pair, std::int64_t now) {
  Pair& own = pairs_[pair];
  own.flowing = true;
  own.since = now;
  Outgoing& outgoing = outgoing_[static_cast<std::size_t>(own.from)];
  ++outgoing.flowing;
  if (outgoing.begun_at != now) outgoing.begun = 0;
  outgoing.begun_at = now;
  ++outgoing.begun;
}

void Answers::left(std::uint32_t pair, std::int64_t now) {
  Pair& own = pairs_[pair];
  own.flowing = false;
  Outgoing& outgoing = outgoing_[static_cast<std::size_t>(own.from)];
  --outgoing.flowing;
  if (own.since == now) --outgoing.begun;
  auto& latest = outgoing.latest;
  if (latest[0].pair != pair) {
    latest[1] = {pair, now};
    std::swap(latest[0], latest[1]);
  }
  latest[0].time = now;
}

bool Answers::holds(std::uint32_t back, std::uint32_t message, std::int64_t now) {
  Pair& pair = pairs_[back];
  if (!pair.flows_before(now) && pair.beginning == 0) return false;
  pair.waiting.push(message);
  return true;
}

std::uint32_t Answers::next_answer(std::uint32_t back) {
  Pair& pair = pairs_[back];
  if (pair.flowing || pair.beginning > 0 || pair.waiting.empty()) return none;
  return pair.waiting.pop();
}

std::int64_t Answers::behind_train(std::uint32_t back, FlowNetwork& network, std::int64_t now) const {
  const Pair& own = pairs_[back];
  if (train_bits_ <= 0 || own.narrow == none) return 0;
  const double capacity = network.capacity(own.narrow);
  if (!(capacity > 0)) return 0;  // down: nothing leaves
  const auto train = static_cast<std::int64_t>(std::llround(train_bits_ / capacity * 1e12));
  const Outgoing& outgoing = outgoing_[static_cast<std::size_t>(own.from)];
  const std::int64_t flowing =
      outgoing.flowing - (outgoing.begun_at == now ? outgoing.begun : 0) - (own.flows_before(now) ? 1 : 0);
  const bool busy =
      flowing > 0 || std::any_of(outgoing.latest.begin(), outgoing.latest.end(), [&](const Departure& other) {
        return other.pair != none && other.pair != back && other.time > now - train;
      });
  if (!busy) return 0;
  const double waits = std::max(0.0, train_bits_ - network.saved_bits(own.narrow, now));
  return static_cast<std::int64_t>(std::llround(waits / capacity * 1e12));
}

std::vector<std::int64_t> Answers::ages(std::int64_t now) const {
  std::vector<std::int64_t> ages;
  for (const Outgoing& outgoing : outgoing_)
    for (const Departure& one : outgoing.latest) {
      ages.push_back(one.pair);
      ages.push_back(one.pair == none ? 0 : now - one.time);
    }
  return ages;
}

}  // namespace lockstep::sim
