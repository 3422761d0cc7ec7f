#include "sim/storage/page_cache.hpp"

#include <algorithm>

#include "core/faults/draws.hpp"

namespace lockstep::sim {
namespace {

constexpr std::int64_t page = 4096;
constexpr std::int64_t epochs_back = 8;  // with many hosts a sample may have been here several epochs ago

}  // namespace

PageCache::PageCache(const LoaderSpec& spec, int ranks, int ranks_per_host)
    : sampler_(spec.sampler),
      cache_(spec.cache),
      samples_(spec.dataset.samples),
      bytes_per_sample_(static_cast<double>(spec.dataset.size.expected()) +
                        (spec.dataset.format == DatasetSpec::Format::files ? page / 2.0 : 0)),
      ranks_(ranks),
      ranks_per_host_(ranks_per_host),
      hosts_((ranks + ranks_per_host - 1) / ranks_per_host) {
  if (sampler_.order == SamplerSpec::Order::weighted && cache_.start == CacheSpec::Start::cold)
    seen_.resize(static_cast<std::size_t>(samples_) * static_cast<std::size_t>(hosts_));
}

bool PageCache::fits(double samples, std::int64_t taken) const {
  if (!cache_.memory) return true;
  return (samples + 1) * bytes_per_sample_ <= static_cast<double>(cache_.memory->count() - taken);
}

const EpochOrder& PageCache::order(std::int64_t epoch) {
  for (std::size_t i = 0; i < orders_.size(); ++i)
    if (order_epochs_[i] == epoch) return orders_[i];
  if (orders_.size() > static_cast<std::size_t>(epochs_back) + 1) {
    orders_.erase(orders_.begin());
    order_epochs_.erase(order_epochs_.begin());
  }
  orders_.emplace_back(sampler_, samples_, epoch);
  order_epochs_.push_back(epoch);
  return orders_.back();
}

bool PageCache::holds_weighted(const SampleStream::Sample& sample, std::int64_t taken) {
  if (!seen_.empty()) {
    const auto bit = static_cast<std::size_t>(host_of_place(sample.place)) * static_cast<std::size_t>(samples_) +
                     static_cast<std::size_t>(sample.index);
    const bool seen = seen_[bit];
    seen_[bit] = true;
    if (!seen) return false;
  }
  if (!cache_.memory) return true;
  const double held =
      static_cast<double>(cache_.memory->count() - taken) / (bytes_per_sample_ * static_cast<double>(samples_));
  return Draws(mix64(++draws_) ^ static_cast<std::uint64_t>(sampler_.seed)).uniform() < held;
}

bool PageCache::holds(const SampleStream::Sample& sample, std::int64_t taken) {
  if (sampler_.order == SamplerSpec::Order::weighted) return holds_weighted(sample, taken);
  const bool warm = cache_.start == CacheSpec::Start::warm;
  if (sample.epoch == 0 && !warm) return false;
  const auto all = static_cast<double>(samples_);
  const double share = 1.0 / hosts_;
  if (sampler_.order != SamplerSpec::Order::shuffle) return fits(all * share - 1, taken);
  if (!cache_.memory && hosts_ == 1) return true;
  const int host = host_of_place(sample.place);
  double left = 1 - static_cast<double>(sample.place) / all * share;  // of the dataset, not read here since
  for (std::int64_t back = 1; back <= epochs_back; ++back) {
    const std::int64_t epoch = sample.epoch - back;
    if (epoch < 0 && !warm) return false;
    const std::int64_t place = *order(epoch).place_of(sample.index);
    if (host_of_place(place) == host) {
      left *= 1 - static_cast<double>(samples_ - 1 - place) / all * share;
      return fits(all * (1 - left), taken);
    }
    left *= 1 - share;
    if (!fits(all * (1 - left), taken)) return false;
  }
  return false;
}

}  // namespace lockstep::sim
