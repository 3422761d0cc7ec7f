#include "cli/settings.hpp"

#include <algorithm>
#include <span>

#include "core/base/error.hpp"
#include "core/base/text.hpp"

namespace lockstep::cli {

void Settings::declare(CLI::App& app, Settings& settings, Prefixes prefixes) {
  settings.prefixes_ = std::move(prefixes);
  app.add_option_function<std::vector<std::string>>(
         "--set",
         [&settings](const std::vector<std::string>& assignments) {
           for (const auto& assignment : assignments) settings.add(assignment);
         },
         "Change a key: " + settings.prefixes_.front() + ".KEY=VALUE (repeatable)")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all();
}

void Settings::add(const std::string& assignment) {
  const auto equals = assignment.find('=');
  const std::string key = assignment.substr(0, equals);
  const auto dot = key.find('.');
  const std::string prefix = key.substr(0, dot);
  if (const std::span<const std::string> known(prefixes_); std::find(known.begin(), known.end(), prefix) == known.end())
    throw InputError("--set " + assignment + ": " + unknown_name("prefix", prefix, known));
  if (equals == std::string::npos || dot == std::string::npos || dot + 1 == key.size())
    throw InputError("--set " + assignment + ": expected " + prefix + ".KEY=VALUE");
  settings_.push_back({prefix, key.substr(dot + 1), assignment.substr(equals + 1)});
}

void Settings::apply(std::string_view prefix, config::Node& root) const {
  for (const auto& setting : settings_)
    if (setting.prefix == prefix) config::set_key(root, setting.key, setting.value, setting.prefix + ".");
}

void Settings::require_unused(std::string_view prefix, std::string_view remedy) const {
  for (const auto& setting : settings_)
    if (setting.prefix == prefix)
      throw InputError(
          fmt::format("--set {}.{}={}: would have no effect; {}", setting.prefix, setting.key, setting.value, remedy));
}

Topology load_topology_with(const std::string& path, const Settings& settings) {
  config::Node root = config::load_file(path);
  settings.apply("topology", root);
  return read_topology(root, path);
}

Workload load_workload_with(const std::string& path, const Settings& settings) {
  config::Node root = config::load_file(path);
  settings.apply("workload", root);
  return read_workload(root, path);
}

Profile load_profile_with(const std::string& path, const Settings& settings) {
  config::Node root = load_profile_document(path);
  settings.apply("profile", root);
  return read_profile(root, profile_file(path));
}

}  // namespace lockstep::cli
