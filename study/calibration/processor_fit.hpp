// How much of a message's software time keeps a CPU busy (so that messages queue for it), and how much is waiting for
// nobody's CPU (interrupt, scheduler): from measurements with 1, 2, 4, ... pairs at the same time on `cores` cores.
//
//   occupancy(s) = overhead + per_byte * s                    CPU of sender and receiver together, per one-way message
//   time = max(network + latency + occupancy, pairs * occupancy / cores)
//
// A lone pair pays the sum; enough pairs are bound by the cores. This asymptote is the bound of operational analysis
// (Denning and Buzen, "The Operational Analysis of Queueing Network Models", 1978); the forward model can be replaced,
// by the simulator itself for instance.
//
// Contract:
//  - parameters >= 0; residuals relative to the median of the samples, soft-L1 loss; Ceres, one thread, fixed starts:
//  deterministic;
//  - what the measurements cannot tell apart (no measurement is bound by the cores, say) has identified == false, and
//  its
//    confidence interval is unbounded above (infinite).
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "core/profile/profile.hpp"
#include "study/calibration/message_fit.hpp"

namespace lockstep {

struct PairsMeasurement {
  Bytes size;
  int pairs = 1;                  ///< that ping-pong at the same time
  int cores = 1;                  ///< that all of them share
  std::vector<double> samples_s;  ///< time per one-way message of a pair
  double network_s = 0;           ///< of a lone message, by the topology's model
};

struct ProcessorCost {
  double overhead_s = 0;  ///< CPU per message: sender and receiver together
  double per_byte_s = 0;  ///< CPU per byte: sender and receiver together
  double latency_s = 0;   ///< wake-up, on no CPU
};

/// The time per one-way message that a cost predicts for a measurement.
using ProcessorModel = std::function<double(const ProcessorCost& cost, const PairsMeasurement& measurement)>;

/// The formula above.
double processor_time(const ProcessorCost& cost, const PairsMeasurement& measurement);

struct ProcessorFit {
  ProcessorCost cost;
  Estimate overhead_s, per_byte_s, latency_s;
  bool identified = false;  ///< CPU and waiting could be told apart
  double median_error = 0, max_error = 0;
};

/// Throws InputError with fewer measurements than parameters. Sizes may be all the same: then per_byte is 0.
ProcessorFit fit_processor(std::span<const PairsMeasurement> measurements,
                           const ProcessorModel& model = processor_time);

Json to_json(const ProcessorFit& fit);

/// The profile's rows: the intervals of `messages`, the CPU's part of the intercept and of the slope split evenly
/// between sender and receiver, the rest of the intercept as latency. Where the processor fit could not tell CPU and
/// waiting apart, half of the intercept counts as CPU; `identified` in the profile's record says which of the two it
/// was.
std::vector<MessageCost> message_costs(const MessageFit& messages, const ProcessorFit& processor);

}  // namespace lockstep
