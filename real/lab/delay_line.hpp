// Latency and loss for cables of the lab where the kernel has no netem: a process that takes frames from one end, holds
// them, and gives them to the other.
//
// Contract:
//  - each end of such a cable is a veth pair whose other half lies in a namespace of the line's own; frames cross it
//    unchanged, large ones of segmentation offload as a whole;
//  - a frame is given on `delay` after it came, by the kernel's time stamp, or as soon after that as the process runs,
//    a fraction of a millisecond late on an idle machine (a test holds 4 ms against 4.5): for delays well above that;
//  - frames of one direction keep their order; one in 1 / loss is dropped, in each run the same by their count;
//  - loss may be changed on the way, and jitter added: uniform between 0 and that, drawn once for what comes within so
//    long a time;
//  - what comes faster than it can be taken in is lost and counted (overrun());
//  - it costs processor time per frame, which the ranks of a small machine lack.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/units/duration.hpp"
#include "real/lab/descriptor.hpp"
#include "real/lab/network_namespace.hpp"
#include "real/lab/shared_memory.hpp"

namespace lockstep::real {

class DelayLine {
 public:
  struct Direction {
    std::string from, to;    ///< interfaces in the line's namespace
    std::uint32_t link = 0;  ///< tells directions apart where frames are dropped
    Duration delay{0};
    double loss = 0;
  };
  /// Whether this machine lets us have packet sockets. Call inside run_isolated().
  static bool possible();
  /// Starts the process, which ends with this object or with its parent. Throws RunFailure.
  DelayLine(const NetworkNamespace& place, const std::vector<Direction>& directions);
  ~DelayLine();
  /// What becomes of the frames of one of the directions from now on. Safe in forked children.
  void disturb(std::uint32_t link, double loss, Duration jitter, std::uint64_t seed) const;
  /// Frames lost because the process was late. Safe in forked children.
  [[nodiscard]] std::int64_t overrun() const;
  /// Throws RunFailure if the process has ended. Of the process that made this object alone.
  void check() const;
  DelayLine(const DelayLine&) = delete;
  DelayLine& operator=(const DelayLine&) = delete;

  /// Of one direction, where its process looks for every frame.
  struct Disturbance {
    std::atomic<double> loss{0};
    std::atomic<std::int64_t> jitter_ns{0};
    std::atomic<std::uint64_t> seed{0};
  };

 private:
  std::map<std::string, Descriptor> sockets_;
  std::map<std::uint32_t, std::size_t> index_;  // by link
  SharedMemory<Disturbance> disturbances_;
  mutable std::int64_t overrun_ = 0;
  pid_t process_ = -1;
  pid_t owner_ = -1;
};

}  // namespace lockstep::real
