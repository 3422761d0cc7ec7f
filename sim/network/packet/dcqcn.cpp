#include "sim/network/packet/dcqcn.hpp"

#include <algorithm>

namespace lockstep::sim::packet {
namespace {

double or_share(const std::optional<Bandwidth>& given, double line, double share) {
  return given ? static_cast<double>(given->bits_per_second()) : line * share;
}

}  // namespace

DcqcnRate::DcqcnRate(const Dcqcn& settings, double line_rate)
    : settings_(&settings),
      line_(line_rate),
      least_(or_share(settings.min_rate, line_rate, 0.001)),
      additive_(or_share(settings.additive_increase, line_rate, 0.004)),
      hyper_(or_share(settings.hyper_increase, line_rate, 0.01)),
      rate_(line_rate),
      target_(line_rate) {}

bool DcqcnRate::notified(std::int64_t now) {
  const bool cuts = last_cut_ < 0 || now - last_cut_ >= settings_->rate_reduce_monitor_period.count();
  if (cuts) {
    target_ = rate_;
    rate_ = std::max(least_, rate_ * std::max(1 - alpha_ / 2, settings_->min_decrease));
    last_cut_ = now;
    times_ = 0;
    byte_rounds_ = 0;
    bytes_ = 0;
  }
  alpha_ = (1 - settings_->g) * alpha_ + settings_->g;
  return cuts;
}

void DcqcnRate::time_period_over() {
  ++times_;
  rise();
}

void DcqcnRate::sent(std::uint64_t bytes) {
  if (at_line_rate()) return;
  bytes_ += bytes;
  const auto round = static_cast<std::uint64_t>(settings_->byte_reset.count());
  while (bytes_ >= round) {
    bytes_ -= round;
    ++byte_rounds_;
    rise();
  }
}

void DcqcnRate::rise() {
  const std::int64_t threshold = settings_->threshold;
  if (std::min(times_, byte_rounds_) > threshold)
    target_ += hyper_;
  else if (std::max(times_, byte_rounds_) > threshold)
    target_ += additive_;
  target_ = std::min(target_, line_);
  rate_ = std::min(line_, (rate_ + target_) / 2);
  // Halving the way to the line's rate would never end.
  if (rate_ > line_ * 0.9999) rate_ = target_ = line_;
}

}  // namespace lockstep::sim::packet
