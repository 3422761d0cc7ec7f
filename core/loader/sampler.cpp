#include "core/loader/sampler.hpp"

#include <algorithm>
#include <utility>

#include "core/base/error.hpp"
#include "core/faults/draws.hpp"

namespace lockstep {
namespace {

std::uint64_t key_of(const SamplerSpec& spec, std::int64_t epoch) {
  return mix64(static_cast<std::uint64_t>(spec.seed) ^ mix64(static_cast<std::uint64_t>(epoch) + 0x5A3C));
}

}  // namespace

std::int64_t share_of_rank(std::int64_t samples, int rank, int ranks) {
  return samples / ranks + (rank < samples % ranks ? 1 : 0);
}

EpochOrder::EpochOrder(const SamplerSpec& spec, std::int64_t samples, std::int64_t epoch)
    : spec_(spec),
      samples_(samples),
      key_(key_of(spec, epoch)),
      permutation_(static_cast<std::uint64_t>(samples), key_) {}

std::int64_t EpochOrder::index(std::int64_t place) const {
  switch (spec_.order) {
    case SamplerSpec::Order::shuffle:
      return static_cast<std::int64_t>(permutation_(static_cast<std::uint64_t>(place)));
    case SamplerSpec::Order::weighted: {
      // Which class, by its share of the draws; then which of its samples. Classes lie one after another.
      Draws draws(key_ ^ mix64(static_cast<std::uint64_t>(place)));
      double total = 0;
      for (const auto& weight : spec_.weights) total += weight.share * weight.weight;
      double left = draws.uniform() * total;
      double before = 0;
      for (std::size_t i = 0; i < spec_.weights.size(); ++i) {
        const auto& weight = spec_.weights[i];
        const bool last = i + 1 == spec_.weights.size();
        const auto first = static_cast<std::int64_t>(before * static_cast<double>(samples_));
        before += weight.share;
        const auto end = last ? samples_ : static_cast<std::int64_t>(before * static_cast<double>(samples_));
        left -= weight.share * weight.weight;
        if ((left < 0 || last) && end > first)
          return first + static_cast<std::int64_t>(draws.below(static_cast<std::uint64_t>(end - first)));
      }
      return static_cast<std::int64_t>(draws.below(static_cast<std::uint64_t>(samples_)));
    }
    case SamplerSpec::Order::sequential:
    case SamplerSpec::Order::shuffle_buffer:
      break;
  }
  return place;
}

std::optional<std::int64_t> EpochOrder::place_of(std::int64_t index) const {
  switch (spec_.order) {
    case SamplerSpec::Order::weighted:
      return std::nullopt;
    case SamplerSpec::Order::shuffle:
      return static_cast<std::int64_t>(permutation_.place_of(static_cast<std::uint64_t>(index)));
    case SamplerSpec::Order::sequential:
    case SamplerSpec::Order::shuffle_buffer:
      break;
  }
  return index;
}

SampleStream::SampleStream(SamplerSpec spec, std::int64_t samples, int rank, int ranks)
    : spec_(std::move(spec)),
      samples_(samples),
      rank_(rank),
      ranks_(ranks),
      share_(share_of_rank(samples, rank, ranks)),
      order_(spec_, samples, 0) {
  LOCKSTEP_CHECK(rank >= 0 && rank < ranks, "rank {} of {}", rank, ranks);
}

void SampleStream::begin_epoch() {
  ++epoch_;
  position_ = 0;
  taken_ = 0;
  buffer_.clear();
  order_ = EpochOrder(spec_, samples_, epoch_);
}

// tf.data's and WebDataset's shuffle: the buffer is filled in order; each sample is a random one of it, and the next in
// order takes its place.
std::int64_t SampleStream::from_buffer() {
  while (taken_ < share_ && static_cast<std::int64_t>(buffer_.size()) < spec_.buffer)
    buffer_.push_back(rank_ + ranks_ * taken_++);
  const std::uint64_t key = key_of(spec_, epoch_) ^ mix64(static_cast<std::uint64_t>(rank_ + ranks_ * position_));
  auto& chosen = buffer_[Draws(key).below(buffer_.size())];
  const std::int64_t index = chosen;
  if (taken_ < share_) {
    chosen = rank_ + ranks_ * taken_++;
  } else {
    chosen = buffer_.back();
    buffer_.pop_back();
  }
  return index;
}

SampleStream::Sample SampleStream::next() {
  LOCKSTEP_CHECK(share_ > 0, "a rank without samples asks for one");
  if (position_ == share_) begin_epoch();
  const std::int64_t place = rank_ + ranks_ * position_;
  const std::int64_t index = spec_.order == SamplerSpec::Order::shuffle_buffer ? from_buffer() : order_.index(place);
  ++position_;
  return {index, epoch_, place};
}

}  // namespace lockstep
