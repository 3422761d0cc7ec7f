// Algorithms in MSCCL's XML (github.com/Azure/msccl-tools writes it): <algo> <gpu> <tb> <step/>.
// docs/algorithm-files.md says how its parts become ours.
#pragma once

#include <string>
#include <string_view>

#include "core/collective/custom.hpp"

namespace lockstep {

/// Throws InputError with every error and every finding of check_algorithm. `ranks`: must be the file's; 0: whatever it
/// says.
CustomAlgorithm load_msccl(const std::string& path, int ranks);
CustomAlgorithm read_msccl(std::string_view text, const std::string& file, int ranks);

}  // namespace lockstep
