// Predicted against measured (DESIGN section 6, `lockstep.comparison/1`).
//
// Contract:
//  - collectives match on (kind, algorithm, ranks, size_bytes), duplicates in the order they stand in;
//  - logs do not say which algorithm a library took: a measured row without algorithm (or with "native", where nothing
//  predicted
//    is called so) matches the predicted row of the same kind, ranks and size if exactly one is left; with more than
//    one it is unmatched, and says so. The same holds for a number of ranks that the log does not state (0);
//  - kernels (operations with the key `kernel`) match by that text, duplicates in the order they stand in;
//  - results without collectives and kernels are training steps: they match by name, `step` and (role, stream,
//  operation);
//  - a row whose measured time is 0 has no error and is unmatched;
//  - percentiles are those of core/base/statistics.hpp (linear interpolation; the median of an even count is the mean
//  of two).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/error.hpp"
#include "core/timeline/result.hpp"

namespace lockstep {

struct ComparisonRow {
  std::string name;  ///< "all_reduce ring 4 ranks 1MiB", or "step", or the operation's
  std::string kind;
  std::string algorithm;
  int ranks = 0;
  std::int64_t size_bytes = 0;
  double predicted_s = 0;
  double measured_s = 0;
  std::optional<double> measured_min_s, measured_p95_s;
  double error = 0;                  ///< |predicted - measured| / measured
  double signed_error = 0;           ///< (predicted - measured) / measured
  std::optional<bool> within_noise;  ///< predicted in [min, p95] of the measurement
  std::optional<bool> cpu_limited;
  std::optional<std::int64_t> wrong;
};

struct Comparison {
  std::vector<ComparisonRow> rows;
  std::optional<double> median_error, p95_error, max_error;  ///< none without rows
  std::vector<std::string> unmatched;  ///< "predicted: ..." / "measured: ..." rows without a partner
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

/// The measured side may also be a text log of nccl-tests (all_reduce_perf, ...) or of the OSU micro-benchmarks; the
/// format is recognised by content. Throws InputError ("x.log:12: ...", or what was expected when no format fits).
struct MeasurementHints {
  std::optional<CollectiveKind> kind;  ///< logs of old nccl-tests do not name the collective
  std::optional<int> ranks;            ///< OSU logs do not state the number of ranks
};
/// What a log may leave out, from the prediction it is compared with: its kind and its number of ranks where it has one
/// only.
MeasurementHints hints_from(const Result& predicted);
/// `hints` are used only where the log is silent, and the result's notes say so.
Result load_measurement(const std::string& path, const MeasurementHints& hints = {});

}  // namespace lockstep
