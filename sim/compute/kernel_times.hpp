// How long the kernels of a plan take by a profile, each looked up once.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "core/profile/profile.hpp"
#include "core/units/duration.hpp"

namespace lockstep::sim {

/// The turn of a process that computes while others wait for its core: the base slice of Linux's scheduler with eight
/// cores or more (0.75 ms times 1 + log2 of the cores, eight at most; kernel/sched/fair.c); less with fewer.
inline constexpr Duration time_slice = milliseconds(3);

class KernelTimes {
 public:
  /// The profile must outlive it.
  explicit KernelTimes(const Profile& profile) : profile_(profile) {}
  /// Picoseconds. Throws InputError where the profile does not say it, or the text is no kernel.
  [[nodiscard]] std::int64_t of(const std::string& kernel) {
    const auto [entry, fresh] = times_.try_emplace(kernel, 0);
    if (fresh) entry->second = kernel_time(profile_.compute, parse_kernel(kernel), profile_.name).count();
    return entry->second;
  }

 private:
  const Profile& profile_;
  std::map<std::string, std::int64_t> times_;
};

/// When `ranks` that begin to compute at once are through, on `cores` that they share: each takes turns of a slice.
constexpr std::int64_t shared_time(std::int64_t work, int ranks, int cores) {
  if (cores <= 0 || ranks <= cores || work == 0) return work;
  const std::int64_t slices = (work + time_slice.count() - 1) / time_slice.count();
  const std::int64_t turns = (slices * ranks + cores - 1) / cores;
  return static_cast<std::int64_t>(static_cast<__int128>(work) * turns / slices);
}

}  // namespace lockstep::sim
