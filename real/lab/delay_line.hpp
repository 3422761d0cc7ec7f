// Latency and loss for cables of the lab where the kernel has no netem: a process that takes frames from one end, holds
// them, and gives them to the other.
//
// Contract:
//  - each end of such a cable is a veth pair whose other half lies in a namespace of the line's own; frames cross it
//  unchanged,
//    large ones of segmentation offload as a whole;
//  - a frame is given on `delay` after it came, by the kernel's time stamp, or as soon after that as the process runs:
//  50 to
//    100 us late on an idle machine, so it is for delays well above that;
//  - frames of one direction keep their order; one in 1 / loss is dropped, the same ones in each run of equal frames;
//  - it costs processor time per frame (about 10 us), which the ranks of a small machine lack.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "core/units/duration.hpp"
#include "real/lab/network_namespace.hpp"

namespace lockstep::real {

class DelayLine {
 public:
  struct Direction {
    std::string from, to;  ///< interfaces in the line's namespace
    Duration delay{0};
    double loss = 0;
  };
  /// Starts the process, which ends with this object or with its parent. Throws RunFailure.
  DelayLine(const NetworkNamespace& place, const std::vector<Direction>& directions);
  ~DelayLine();
  DelayLine(const DelayLine&) = delete;
  DelayLine& operator=(const DelayLine&) = delete;

 private:
  pid_t process_ = -1;
  pid_t owner_ = -1;
};

}  // namespace lockstep::real
