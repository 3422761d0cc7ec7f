// storage_accuracy FILE.csv [--rows] [--bare] [--workloads FOLDER]: the simulated loader against MLPerf Storage v1.0.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>

#include "bench/storage/rows.hpp"
#include "core/base/error.hpp"
#include "core/base/statistics.hpp"
#include "core/base/text.hpp"

namespace lockstep::storage {
namespace {

int run(int count, char** arguments) {
  CLI::App app("The simulated data loader against the results of MLPerf Storage v1.0");
  std::string file, workloads = "workloads";
  bool rows_too = false, bare = false;
  app.add_option("file", file, "mlperf_storage_v1.0_half.csv")->required();
  app.add_option("--workloads", workloads, "Where mlperf_*.yaml are")->capture_default_str();
  app.add_flag("--rows", rows_too, "Print every row");
  app.add_flag("--bare", bare, "Without the two constants of the benchmark's software");
  CLI11_PARSE(app, count, arguments);
  auto rows = load_rows(file);
  predict(rows, workloads, !bare);
  std::vector<std::vector<std::string>> lines{{"system", "workload", "accelerators", "hosts", "storage GB/s",
                                               "published", "predicted", "error", "utilisation", "predicted", "pass"}};
  std::vector<double> errors, unfitted;
  int same_verdict = 0;
  for (const auto& row : rows) {
    errors.push_back(std::abs(row.error()));
    if (!row.fitted()) unfitted.push_back(std::abs(row.error()));
    const bool passes = row.predicted_utilisation >= threshold(row.workload);
    same_verdict += passes == (row.utilisation >= threshold(row.workload)) ? 1 : 0;
    lines.push_back({row.system, row.workload + " " + row.accelerator, std::to_string(row.accelerators),
                     std::to_string(row.hosts), fmt::format("{:.1f}", row.storage_Bps * 1e-9),
                     fmt::format("{:.1f}", row.samples_per_s), fmt::format("{:.1f}", row.predicted_samples_per_s),
                     fmt::format("{:+.1f}%", 100 * row.error()), fmt::format("{:.1f}%", 100 * row.utilisation),
                     fmt::format("{:.1f}%", 100 * row.predicted_utilisation), passes ? "yes" : "no"});
  }
  if (rows_too) fmt::print("{}", format_table(lines));
  fmt::print(
      "{} rows: error of the throughput median {:.1f}%, p90 {:.1f}%; without the {} rows that constants were "
      "fitted on median {:.1f}%; verdict as published in {} of {}\n",
      rows.size(), 100 * median(errors), 100 * percentile(errors, 0.9), errors.size() - unfitted.size(),
      100 * median(unfitted), same_verdict, rows.size());
  return 0;
}

}  // namespace
}  // namespace lockstep::storage

int main(int count, char** arguments) {
  try {
    return lockstep::storage::run(count, arguments);
  } catch (const lockstep::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.code());
  }
}
