// The commands' declarations, one line per file of this folder; the catalogue is in commands.cpp.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>

namespace lockstep::cli {

std::function<int()> declare_schema(CLI::App& app);
std::function<int()> declare_topology(CLI::App& app);

}  // namespace lockstep::cli
