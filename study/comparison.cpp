#include "study/comparison.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/base/statistics.hpp"
#include "core/units/quantity.hpp"

namespace lockstep {
namespace {

constexpr std::string_view native = "native";

std::string row_name(const CollectiveRow& row) {
  std::string name(to_string(row.kind));
  if (!row.algorithm.empty()) name += " " + row.algorithm;
  if (row.ranks > 0) name += fmt::format(" {} ranks", row.ranks);
  return name + " " + format_bytes(Bytes{row.size_bytes});
}

/// Fills error, signed_error and within_noise; false where the measured time is 0 and there is no relative error.
bool judge_row(ComparisonRow& row) {
  if (row.measured_s <= 0) return false;
  row.signed_error = (row.predicted_s - row.measured_s) / row.measured_s;
  row.error = std::abs(row.signed_error);
  if (row.measured_min_s && row.measured_p95_s)
    row.within_noise = *row.measured_min_s <= row.predicted_s && row.predicted_s <= *row.measured_p95_s;
  return true;
}

class CollectiveMatcher {
 public:
  CollectiveMatcher(const Result& predicted, const Result& measured, Comparison& comparison)
      : predicted_(predicted.collectives),
        measured_(measured.collectives),
        comparison_(comparison),
        partner_(measured_.size(), none),
        reason_(measured_.size()),
        taken_(predicted_.size(), false) {}

  void run() {
    // Rows that name everything come first, so that rows that name less choose among what is left.
    for (std::size_t m = 0; m < measured_.size(); ++m) match_exactly(m);
    for (std::size_t m = 0; m < measured_.size(); ++m)
      if (partner_[m] == none) match_loosely(m);
    for (std::size_t m = 0; m < measured_.size(); ++m) {
      if (partner_[m] != none) {
        add_row(predicted_[partner_[m]], measured_[m]);
      } else {
        comparison_.unmatched.push_back(fmt::format("measured: {}: {}", row_name(measured_[m]), reason_[m]));
      }
    }
    for (std::size_t p = 0; p < predicted_.size(); ++p)
      if (!taken_[p])
        comparison_.unmatched.push_back(fmt::format("predicted: {}: no measured row", row_name(predicted_[p])));
  }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  void take(std::size_t m, std::size_t p) {
    partner_[m] = p;
    taken_[p] = true;
  }

  void match_exactly(std::size_t m) {
    const auto& row = measured_[m];
    for (std::size_t p = 0; p < predicted_.size(); ++p) {
      const auto& candidate = predicted_[p];
      if (!taken_[p] && candidate.kind == row.kind && candidate.algorithm == row.algorithm &&
          candidate.ranks == row.ranks && candidate.size_bytes == row.size_bytes)
        return take(m, p);
    }
  }

  void match_loosely(std::size_t m) {
    const auto& row = measured_[m];
    reason_[m] = "no predicted row";
    const bool any_algorithm = row.algorithm.empty() || row.algorithm == native;
    const bool any_ranks = row.ranks == 0;
    if (!any_algorithm && !any_ranks) return;
    std::vector<std::size_t> candidates;
    std::string names;
    for (std::size_t p = 0; p < predicted_.size(); ++p) {
      const auto& candidate = predicted_[p];
      if (taken_[p] || candidate.kind != row.kind || candidate.size_bytes != row.size_bytes) continue;
      if (!any_algorithm && candidate.algorithm != row.algorithm) continue;
      if (!any_ranks && candidate.ranks != row.ranks) continue;
      names += (names.empty() ? "" : ", ") + row_name(candidate);
      candidates.push_back(p);
    }
    if (candidates.size() == 1) return take(m, candidates.front());
    if (candidates.size() > 1)
      reason_[m] =
          fmt::format("the measurement does not say which of {} predicted rows it is ({}); predict one of them alone",
                      candidates.size(), names);
  }

