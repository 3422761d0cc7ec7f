#include "core/loader/outcome.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/json.hpp"
#include "core/base/statistics.hpp"
#include "core/base/text.hpp"

namespace lockstep {
namespace {

constexpr std::array<std::string_view, stall_cause_count> cause_names{"storage", "decode", "cpu",     "lock",
                                                                      "copy",    "start",  "consumer"};

}  // namespace

std::string_view to_string(StallCause cause) { return cause_names[static_cast<std::size_t>(cause)]; }

double LoaderOutcome::steady_samples_per_s() const {
  if (steps < 2 || time_s <= first_step_s) return samples_per_s();
  const double share = static_cast<double>(steps - 1) / static_cast<double>(steps);
  return static_cast<double>(samples) * share / (time_s - first_step_s);
}

Json to_json(const LoaderOutcome& outcome) {
  Json by_cause = Json::object();
  for (std::size_t i = 0; i < stall_cause_count; ++i)
    by_cause[std::string(cause_names[i])] = outcome.stall_by_cause_s[i];
  Json epochs = Json::array();
  double begin_s = 0;
  for (const auto& epoch : outcome.epochs) {
    epochs.push_back({{"time_s", epoch.end_s - begin_s},
                      {"samples", epoch.samples},
                      {"cache_hit_ratio",
                       epoch.samples > 0 ? static_cast<double>(epoch.hits) / static_cast<double>(epoch.samples) : 0}});
    begin_s = epoch.end_s;
  }
  Json queue = Json::array();
  for (const auto& point : outcome.queue) queue.push_back({point.time_s, point.batches});
  Json troubles = Json::object();
  for (std::size_t i = 0; i < trouble_count; ++i) {
    const auto& count = outcome.troubles[i];
    if (count.seen == 0) continue;
    troubles[trouble_names()[i]] = {
        {"seen", count.seen}, {"skipped", count.skipped}, {"retried", count.retried}, {"failed", count.failed}};
  }
  Json json{{"samples_per_s", outcome.samples_per_s()},
            {"steady_samples_per_s", outcome.steady_samples_per_s()},
            {"accelerator_utilisation", outcome.utilisation()},
            {"read_GBps", outcome.time_s > 0 ? static_cast<double>(outcome.bytes) / outcome.time_s * 1e-9 : 0},
            {"samples", outcome.samples},
            {"bytes", outcome.bytes},
            {"steps", outcome.steps},
            {"time_s", outcome.time_s},
            {"first_step_s", outcome.first_step_s},
            {"think_s", outcome.think_s},
            {"communication_s", outcome.communication_s},
            {"stall_s", outcome.stall_s},
            {"stall_fraction", outcome.stall_fraction()},
            {"stall_by_cause_s", std::move(by_cause)},
            {"stall_over_ranks_s", {{"min", outcome.min_stall_s}, {"max", outcome.max_stall_s}}},
            {"cache_hit_ratio", outcome.hit_ratio()},
            {"epochs", std::move(epochs)},
            {"queue_depth", std::move(queue)},
            {"troubles", std::move(troubles)},
            {"wrong", outcome.wrong},
            {"worker_bytes", outcome.worker_bytes}};
  if (!outcome.step_s.empty())
    json["step_s"] = {{"median", median(outcome.step_s)},
                      {"p5", percentile(outcome.step_s, 0.05)},
                      {"p95", percentile(outcome.step_s, 0.95)}};
  return json;
}

LoaderOutcome loader_outcome_from_json(const Json& json, const std::string& file) {
  const JsonValue root(json, file, "loader");
  const auto seconds = [&root](const char* key) { return root.required(key).number(0, "a number of seconds"); };
  LoaderOutcome outcome;
  outcome.steps = root.required("steps").integer(1);
  outcome.samples = root.required("samples").integer(0);
  outcome.bytes = root.required("bytes").integer(0);
  outcome.wrong = root.required("wrong").integer(0);
  outcome.time_s = seconds("time_s");
  outcome.first_step_s = seconds("first_step_s");
  outcome.think_s = seconds("think_s");
  outcome.communication_s = seconds("communication_s");
  outcome.stall_s = seconds("stall_s");
  const JsonValue by_cause = root.required("stall_by_cause_s");
  for (std::size_t i = 0; i < stall_cause_count; ++i)
    if (const auto value = by_cause.optional(std::string(cause_names[i])))
      outcome.stall_by_cause_s[i] = value->number(0, "a number of seconds");
  for (const auto& [name, count] : root.required("troubles").members()) {
    const auto& names = trouble_names();
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) continue;
    outcome.troubles[static_cast<std::size_t>(found - names.begin())] = {
        count.required("seen").integer(0), count.required("skipped").integer(0), count.required("retried").integer(0),
        count.required("failed").integer(0)};
  }
  return outcome;
}

