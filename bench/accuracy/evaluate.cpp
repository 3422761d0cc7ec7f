#include "bench/accuracy/evaluate.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/statistics.hpp"
#include "sim/nccl/time.hpp"
#include "study/calibration/system_fit.hpp"

namespace lockstep::accuracy {
namespace {

using sim::nccl::Constants;

constexpr std::int64_t MiB = 1 << 20;

void add_row(ByBand& bands, std::int64_t bytes, double predicted, double measured) {
  const double error = std::abs(predicted - measured) / measured;
  if (bytes >= 256 * MiB) bands[large].values.push_back(error);
  bands[bytes >= MiB ? middle : small].values.push_back(error);
}

/// The mean over bands and tables of the mean |log(predicted / measured)|; a log error above 0.7 counts as 0.7, so that
/// a disturbed row or another choice of algorithm does not drive the fit.
double loss(std::span<const Table> tables, const Constants& constants) {
  double sum = 0;
  for (const Table& table : tables) {
    double of_band[2] = {0, 0};
    int rows[2] = {0, 0};
    for (const Row& row : table.rows) {
      const int band = row.bytes >= MiB ? 0 : 1;
      of_band[band] += std::min(0.7, std::abs(std::log(predicted_us(table, row.bytes, constants) / row.measured_us)));
      ++rows[band];
    }
    for (int band = 0; band < 2; ++band)
      if (rows[band] > 0) sum += of_band[band] / rows[band];
  }
  return sum;
}

}  // namespace

double Errors::median() const { return values.empty() ? 0 : lockstep::median(values); }

double Errors::p90() const {
  if (values.empty()) return 0;
  auto sorted = values;
  std::sort(sorted.begin(), sorted.end());
  const auto rank = static_cast<std::size_t>(std::ceil(0.9 * static_cast<double>(sorted.size())));
  return sorted[std::min(sorted.size(), rank) - 1];
}

ByBand errors_of(const Table& table, const Constants& constants) {
  ByBand bands;
  for (const Row& row : table.rows)
    add_row(bands, row.bytes, predicted_us(table, row.bytes, constants), row.measured_us);
  return bands;
}

Constants fit(std::span<const Table> tables, const Constants& start, int rounds) {
  Constants best = start;
  Constants first = start;
  auto varied = sim::nccl::free_constants(best);
  const auto initial = sim::nccl::free_constants(first);
  double least = loss(tables, best);
  double step = 1.5;
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < varied.size(); ++i) {
      double& value = *varied[i].value;
      for (const double factor : {step, 1 / step}) {
        const double before = value;
        const auto [low, high] = std::minmax({*initial[i].value / 6, *initial[i].value * 6});
        value = std::clamp(before * factor, low, high);
        const double now = loss(tables, best);
        if (now < least - 1e-9)
          least = now;
        else
          value = before;
      }
    }
    step = 1 + (step - 1) * 0.8;
  }
  return best;
}

std::vector<ByBand> leave_one_out(std::span<const Table> tables, const Constants& start, int rounds) {
  std::vector<ByBand> found;
  for (std::size_t out = 0; out < tables.size(); ++out) {
    std::vector<Table> others;
    for (std::size_t i = 0; i < tables.size(); ++i)
      if (i != out) others.push_back(tables[i]);
    found.push_back(errors_of(tables[out], fit(others, start, rounds)));
  }
  return found;
}

ByBand with_system_correction(const Table& table) {
  const double latency_us = sim::nccl::fitted_constants().of(table.system.fabric).latency;
  std::vector<SystemSample> samples;
  for (const Row& row : table.rows) {
    const auto chosen = nccl::choose(table.system, table.kind, row.bytes);
    const auto parts = sim::nccl::parts_of(table.system, chosen, table.kind, row.bytes);
    samples.push_back({(parts.sum() - parts.crossings * latency_us) / 1e6, parts.crossings, row.measured_us / 1e6});
  }
  std::vector<SystemSample> fitted;
  for (std::size_t i = 0; i < samples.size(); i += 4) fitted.push_back(samples[i]);
  const SystemFit correction = fit_system(fitted, latency_us / 1e6);
  ByBand bands;
  for (std::size_t i = 0; i < samples.size(); ++i)
    if (i % 4 != 0)
      add_row(bands, table.rows[i].bytes, correction.predict(samples[i].fixed_s, samples[i].crossings),
              samples[i].measured_s);
  return bands;
}

}  // namespace lockstep::accuracy
