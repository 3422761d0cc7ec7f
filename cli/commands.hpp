// The commands' declarations, one line per file of this folder; the catalogue is in commands.cpp.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace lockstep::cli {

std::function<int()> declare_bench(CLI::App& app);
std::function<int()> declare_calibrate(CLI::App& app);
std::function<int()> declare_check(CLI::App& app);
std::function<int()> declare_compare(CLI::App& app);
std::function<int()> declare_doctor(CLI::App& app);
std::function<int()> declare_explain(CLI::App& app);
std::function<int()> declare_lab(CLI::App& app);
std::function<int()> declare_plan(CLI::App& app);
std::function<int()> declare_run(CLI::App& app);
std::function<int()> declare_schema(CLI::App& app);
std::function<int()> declare_simulate(CLI::App& app);
std::function<int()> declare_topology(CLI::App& app);
std::function<int()> declare_workload(CLI::App& app);
std::function<int()> declare_dataset(CLI::App& app);

}  // namespace lockstep::cli
