// Algorithms from files (docs/algorithm-files.md): a plan as data, for a fixed number of ranks or any.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/collective/custom.hpp"
#include "core/config/document.hpp"

namespace lockstep {

/// The declaration of algorithm files (reader, messages, schema).
nlohmann::ordered_json algorithm_schema();

/// What a file holds, for `ranks` ranks (0: as many as the file says), checked. Throws InputError with every error of
/// the file and every finding of check_algorithm. A path that ends in .xml is read as MSCCL's form, all else as YAML.
CustomAlgorithm load_algorithm(const std::string& path, int ranks);
/// The YAML form, and what the fuzzers call. `ranks`: as above.
CustomAlgorithm read_algorithm(const config::Node& root, const std::string& file, int ranks);

}  // namespace lockstep
