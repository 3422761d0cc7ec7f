// A profile's point-to-point part from a measurement of messages between two ranks: a log of perftest or OSU, or a
// result of ours.
//
//   time of a lone message    t(s) = L + s / (e B) + a_k + b_k s          in interval k of message sizes
//   time per message of many  g(s) = max(s / (e B), o + b_k s / 2)        (rows marked `throughput`)
//
// L (latency) and B (least bandwidth) are those of the route; e, the share of payload in what the link carries, is what
// the largest messages reach of B and becomes the frame header: (1/e - 1) bytes per byte of MTU. a_k and b_k are
// study/calibration/message_fit.hpp's. How much of a_k is processor time, o at either end, only a rate of small
// messages says (LogP's gap): o = min(g, a_k / 2), the rest is latency on nobody's processor. Without such rows all of
// a_k is taken for processor time, and without lone messages a is o and L is the topology's.
//
// Contract:
//  - rows of send_recv between two ranks; reads (ib_read_*) are left out: their times hold a request;
//  - only lone messages are fitted where there are such; throughput rows are then predicted and not fitted;
//  - sizes above the largest lone one cost what that one does (message_costs_beyond);
//  - throws InputError where rows are too few, or faster than the route.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/profile/profile.hpp"
#include "core/timeline/result.hpp"
#include "study/calibration/message_fit.hpp"

namespace lockstep {

/// The way of the messages, from the topology.
struct PathFigures {
  std::string name;  ///< for messages: "ranks 0 and 8 of 'h100_rail_64'"
  Duration latency{0};
  Bandwidth bandwidth;
  Bytes mtu{1500};
};

struct LogFit {
  TransportProfile transport;
  MessageFit fit;                        ///< of lone messages; without them of throughput rows
  double efficiency = 1;                 ///< e
  std::optional<double> gap_s;           ///< time per small message of many
  std::vector<SizeResidual> not_fitted;  ///< rows that were predicted only
  std::vector<std::string> notes;
};

/// `measured` came from a file of that name, for messages.
LogFit fit_log(const Result& measured, const PathFigures& path, const std::string& file);

}  // namespace lockstep
