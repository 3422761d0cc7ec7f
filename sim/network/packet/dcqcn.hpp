// The sender's half of DCQCN: a rate that notifications of congestion cut and that timers and bytes raise again.
//
// Quantities: rate Rc, target Rt, alpha, in bit/s and as a share. A notification: Rt = Rc, Rc = Rc max(1 - alpha/2,
// min_decrease), alpha = (1 - g) alpha + g; alpha falls by (1 - g) every alpha_period without one. Every time_reset and
// every byte_reset the rate rises: the first `threshold` times halfway back to Rt (fast recovery), then with Rt +
// additive_increase, and with Rt + hyper_increase once both kinds of rises have passed the threshold. At the line's
// rate it rests. Source: Zhu et al., "Congestion Control for Large-Scale RDMA Deployments", SIGCOMM 2015, 3.2.
#pragma once

#include <cstdint>

#include "core/profile/packet_transport.hpp"

namespace lockstep::sim::packet {

class DcqcnRate {
 public:
  DcqcnRate(const Dcqcn& settings, double line_rate);
  [[nodiscard]] double rate() const { return rate_; }
  [[nodiscard]] bool at_line_rate() const { return rate_ >= line_; }
  [[nodiscard]] double alpha() const { return alpha_; }

  /// A notification; false if it came too soon after the last cut to cut.
  bool notified(std::int64_t now);
  void alpha_period_over() { alpha_ *= 1 - settings_->g; }
  void time_period_over();
  /// Counts what was sent; the rate may rise.
  void sent(std::uint64_t bytes);

 private:
  void rise();

  const Dcqcn* settings_;
  double line_;
  double least_;
  double additive_;
  double hyper_;
  double rate_;
  double target_;
  double alpha_ = 1;
  std::int64_t times_ = 0;
  std::int64_t byte_rounds_ = 0;
  std::uint64_t bytes_ = 0;
  std::int64_t last_cut_ = -1;
};

}  // namespace lockstep::sim::packet
