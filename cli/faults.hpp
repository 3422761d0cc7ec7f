// The faults of a run that is measured: which there are, and whether the backend can make them.
#pragma once

#include <vector>

#include "cli/measure.hpp"
#include "cli/options.hpp"
#include "core/faults/changes.hpp"
#include "core/timeline/result.hpp"
#include "core/workload/workload.hpp"
#include "sim/idle_keys.hpp"

namespace lockstep::cli {

/// Those of both files, resolved. Throws InputError with the position of each that the backend cannot make, before
/// anything is run. `topology` may be null.
std::vector<ResolvedFault> faults_to_apply(const Backend& backend, const Topology* topology, const Workload& workload,
                                           int ranks);

/// Says in the result and in a note which of the faults that were measured the prediction knows nothing of.
void note_unpredicted_faults(const OutputOptions& output, const sim::Inputs& inputs, Result& predicted);

}  // namespace lockstep::cli
