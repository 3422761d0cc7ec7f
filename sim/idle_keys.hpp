// Keys that were given, in a file or by --set, and cannot have had any effect on a prediction.
//
// The one table of such rules: a key of which a model takes no notice gets a line in idle_keys.cpp. A key whose value
// changes nothing by itself (loss: 0%) is not worth a word.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/profile/profile.hpp"
#include "core/topology/topology.hpp"
#include "core/workload/workload.hpp"

namespace lockstep::sim {

/// What a prediction was made from.
struct Inputs {
  const Topology* topology = nullptr;
  const Workload* workload = nullptr;
  const Profile* profile = nullptr;
  const PlannedWorkload* planned = nullptr;
  std::string_view fidelity;
  bool ranks_by_option = false;  ///< --ranks was given
};

/// One sentence per key, in the order topology, workload, profile, each as the keys stand there:
/// "t.yaml:5:12: 'links.*.loss' has no effect: ...", "--set profile.cores=8: has no effect: ...".
std::vector<std::string> idle_keys(const Inputs& inputs);
/// The same of the faults alone, of which a measurement may have taken notice.
std::vector<std::string> idle_faults(const Inputs& inputs);

}  // namespace lockstep::sim
