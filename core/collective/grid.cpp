#include "core/collective/grid.hpp"

namespace lockstep {

GridRing::GridRing(const ScheduleRequest& request, const std::vector<GridDimension>& dimensions, Range share, int lane,
                   int channel)
    : share_(share), lane_(lane), channel_(channel), copy_pending_(!request.in_place) {
  std::int64_t chunks = 1;
  for (const GridDimension& dimension : dimensions) chunks *= dimension.length;
  equal_ = share.size() % chunks == 0;
  for (const GridDimension& dimension : dimensions) {
    const int coordinate = request.rank / dimension.stride % dimension.length;
    const int base = request.rank - coordinate * dimension.stride;
    const int up = base + (coordinate + 1) % dimension.length * dimension.stride;
    const int down = base + modulo(coordinate - 1, dimension.length) * dimension.stride;
    Leg leg;
    leg.dimension = dimension;
    leg.place = dimension.backwards ? dimension.length - 1 - coordinate : coordinate;
    leg.to = dimension.backwards ? down : up;
    leg.from = dimension.backwards ? up : down;
    leg.share = share;
    share = chunk(leg, leg.place);
    legs_.push_back(leg);
  }
}

Range GridRing::chunk(const Leg& leg, int index) {
  const Range part = partition(leg.share.size(), leg.dimension.length, modulo(index, leg.dimension.length));
  return {leg.share.begin + part.begin, leg.share.begin + part.end};
}

std::int64_t GridRing::repeats() const {
  if (!equal_ || step_ == 0 || leg_ >= legs_.size()) return 0;
  const Leg& leg = legs_[gathering_ ? legs_.size() - 1 - leg_ : leg_];
  const bool finishes = !gathering_ && leg_ + 1 == legs_.size();
  return std::max(0, leg.dimension.length - 1 - (finishes ? 1 : 0) - step_);
}

bool GridRing::next(Step& step) {
  step.clear();
  if (copy_pending_) {
    copy_pending_ = false;
    step.copy = copy_of(share_);
    if (step.copy.count > 0) return true;
  }
  // Legs forwards for the reduction, then backwards for the collection: place of the ring in the sense of ring.cpp.
  while (leg_ < legs_.size()) {
    const Leg& leg = legs_[gathering_ ? legs_.size() - 1 - leg_ : leg_];
    while (step_ < leg.dimension.length - 1) {
      const int k = step_++;
      const int first = gathering_ ? leg.place - k : leg.place - k - 1;
      const bool last = leg_ + 1 == legs_.size() && step_ == leg.dimension.length - 1;
      Part out = make_part(leg.to, lane_, chunk(leg, first));
      Part in = gathering_ ? make_part(leg.from, lane_, chunk(leg, first - 1))
                           : make_combine(leg.from, lane_, chunk(leg, first - 1), last);
      out.channel = in.channel = static_cast<std::uint16_t>(channel_);
      add_send_if_any(step, out);
      add_receive_if_any(step, in);
      if (!step.empty()) return true;
    }
    step_ = 0;
    ++leg_;
    if (leg_ == legs_.size() && !gathering_) {
      gathering_ = true;
      leg_ = 0;
    }
  }
  return false;
}

bool grid_is_even(const ScheduleRequest& request, const std::vector<GridDimension>& dimensions, int threads) {
  std::int64_t chunks = 1;
  for (const GridDimension& dimension : dimensions) chunks *= dimension.length;
  for (int thread = 0; thread < threads; ++thread)
    if (partition(request.count, threads, thread).size() % chunks != 0) return false;
  return true;
}

namespace {

// Messages of the reduction from dimension `at` on, of the ranks that work on the same `count` elements.
std::int64_t reduce_messages(int ranks, const std::vector<GridDimension>& dimensions, std::size_t at,
                             std::int64_t count) {
  if (at == dimensions.size() || count == 0) return 0;
  const int length = dimensions[at].length;
  const std::int64_t rings = ranks / length;
  const std::int64_t larger = count % length;
  return rings * (length - 1) * std::min<std::int64_t>(count, length) +
         larger * reduce_messages(ranks / length, dimensions, at + 1, count / length + 1) +
         (length - larger) * reduce_messages(ranks / length, dimensions, at + 1, count / length);
}

}  // namespace

std::int64_t grid_messages(int ranks, const std::vector<GridDimension>& dimensions, std::int64_t count) {
  return 2 * reduce_messages(ranks, dimensions, 0, count);
}

std::int64_t grid_steps(const std::vector<GridDimension>& dimensions) {
  std::int64_t steps = 0;
  for (const auto& dimension : dimensions) steps += 2 * (dimension.length - 1);
  return steps;
}

}  // namespace lockstep
