#include "cli/compute.hpp"

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/text.hpp"

namespace lockstep::cli {

void ComputeOption::declare(CLI::App& app) {
  app.add_option("--compute", how, "real: kernels are run; sleep: each takes the profile's time asleep instead")
      ->capture_default_str()
      ->type_name("HOW");
}

bool ComputeOption::sleeps() const {
  static const std::vector<std::string> known{"real", "sleep"};
  if (std::find(known.begin(), known.end(), how) == known.end())
    throw InputError(unknown_name("--compute", how, known));
  return how == "sleep";
}

std::map<std::string, Duration> sleep_times(const PlannedWorkload& planned, const Profile& profile) {
  if (planned.kernels.empty()) throw InputError("--compute sleep: the workload has no kernels");
  std::map<std::string, Duration> times;
  for (const auto& entry : planned.kernels)
    times[to_text(entry.kernel)] = kernel_time(profile.compute, entry.kernel, profile.name);
  return times;
}

}  // namespace lockstep::cli
