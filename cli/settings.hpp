// `--set topology.a.b=v`, `--set workload.…`, `--set profile.…`: one option that reaches any key of any file of a
// command.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/config/document.hpp"
#include "core/profile/profile.hpp"
#include "core/topology/topology.hpp"
#include "core/workload/workload.hpp"

namespace lockstep::cli {

class Settings {
 public:
  /// The files that a command reads, by the prefixes of their keys.
  using Prefixes = std::vector<std::string>;

  /// Declares --set. The values arrive when the command line has been parsed; `settings` must outlive it.
  static void declare(CLI::App& app, Settings& settings, Prefixes prefixes = {"topology", "workload", "profile"});

  /// Takes one "topology.a.b=v". Throws InputError for a prefix that the command does not know (with the nearest) or a
  /// missing '='.
  void add(const std::string& assignment);

  /// Applies those of one prefix, in the order in which they were given.
  void apply(std::string_view prefix, config::Node& root) const;

  /// Throws InputError if a key of this prefix was set although nothing reads it.
  void require_unused(std::string_view prefix, std::string_view remedy) const;

 private:
  struct Setting {
    std::string prefix;
    std::string key;
    std::string value;
  };
  Prefixes prefixes_{"topology", "workload", "profile"};
  std::vector<Setting> settings_;
};

/// Each reads a file with the settings of its prefix applied.
Topology load_topology_with(const std::string& path, const Settings& settings);
Workload load_workload_with(const std::string& path, const Settings& settings);
/// `ideal` is the built-in profile.
Profile load_profile_with(const std::string& path, const Settings& settings);

}  // namespace lockstep::cli
