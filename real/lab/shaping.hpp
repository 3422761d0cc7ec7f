// How one direction of a link becomes a queueing discipline: the lab's link model, free of any system call.
//
// A token bucket (tc-tbf) holds `burst` bytes and fills at the link's rate; a frame passes when the bucket holds its
// bytes. So after a quiet spell `burst` bytes pass at once and a transfer of S bytes on the wire takes max(0, S -
// burst) / rate. tbf counts whole Ethernet frames (14 bytes of header, no preamble or gap), for a segmented packet
// (GSO) those of every segment.
#pragma once

#include <string>
#include <vector>

#include "core/topology/topology.hpp"

namespace lockstep::real {

struct Shaping {
  Bandwidth rate;
  Bytes burst;
  Bytes queue;           ///< tbf `limit`: bytes that may wait
  Duration delay{0};     ///< what the lab adds
  double loss = 0.0;     ///< likewise
  bool relayed = false;  ///< a process of the lab does both (delay_line.hpp), not the kernel
  Bytes mtu;
  Bytes gso_max_size;  ///< the largest packet that TCP hands to the interface
};

/// Figures for a link of the topology. `netem`: the kernel can delay and drop.
///
/// burst: the link's own, else max(16 KiB, 1 ms x rate): the bucket must hold at least one GSO packet and what the link
/// sends while a timer of a busy machine is late, or the rate is not reached (measured, docs/lab.md); more than that
/// falsifies small transfers. gso_max_size: half of the burst, so that a packet never waits for a full bucket; 2 frames
/// at least, 64 KiB at most.
Shaping shape(const Link& link, bool netem);

/// Lines for `tc -batch -` that shape `interface`.
std::vector<std::string> shaping_commands(const Shaping& shaping, const std::string& interface);

}  // namespace lockstep::real
