// Predicted against measured (DESIGN section 6, `lockstep.comparison/1`).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/error.hpp"
#include "core/timeline/result.hpp"

namespace lockstep {

struct ComparisonRow {
  std::string name;               ///< "all_reduce ring 4 ranks 1MiB", or "step", or the operation's
  std::string kind;
  std::string algorithm;
  int ranks = 0;
  std::int64_t size_bytes = 0;
  double predicted_s = 0;
  double measured_s = 0;
  std::optional<double> measured_min_s, measured_p95_s;
  double error = 0;               ///< |predicted - measured| / measured
  double signed_error = 0;        ///< (predicted - measured) / measured
  std::optional<bool> within_noise;  ///< predicted in [min, p95] of the measurement
  std::optional<bool> cpu_limited;
  std::optional<std::int64_t> wrong;
};

struct Comparison {
  std::vector<ComparisonRow> rows;
  std::optional<double> median_error, p95_error, max_error;  ///< none without rows
  std::vector<std::string> unmatched;                        ///< "predicted: ..." / "measured: ..." rows without a partner
};

Comparison compare(const Result& predicted, const Result& measured);
Json to_json(const Comparison& comparison);
std::string comparison_table(const Comparison& comparison);
/// A self-contained page with the table (a later issue makes it beautiful).
std::string comparison_html(const Comparison& comparison, const std::string& title);

struct Tolerance {
  double median = 0.10;
  std::optional<double> row;
};
/// ExitCode::done, fell_short (over a tolerance) or bad_input (nothing matched), with the sentence that says so.
struct Verdict {
  ExitCode code = ExitCode::done;
  std::string sentence;
};
Verdict judge(const Comparison& comparison, const Tolerance& tolerance);

/// The measured side may also be a text log of nccl-tests (all_reduce_perf, ...) or of the OSU micro-benchmarks; the format is
/// recognised by content. Throws InputError ("x.log:12: ...", or what was expected when no format fits).
Result load_measurement(const std::string& path);

}  // namespace lockstep