  void add_row(const CollectiveRow& predicted, const CollectiveRow& measured) {
    ComparisonRow row{.name = row_name(predicted),
                      .kind = std::string(to_string(predicted.kind)),
                      .algorithm = predicted.algorithm,
                      .ranks = predicted.ranks,
                      .size_bytes = predicted.size_bytes,
                      .predicted_s = predicted.time_s,
                      .measured_s = measured.time_s,
                      .measured_min_s = measured.min_s,
                      .measured_p95_s = measured.p95_s,
                      .error = 0,
                      .signed_error = 0,
                      .within_noise = std::nullopt,
                      .cpu_limited = measured.cpu_limited,
                      .wrong = measured.wrong};
    if (judge_row(row)) {
      comparison_.rows.push_back(std::move(row));
    } else {
      comparison_.unmatched.push_back(
          fmt::format("measured: {}: its time is 0, so there is no relative error", row.name));
    }
  }

  const std::vector<CollectiveRow>& predicted_;
  const std::vector<CollectiveRow>& measured_;
  Comparison& comparison_;
  std::vector<std::size_t> partner_;
  std::vector<std::string> reason_;
  std::vector<bool> taken_;
};

// Kernels match by their text, duplicates in the order they stand in.
void compare_kernels(const Result& predicted, const Result& measured, Comparison& comparison) {
  std::vector<bool> taken(predicted.operations.size(), false);
  for (const auto& operation : measured.operations) {
    if (!operation.kernel) continue;
    const KernelFigures& kernel = *operation.kernel;
    std::size_t p = 0;
    while (p < taken.size() &&
           (taken[p] || !predicted.operations[p].kernel || predicted.operations[p].kernel->kernel != kernel.kernel))
      ++p;
    if (p == taken.size()) {
      comparison.unmatched.push_back(fmt::format("measured: {}: no predicted row", kernel.kernel));
      continue;
    }
    taken[p] = true;
    ComparisonRow row;
    row.name = kernel.kernel;
    row.kind = "compute";
    row.ranks = predicted.ranks;
    row.predicted_s = predicted.operations[p].kernel->time_s;
    row.measured_s = kernel.time_s;
    if (!kernel.samples_s.empty())
      row.measured_min_s = *std::min_element(kernel.samples_s.begin(), kernel.samples_s.end());
    row.measured_p95_s = kernel.p95_s;
    row.wrong = kernel.wrong;
    if (judge_row(row))
      comparison.rows.push_back(std::move(row));
    else
      comparison.unmatched.push_back(
          fmt::format("measured: {}: its time is 0, so there is no relative error", row.name));
  }
  for (std::size_t p = 0; p < taken.size(); ++p)
    if (predicted.operations[p].kernel && !taken[p])
      comparison.unmatched.push_back(
          fmt::format("predicted: {}: no measured row", predicted.operations[p].kernel->kernel));
}

bool has_kernels(const Result& result) {
  return std::any_of(result.operations.begin(), result.operations.end(),
                     [](const OperationRow& row) { return row.kernel.has_value(); });
}

void compare_training(const Result& predicted, const Result& measured, Comparison& comparison) {
  const auto add = [&](ComparisonRow row) {
    if (judge_row(row)) {
      comparison.rows.push_back(std::move(row));
    } else {
      comparison.unmatched.push_back(
          fmt::format("measured: {}: its time is 0, so there is no relative error", row.name));
    }
  };
  if (predicted.summary.step_time_s > 0 && measured.summary.step_time_s > 0) {
    ComparisonRow row;
    row.name = row.kind = "step";
    row.ranks = predicted.ranks;
    row.predicted_s = predicted.summary.step_time_s;
    row.measured_s = measured.summary.step_time_s;
    add(std::move(row));
  }
  const auto full_name = [](const OperationRow& row) { return row.role + "/" + row.stream + "/" + row.name; };
  std::vector<bool> taken(predicted.operations.size(), false);
  for (const auto& operation : measured.operations) {
    std::size_t p = 0;
    while (p < predicted.operations.size() && (taken[p] || full_name(predicted.operations[p]) != full_name(operation)))
      ++p;
    if (p == predicted.operations.size()) {
      comparison.unmatched.push_back(fmt::format("measured: {}: no predicted row", full_name(operation)));
      continue;
    }
    taken[p] = true;
    ComparisonRow row;
    row.name = full_name(operation);
    row.kind = operation.kind;
    row.ranks = predicted.ranks;
    row.predicted_s = predicted.operations[p].mean_s;
    row.measured_s = operation.mean_s;
    add(std::move(row));
  }
  for (std::size_t p = 0; p < predicted.operations.size(); ++p)
    if (!taken[p])
      comparison.unmatched.push_back(fmt::format("predicted: {}: no measured row", full_name(predicted.operations[p])));
}

template <class Value>
Json or_null(const std::optional<Value>& value) {
  return value ? Json(*value) : Json(nullptr);
}

std::string percent(double fraction) { return fmt::format("{:.1f}%", 100 * fraction); }

}  // namespace

Comparison compare(const Result& predicted, const Result& measured) {
  Comparison comparison;
  const bool lists = !predicted.collectives.empty() || !measured.collectives.empty() || has_kernels(predicted) ||
                     has_kernels(measured);
  if (lists) {
    CollectiveMatcher(predicted, measured, comparison).run();
    compare_kernels(predicted, measured, comparison);
  } else {
    compare_training(predicted, measured, comparison);
  }
  if (!comparison.rows.empty()) {
    std::vector<double> errors;
    for (const auto& row : comparison.rows) errors.push_back(row.error);
    comparison.median_error = median(errors);
    comparison.p95_error = percentile(errors, 0.95);
    comparison.max_error = percentile(errors, 1);
  }
  return comparison;
}

Json to_json(const Comparison& comparison) {
  Json rows = Json::array();
  for (const auto& row : comparison.rows) {
    rows.push_back(Json{{"name", row.name},
                        {"kind", row.kind},
                        {"algorithm", row.algorithm.empty() ? Json(nullptr) : Json(row.algorithm)},
                        {"ranks", row.ranks},
                        {"size_bytes", row.size_bytes},
                        {"predicted_s", row.predicted_s},
                        {"measured_s", row.measured_s},
                        {"measured_min_s", or_null(row.measured_min_s)},
                        {"measured_p95_s", or_null(row.measured_p95_s)},
                        {"error", row.error},
                        {"signed_error", row.signed_error},
                        {"within_noise", or_null(row.within_noise)},
                        {"cpu_limited", or_null(row.cpu_limited)},
                        {"wrong", or_null(row.wrong)}});
  }
  return Json{{"schema", "lockstep.comparison/1"},
              {"rows", std::move(rows)},
              {"median_error", or_null(comparison.median_error)},
              {"p95_error", or_null(comparison.p95_error)},
              {"max_error", or_null(comparison.max_error)},
              {"unmatched", comparison.unmatched}};
}

Verdict judge(const Comparison& comparison, const Tolerance& tolerance) {
  // Limits are inclusive; the last bits of a quotient do not decide.
  const auto over = [](double error, double limit) { return error > limit * (1 + 1e-9) + 1e-12; };
  if (comparison.rows.empty()) {
    std::string sentence = "nothing to compare: no predicted row matches a measured one";
    if (!comparison.unmatched.empty()) sentence += "; the first without a partner is " + comparison.unmatched.front();
    return {ExitCode::bad_input, sentence};
  }
  for (const auto& row : comparison.rows)
    if (row.wrong.value_or(0) > 0)
      return {ExitCode::fell_short,
              fmt::format("{}: {} elements of the measured result are wrong", row.name, *row.wrong)};
  const double median_error = comparison.median_error.value_or(0);
  if (over(median_error, tolerance.median))
    return {ExitCode::fell_short, fmt::format("the median error, {}, is over the tolerance of {}",
                                              percent(median_error), percent(tolerance.median))};
  if (tolerance.row) {
    const auto worst = std::max_element(comparison.rows.begin(), comparison.rows.end(),
                                        [](const auto& a, const auto& b) { return a.error < b.error; });
    if (over(worst->error, *tolerance.row))
      return {ExitCode::fell_short, fmt::format("the error of {}, {}, is over the row tolerance of {}", worst->name,
                                                percent(worst->error), percent(*tolerance.row))};
  }
  return {ExitCode::done, fmt::format("the median error, {}, is within the tolerance of {}", percent(median_error),
                                      percent(tolerance.median))};
}

}  // namespace lockstep
