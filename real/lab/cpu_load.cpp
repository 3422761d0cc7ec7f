#include "real/lab/cpu_load.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <string>

#include "core/base/error.hpp"

namespace lockstep::real {

CpuTimes parse_cpu_times(std::istream& stat) {
  std::string label;
  std::array<std::uint64_t, 8> ticks{};  // guest time is in user time already
  stat >> label;
  for (auto& value : ticks) stat >> value;
  if (!stat || label != "cpu") throw RunFailure("cannot read the CPU load from /proc/stat");
  CpuTimes times;
  for (const auto value : ticks) times.total += value;
  times.busy = times.total - ticks[3] - ticks[4];
  return times;
}

CpuTimes read_cpu_times() {
  std::ifstream file("/proc/stat");
  return parse_cpu_times(file);
}

double busy_share(const CpuTimes& before, const CpuTimes& after) {
  if (after.total <= before.total) return 0.0;
  // Per-core counters are not read at one instant: idle time may step back by a tick.
  const auto busy = after.busy > before.busy ? after.busy - before.busy : 0;
  return std::min(1.0, static_cast<double>(busy) / static_cast<double>(after.total - before.total));
}

int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return static_cast<int>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
}

double load_average() {
  double load = -1.0;
  return ::getloadavg(&load, 1) == 1 ? load : -1.0;
}

}  // namespace lockstep::real
