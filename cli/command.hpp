// One file per command; commands.cpp lists them. Help, "did you mean" and the documentation come from that catalogue.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <span>
#include <string>

namespace lockstep::cli {

struct Command {
  std::string name;
  std::string description;  ///< one line
  std::string example;      ///< works as written from the repository's root
  /// Adds the options and returns what to run; the action returns the exit code and throws Error for the rest.
  std::function<int()> (*declare)(CLI::App& app);
};

std::span<const Command> command_catalogue();

}  // namespace lockstep::cli
