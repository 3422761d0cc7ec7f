// Options that several commands share, and what they all do with results.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "cli/settings.hpp"
#include "core/timeline/result.hpp"
#include "core/timeline/timeline.hpp"
#include "core/workload/workload.hpp"

namespace lockstep::cli {

/// --json, --trace, --report, --seed, -v, -q.
struct OutputOptions {
  std::string json;
  std::string trace;
  std::string report;
  std::uint64_t seed = 1;
  bool verbose = false;
  bool quiet = false;

  void declare(CLI::App& app, bool with_report, bool with_trace = true);
  /// Fails before hours of work, not after: every file named can be written.
  void check_writable() const;
  /// True where standard output belongs to JSON alone.
  [[nodiscard]] bool json_to_stdout() const { return json == "-"; }
};

/// A note on standard error (unless -q).
void note(const OutputOptions& output, const std::string& text);
/// The same, only with -v.
void detail(const OutputOptions& output, const std::string& text);

/// The object `run` of a result: command line, version, wall clock, host, date.
Json run_info(double wall_clock_s);
/// Keeps the command line for run_info.
void remember_command_line(int argc, char** argv);

SourceFile source_of(const Topology& topology);
SourceFile source_of(const Workload& workload);
SourceFile source_of(const Profile& profile);

/// "10%" or "0.1". Throws InputError naming the option.
double parse_tolerance(const std::string& text, const std::string& option);

/// Seconds since the process started.
double elapsed_s();

}  // namespace lockstep::cli
