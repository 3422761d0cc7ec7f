#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/config/document.hpp"
#include "core/config/text_file.hpp"

namespace lockstep::config {
namespace {

/// A file of the same folder with a name near to this one, or nothing.
std::string nearest_file(const std::filesystem::path& path) {
  std::error_code error;
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  std::vector<std::string> names;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end && names.size() < 10'000;
       at.increment(error))
    names.push_back(at->path().filename().string());
  std::sort(names.begin(), names.end());
  const std::string nearest = nearest_name(path.filename().string(), names);
  return nearest.empty() ? nearest : (path.has_parent_path() ? (path.parent_path() / nearest).string() : nearest);
}

}  // namespace

std::string load_text(const std::string& path) {
  if (path.empty()) throw InputError("the name of a file is empty");
  if (path.find('\0') != std::string::npos) throw InputError("the name of a file holds a NUL byte");
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    const std::string nearest = nearest_file(path);
    throw InputError(
        fmt::format("{}: no such file{}", path, nearest.empty() ? "" : fmt::format("; did you mean '{}'?", nearest)));
  }
  if (error) throw InputError(fmt::format("{}: {}", path, error.message()));
  if (status.type() == std::filesystem::file_type::directory)
    throw InputError(fmt::format("{}: is a directory, a YAML file is needed", path));
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw InputError(fmt::format("{}: cannot be read (check its permissions)", path));
  // Read to the limit and one byte more: pipes have no size to ask for.
  std::string text(max_file_bytes + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) throw InputError(fmt::format("{}: reading failed", path));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return text;
}

Node load_file(const std::string& path) { return parse_text(load_text(path), path); }

}  // namespace lockstep::config
