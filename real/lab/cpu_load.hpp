// How busy the machine's cores are, from /proc/stat: a lab in which the CPU and not the network sets the time is to be
// flagged.
#pragma once

#include <cstdint>
#include <istream>

namespace lockstep::real {

/// Time of all cores since boot, in clock ticks.
struct CpuTimes {
  std::uint64_t busy = 0;   ///< user, nice, system, interrupts, stolen
  std::uint64_t total = 0;  ///< busy, idle and waiting for disks
};

/// Of the file's first line ("cpu  user nice system idle iowait irq softirq steal guest guest_nice", proc(5)). Throws
/// RunFailure.
CpuTimes parse_cpu_times(std::istream& stat);
CpuTimes read_cpu_times();
/// Busy share of all cores between two readings, 0...1; 0 where no tick (10 ms) has passed.
double busy_share(const CpuTimes& before, const CpuTimes& after);
/// Cores that this process may use (its affinity).
int usable_cores();
/// Load average of the last minute; negative if unknown.
double load_average();

}  // namespace lockstep::real
