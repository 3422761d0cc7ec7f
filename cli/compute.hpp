// `--compute`: kernels are run, or each takes its predicted time asleep.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <string>

#include "core/profile/profile.hpp"
#include "core/workload/workload.hpp"

namespace lockstep::cli {

struct ComputeOption {
  std::string how = "real";
  void declare(CLI::App& app);
  /// Throws InputError for a name that is neither.
  [[nodiscard]] bool sleeps() const;
};

/// Of every kernel of the workload, by its text, what the profile says. Throws InputError where it says nothing, or
/// where there is no kernel that could sleep.
std::map<std::string, Duration> sleep_times(const PlannedWorkload& planned, const Profile& profile);

}  // namespace lockstep::cli
