#include "cli/verdict.hpp"

#include <fmt/format.h>

#include "cli/output.hpp"

namespace lockstep::cli {

void ToleranceOptions::declare(CLI::App& app) {
  app.add_option("--tolerance", tolerance, "Exit 1 when the median error is larger")
      ->capture_default_str()
      ->type_name("X%");
  app.add_option("--row-tolerance", row_tolerance, "Exit 1 when the error of any row is larger; default: none")
      ->type_name("X%");
}

Tolerance ToleranceOptions::parse() const {
  Tolerance result;
  result.median = parse_tolerance(tolerance, "--tolerance");
  if (!row_tolerance.empty()) result.row = parse_tolerance(row_tolerance, "--row-tolerance");
  return result;
}

int publish_comparison(const OutputOptions& output, const Comparison& comparison, const Tolerance& tolerance,
                       const Result* predicted, const Result* measured, const std::string& title) {
  const Verdict verdict = judge(comparison, tolerance);
  const bool judged = verdict.code != ExitCode::bad_input;
  if (!output.json_to_stdout())
    fmt::print("{}{}", comparison_table(comparison), judged ? verdict.sentence + "\n" : std::string());
  if (!output.json.empty()) {
    Json json = to_json(comparison);
    if (predicted != nullptr) json["predicted"] = to_json(*predicted);
    if (measured != nullptr) json["measured"] = to_json(*measured);
    write_output(output.json, json.dump(2) + "\n");
  }
  if (!output.report.empty()) write_output(output.report, comparison_html(comparison, title));
  if (!judged) throw InputError(verdict.sentence);
  return static_cast<int>(verdict.code);
}

}  // namespace lockstep::cli
