// What software adds to a point-to-point message, from measured one-way times: piecewise LogGP.
//
//   time(s) = network(s) + a_k + b_k * s      for  s in interval k of message sizes
//
// network(s) comes from the topology's model, so that a (o_send + latency + o_receive) and b (copies, per byte) are the
// software's part alone. LogGP: Alexandrov, Ionescu, Schauser, Scheiman, "LogGP: Incorporating Long Messages into the
// LogP Model", SPAA 1995; several intervals, because protocols switch with size (Hoefler, Lichei, Rehm, "Low-Overhead
// LogGP Parameter Assessment", IPDPS 2007).
//
// Contract:
//  - a point is the median of the samples of one size; residuals are relative to the measured time, so that every size
//  weighs the
//    same; Huber's loss (k = 1.345) bounds the weight of sizes that were disturbed;
//  - a_k >= 0, b_k >= 0, and the cost does not fall from one interval to the next; it may jump (a switch of protocol);
//  - interval ends are powers of two, every interval holds at least three sizes, and their number (at most
//  max_intervals) has the
//    lowest Bayesian information criterion;
//  - confidence intervals are Student's, from Huber's covariance of the estimate (Huber, "Robust Statistics", 1981,
//  section 7.6),
//    with the scale pooled over all intervals; they hold for the interval ends found, and are cut at 0;
//  - held-out errors: the same fit on every other size predicts the rest;
//  - deterministic: the order of the measurements does not matter.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "core/base/json.hpp"
#include "core/units/quantity.hpp"

namespace lockstep {

/// The measurement of one message size, between one pair.
struct MessageMeasurement {
  Bytes size;
  std::vector<double> samples_s;  ///< one-way times (half a round trip), at least one, > 0
  double network_s = 0;           ///< what the topology's model predicts without software
};

struct Estimate {
  double value = 0;
  double low = 0;  ///< 95% confidence interval
  double high = 0;
};

struct CostInterval {
  std::optional<Bytes> up_to;  ///< none: all larger messages
  Estimate intercept_s;
  Estimate slope_s_per_byte;
};

struct SizeResidual {
  Bytes size;
  double measured_s = 0;
  double fitted_s = 0;
  double relative = 0;  ///< (fitted - measured) / measured
};

struct MessageFit {
  std::vector<CostInterval> intervals;
  std::vector<SizeResidual> residuals;     ///< ascending in size
  double scale = 0;                        ///< robust relative scatter of the points (1.4826 MAD), at least 0.001
  double median_error = 0, max_error = 0;  ///< |relative| over the sizes fitted
  std::optional<double> held_out_median_error, held_out_max_error;  ///< none with fewer than eight sizes

  /// a_k + b_k * s: what software adds to a message of this size.
  [[nodiscard]] double software_s(Bytes size) const;
};

struct MessageFitOptions {
  int max_intervals = 4;
};

/// Throws InputError with fewer than three sizes, or samples that are not positive numbers.
MessageFit fit_messages(std::span<const MessageMeasurement> measurements, const MessageFitOptions& options = {});

/// For the profile's record of how it was obtained.
Json to_json(const MessageFit& fit);

/// The quantile 0.975 of Student's t with `degrees` of freedom (Abramowitz and Stegun 26.7.5; exact to 1% from 3
/// degrees on).
double student_975(int degrees);

}  // namespace lockstep
