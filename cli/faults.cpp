#include "cli/faults.hpp"

#include <fmt/format.h>

#include "cli/inputs.hpp"
#include "core/config/document.hpp"
#include "real/lab/measurement.hpp"

namespace lockstep::cli {

std::vector<ResolvedFault> faults_to_apply(const Backend& backend, const Topology* topology, const Workload& workload,
                                           int ranks) {
  if (!backend.applies_faults) {
    config::Diagnostics findings;
    const auto refuse = [&](const std::vector<Fault>& faults) {
      for (const Fault& fault : faults)
        findings.error(fault.position,
                       fmt::format("backend '{}' applies no faults: --backend lab does, or remove them", backend.name));
    };
    if (topology != nullptr) refuse(topology->faults);
    refuse(workload.faults);
    findings.throw_if_errors();
    return {};
  }
  if (topology == nullptr) return {};  // the backend says that it needs one
  auto faults = faults_of(*topology, workload, ranks);
  real::refuse_impossible_faults(faults);
  return faults;
}

void note_unpredicted_faults(const OutputOptions& output, const sim::Inputs& inputs, Result& predicted) {
  for (auto& warning : sim::idle_faults(inputs)) {
    note(output, "warning: " + warning);
    predicted.warnings.push_back(std::move(warning));
  }
}

}  // namespace lockstep::cli