LoaderOutcome together(const std::vector<LoaderOutcome>& ranks) {
  LoaderOutcome all = ranks.front();
  all.ranks = static_cast<int>(ranks.size());
  const double share = 1.0 / static_cast<double>(ranks.size());
  all.think_s = all.stall_s = all.communication_s = 0;
  all.stall_by_cause_s = {};
  for (const auto& rank : ranks) {
    all.think_s += share * rank.think_s;
    all.stall_s += share * rank.stall_s;
    all.communication_s += share * rank.communication_s;
    for (std::size_t i = 0; i < stall_cause_count; ++i) all.stall_by_cause_s[i] += share * rank.stall_by_cause_s[i];
    all.min_stall_s = std::min(&rank == &ranks.front() ? rank.stall_s : all.min_stall_s, rank.stall_s);
    all.max_stall_s = std::max(&rank == &ranks.front() ? rank.stall_s : all.max_stall_s, rank.stall_s);
    if (&rank == &ranks.front()) continue;
    all.samples += rank.samples;
    all.bytes += rank.bytes;
    all.wrong += rank.wrong;
    all.time_s = std::max(all.time_s, rank.time_s);
    all.first_step_s = std::max(all.first_step_s, rank.first_step_s);
    for (std::size_t i = 0; i < trouble_count; ++i) {
      all.troubles[i].seen += rank.troubles[i].seen;
      all.troubles[i].skipped += rank.troubles[i].skipped;
      all.troubles[i].retried += rank.troubles[i].retried;
      all.troubles[i].failed += rank.troubles[i].failed;
    }
  }
  return all;
}

void add_to_result(const LoaderOutcome& outcome, Result& result) {
  result.ranks = outcome.ranks;
  Summary& summary = result.summary;
  const auto steps = static_cast<double>(std::max<std::int64_t>(outcome.steps, 1));
  // A mean step; the first, in which the pipeline fills, is among them.
  summary.step_time_s = outcome.time_s / steps;
  summary.compute_s = outcome.think_s / steps;
  summary.exposed_communication_s = outcome.communication_s / steps;
  summary.loader_stall_s = outcome.stall_s / steps;
  summary.other_s = summary.step_time_s - summary.compute_s - summary.exposed_communication_s - summary.loader_stall_s;
  if (outcome.communication_s > 0)
    summary.exposed_communication_by_kind_s = {{"all_reduce", summary.exposed_communication_s}};
  summary.per_rank_min_s = summary.per_rank_mean_s = summary.per_rank_max_s = summary.step_time_s;
  result.loader = to_json(outcome);
}

std::string loader_table(const LoaderOutcome& outcome) {
  std::string text = fmt::format(
      "{} samples in {} steps of {} rank{}: {:.2f} s, {:.1f} samples/s ({:.1f} once the pipeline is filled), "
      "{:.3f} GB/s\n",
      outcome.samples, outcome.steps, outcome.ranks, outcome.ranks == 1 ? "" : "s", outcome.time_s,
      outcome.samples_per_s(), outcome.steady_samples_per_s(),
      outcome.time_s > 0 ? static_cast<double>(outcome.bytes) / outcome.time_s * 1e-9 : 0);
  text += fmt::format("accelerator utilisation {:.1f}%, waiting for data {:.1f}%, page cache hits {:.1f}%\n",
                      100 * outcome.utilisation(), 100 * outcome.stall_fraction(), 100 * outcome.hit_ratio());
  std::vector<std::vector<std::string>> rows{{"stall by cause", "s", "share"}};
  for (std::size_t i = 0; i < stall_cause_count; ++i)
    if (outcome.stall_by_cause_s[i] > 0)
      rows.push_back({std::string(cause_names[i]), fmt::format("{:.3f}", outcome.stall_by_cause_s[i]),
                      fmt::format("{:.1f}%", 100 * outcome.stall_by_cause_s[i] / outcome.stall_s)});
  if (rows.size() > 1) text += format_table(rows);
  std::vector<std::vector<std::string>> troubles{{"trouble", "seen", "skipped", "retried", "failed"}};
  for (std::size_t i = 0; i < trouble_count; ++i) {
    const auto& count = outcome.troubles[i];
    if (count.seen > 0)
      troubles.push_back({trouble_names()[i], std::to_string(count.seen), std::to_string(count.skipped),
                          std::to_string(count.retried), std::to_string(count.failed)});
  }
  if (troubles.size() > 1) text += format_table(troubles);
  return text;
}

void QueueRecord::add(double time_s, std::int64_t batches) {
  if (seen_++ % every_ != 0) return;
  if (points_.size() == limit) {
    for (std::size_t i = 0; 2 * i < points_.size(); ++i) points_[i] = points_[2 * i];
    points_.resize(limit / 2);
    every_ *= 2;
    if ((seen_ - 1) % every_ != 0) return;
  }
  points_.push_back({time_s, batches});
}

}  // namespace lockstep
