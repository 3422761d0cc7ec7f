#include "cli/options.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "cli/output.hpp"
#include "cli/usage.hpp"
#include "core/base/clock.hpp"
#include "core/base/error.hpp"
#include "core/base/version.hpp"
#include "core/units/parse.hpp"

namespace lockstep::cli {
namespace {

std::string command_line;

const double started_s = monotonic_s();

}  // namespace

void OutputOptions::declare(CLI::App& app, bool with_report, bool with_trace) {
  app.add_option("--json", json, "Write the result as JSON; - for standard output")->type_name("FILE");
  if (with_trace) app.add_option("--trace", trace, "Write a Chrome trace (opens in Perfetto)")->type_name("FILE");
  if (with_report) app.add_option("--report", report, "Write a web page with the table")->type_name("FILE.html");
  app.add_option("--seed", seed, "Seed of every random choice (routes)")
      ->capture_default_str()
      ->check(refuse_odd_numbers);
  app.add_flag("-v,--verbose", verbose, "Say more");
  app.add_flag("-q,--quiet", quiet, "Say nothing but results and errors");
}

void OutputOptions::check_writable() const {
  if (trace == "-") throw InputError("--trace -: a trace needs a file of its own");
  cli::check_writable(json, "--json");
  cli::check_writable(trace, "--trace");
  cli::check_writable(report, "--report");
}

void note(const OutputOptions& output, const std::string& text) {
  if (!output.quiet) fmt::print(stderr, "note: {}\n", text);
}

void detail(const OutputOptions& output, const std::string& text) {
  if (output.verbose) note(output, text);
}

void remember_command_line(int argc, char** argv) {
  for (int i = 0; i < argc; ++i) {
    if (i > 0) command_line += ' ';
    command_line += argv[i];
  }
}

Json run_info(double wall_clock_s) {
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  return Json{{"command", command_line},
              {"version", version},
              {"wall_clock_s", wall_clock_s},
              {"host", host},
              {"date", utc_date()}};
}

double elapsed_s() { return monotonic_s() - started_s; }

namespace {
SourceFile source(const std::string& name, const std::string& file, const std::string& sha256) {
  SourceFile source;
  source.name = name;
  if (!file.empty()) source.file = file;
  if (!sha256.empty()) source.sha256 = sha256;
  return source;
}
}  // namespace

SourceFile source_of(const Topology& topology) { return source(topology.name, topology.file, topology.sha256); }
SourceFile source_of(const Workload& workload) { return source(workload.name, workload.file, workload.sha256); }
SourceFile source_of(const Profile& profile) { return source(profile.name, profile.file, profile.sha256); }

double parse_tolerance(const std::string& text, const std::string& option) {
  try {
    const double value = parse_fraction(text);
    if (value < 0) throw UnitError("must not be negative; write 10% or 0.1");
    return value;
  } catch (const UnitError& error) {
    throw InputError(fmt::format("{} {}: {}", option, text, error.what()));
  }
}

}  // namespace lockstep::cli
