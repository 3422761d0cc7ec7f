// The tables of a folder of published measurements: a JSON file with the facts of each, its rows in the CSV beside it.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/error.hpp"

namespace lockstep {

/// Its JSON files in the order of their names. Throws InputError if it is no folder.
inline std::vector<std::filesystem::path> table_files(const std::string& folder) {
  if (!std::filesystem::is_directory(folder)) throw InputError(folder + ": not a folder");
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace lockstep
