// Runs a program in a host or switch of a lab, on the terminal of the caller: `lockstep lab exec`.
#pragma once

#include <string>
#include <vector>

#include "real/lab/network.hpp"

namespace lockstep::real {

/// Runs it to its end, with the caller's standard input, output and error; call inside run_isolated(). Returns its exit
/// code; 127 with a message on standard error if it could not be started. Throws RunFailure if a signal ended it.
int run_in_device(const LabNetwork& lab, DeviceId device, const std::vector<std::string>& command);

}  // namespace lockstep::real
