#include "cli/calibration_of_system.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/base/error.hpp"
#include "core/base/hash.hpp"
#include "core/base/statistics.hpp"
#include "core/base/text.hpp"
#include "core/base/version.hpp"
#include "core/nccl/system.hpp"
#include "core/nccl/tuning.hpp"
#include "core/units/parse.hpp"
#include "sim/nccl/time.hpp"
#include "study/calibration/system_fit.hpp"

namespace lockstep::cli {
namespace {

constexpr std::size_t stride = 4;  // rows per fitted one
constexpr std::size_t least_rows = 12;
constexpr std::int64_t large = 1 << 20;

struct Row {
  const CollectiveRow* measured = nullptr;
  SystemSample sample;
  [[nodiscard]] double predicted_s(const SystemFit& fit) const { return fit.predict(sample.fixed_s, sample.crossings); }
};

Duration whole_nanoseconds(double s) { return nanoseconds(std::llround(std::max(0.0, s) * 1e9)); }

std::string band(const std::vector<double>& errors, const std::string& name) {
  if (errors.empty()) return {};
  return fmt::format("# not fitted, {}: {} rows, median error {:.1f}%, at most {:.1f}%\n", name, errors.size(),
                     median(errors) * 100, percentile(errors, 1) * 100);
}

}  // namespace

bool is_log_of_nccl(const Result& measured) {
  return measured.backend == "nccl" && std::any_of(measured.collectives.begin(), measured.collectives.end(),
                                                   [](const CollectiveRow& row) { return nccl::knows(row.kind); });
}

Calibration calibrate_system(const Result& measured, const LogCalibrationRequest& request) {
  NcclProfile settings;
  const nccl::System system = nccl::system_of(*request.topology, measured.ranks, settings);
  const double latency_us = sim::nccl::fitted_constants().of(system.fabric).latency;
  std::vector<Row> rows;
  std::size_t left_out = 0;
  for (const auto& row : measured.collectives) {
    if (!nccl::knows(row.kind) || row.ranks != measured.ranks || row.size_bytes <= 0 || row.time_s <= 0) {
      ++left_out;
      continue;
    }
    const auto chosen = nccl::choose(system, row.kind, row.size_bytes);
    const auto parts = sim::nccl::parts_of(system, chosen, row.kind, row.size_bytes);
    rows.push_back({&row, {(parts.sum() - parts.crossings * latency_us) * 1e-6, parts.crossings, row.time_s}});
  }
  if (rows.size() < least_rows)
    throw InputError(
        fmt::format("{}: {} rows that NCCL's model knows; {} at least are needed, of which every fourth is "
                    "fitted and the others are predicted (all_reduce_perf -b 8 -e 1G -f 2)",
                    request.file, rows.size(), least_rows));
  std::vector<SystemSample> fitted;
  for (std::size_t i = 0; i < rows.size(); i += stride) fitted.push_back(rows[i].sample);
  const SystemFit fit = fit_system(fitted, latency_us * 1e-6);
  settings.offset = whole_nanoseconds(fit.offset_s);
  settings.scale = fit.scale;
  if (fit.has_latency) settings.transport_latency = whole_nanoseconds(fit.latency_s);

  Calibration calibration;
  std::vector<double> small_errors;
  std::vector<double> large_errors;
  std::vector<std::vector<std::string>> cells{{"collective", "size", "measured (us)", "predicted (us)", "error", ""}};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double predicted_s = rows[i].predicted_s(fit);
    const double error = predicted_s / rows[i].sample.measured_s - 1;
    const bool held_out = i % stride != 0;
    cells.push_back({std::string(to_string(rows[i].measured->kind)), format_bytes(Bytes{rows[i].measured->size_bytes}),
                     fmt::format("{:.2f}", rows[i].sample.measured_s * 1e6), fmt::format("{:.2f}", predicted_s * 1e6),
                     fmt::format("{:+.1f}%", error * 100), held_out ? "" : "fitted"});
    if (held_out) (rows[i].measured->size_bytes >= large ? large_errors : small_errors).push_back(std::abs(error));
  }
  calibration.text = format_table(cells) + band(large_errors, "1MiB and more") + band(small_errors, "below 1MiB");
  calibration.text += fmt::format("# offset {:.2f} us, scale {:.3f}", fit.offset_s * 1e6, fit.scale);
  calibration.text += fit.has_latency ? fmt::format(", transport latency {:.2f} us\n", fit.latency_s * 1e6)
                                      : std::string(", transport latency: the log cannot tell it from the offset\n");
  if (left_out > 0)
    calibration.text += fmt::format("# {} rows that NCCL's model does not know were left out\n", left_out);

  Profile& profile = calibration.profile;
  profile.name = !request.name.empty() ? request.name : std::filesystem::path(request.file).stem().string();
  profile.backend = "nccl";
  profile.nccl = settings;
  const auto errors = [](const std::vector<double>& values) -> Json {
    if (values.empty()) return nullptr;
    return {{"rows", values.size()}, {"median_error", median(values)}, {"max_error", percentile(values, 1)}};
  };
  profile.measured = Json{{"from", request.file},
                          {"version", version},
                          {"topology", {{"name", request.topology->name}, {"sha256", request.topology->sha256}}},
                          {"ranks", measured.ranks},
                          {"fitted", {{"rows", fitted.size()}, {"median_error", fit.median_error}}},
                          {"not_fitted", {{"from_1MiB", errors(large_errors)}, {"below_1MiB", errors(small_errors)}}}};
  profile.sha256 = sha256(to_yaml(profile));
  return calibration;
}

}  // namespace lockstep::cli
