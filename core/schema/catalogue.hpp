// The JSON Schemas of our files, generated from the declarations that their readers use. schemas/ holds copies for
// editors.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>

namespace lockstep {

struct FileSchema {
  std::string name;         ///< "topology"
  std::string description;  ///< one line
  nlohmann::ordered_json (*schema)();
};

std::span<const FileSchema> schema_catalogue();

/// The text of a schema file: indented, with a final line end.
std::string schema_text(const FileSchema& schema);

}  // namespace lockstep
