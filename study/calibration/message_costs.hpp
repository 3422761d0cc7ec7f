// From a fit to the rows of a profile.
#pragma once

#include <vector>

#include "core/profile/profile.hpp"
#include "study/calibration/message_fit.hpp"

namespace lockstep {

/// The intervals of `fit` as the profile has them. Of the intercept, `latency_s` at most is waiting, on nobody's
/// processor; the rest is the processors', split evenly between sender and receiver. Of the slope the receiver has
/// `receive_share`. Whole nanoseconds.
std::vector<MessageCost> message_costs(const MessageFit& fit, double latency_s, double receive_share = 0.5);

/// For sizes above `largest`, the last one fitted, where the network and not the software sets the time: ends the last
/// of `costs` there and adds an interval without an end and without a rate, in which a message costs what one of
/// `largest` does, or of `piece` if that is less: long messages are worked off in pieces while the rest is on its way.
std::vector<MessageCost> message_costs_beyond(std::vector<MessageCost> costs, Bytes largest, Bytes piece);

}  // namespace lockstep
