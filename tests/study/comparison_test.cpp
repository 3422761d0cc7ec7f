// Are predicted and measured rows matched, judged and shown as the contract says?
#include "study/comparison.hpp"

#include <gtest/gtest.h>

#include "core/base/json.hpp"

namespace lockstep {
namespace {

CollectiveRow row(const std::string& algorithm, std::int64_t size, double time, int ranks = 4,
                  CollectiveKind kind = CollectiveKind::all_reduce) {
  CollectiveRow r;
  r.kind = kind;
  r.algorithm = algorithm;
  r.ranks = ranks;
  r.size_bytes = size;
  r.time_s = time;
  return r;
}

Result result_of(std::vector<CollectiveRow> rows) {
  Result result;
  result.collectives = std::move(rows);
  return result;
}

TEST(Comparison, MatchesOnKindAlgorithmRanksAndSize) {
  const Comparison c = compare(
      result_of({row("ring", 1024, 1.0), row("tree", 1024, 2.0), row("ring", 4096, 3.0), row("ring", 1024, 9.0, 8)}),
      result_of({row("tree", 1024, 1.0), row("ring", 1024, 2.0), row("ring", 8192, 1.0)}));
  ASSERT_EQ(c.rows.size(), 2U);
  EXPECT_EQ(c.rows[0].name, "all_reduce tree 4 ranks 1KiB");
  EXPECT_EQ(c.rows[0].error, 1.0);
  EXPECT_EQ(c.rows[0].signed_error, 1.0);
  EXPECT_EQ(c.rows[1].signed_error, -0.5);
  EXPECT_EQ(c.median_error, 0.75);
  EXPECT_NEAR(*c.p95_error, 0.975, 1e-12);
  EXPECT_EQ(c.max_error, 1.0);
  EXPECT_EQ(c.unmatched, (std::vector<std::string>{"measured: all_reduce ring 4 ranks 8KiB: no predicted row",
                                                   "predicted: all_reduce ring 4 ranks 4KiB: no measured row",
                                                   "predicted: all_reduce ring 8 ranks 1KiB: no measured row"}));
}

TEST(Comparison, DuplicatesMatchInOrder) {
  const Comparison c = compare(result_of({row("ring", 8, 1.0), row("ring", 8, 2.0)}),
                               result_of({row("ring", 8, 1.0), row("ring", 8, 1.0)}));
  ASSERT_EQ(c.rows.size(), 2U);
  EXPECT_EQ(c.rows[0].error, 0);
  EXPECT_EQ(c.rows[1].error, 1);
}

OperationRow kernel_row(const std::string& kernel, double time, std::vector<double> samples = {}) {
  OperationRow r;
  r.name = "compute0";
  r.kind = "compute";
  r.kernel.emplace();
  r.kernel->kernel = kernel;
  r.kernel->time_s = time;
  r.kernel->samples_s = std::move(samples);
  if (!r.kernel->samples_s.empty()) r.kernel->p95_s = 2 * time;
  return r;
}

TEST(Comparison, KernelsMatchByTheirText) {
  Result predicted = result_of({row("ring", 8, 1.0)});
  predicted.operations = {kernel_row("add:float32:1", 3.0), kernel_row("copy:float32:8", 1.0),
                          kernel_row("copy:float32:8", 4.0), OperationRow{}};
  Result measured = result_of({row("ring", 8, 2.0)});
  measured.operations = {kernel_row("copy:float32:8", 2.0, {0.5, 2.0, 3.0}), kernel_row("copy:float32:8", 2.0),
                         kernel_row("gelu:float32:1", 1.0)};
  measured.operations[0].kernel->wrong = 3;
  const Comparison c = compare(predicted, measured);
  ASSERT_EQ(c.rows.size(), 3U);
  EXPECT_EQ(c.rows[1].name, "copy:float32:8");
  EXPECT_EQ(c.rows[1].kind, "compute");
  EXPECT_EQ(c.rows[1].signed_error, -0.5);
  EXPECT_EQ(c.rows[1].within_noise, true);
  EXPECT_EQ(c.rows[2].signed_error, 1.0);
  EXPECT_EQ(c.rows[2].within_noise, std::nullopt);
  EXPECT_EQ(c.unmatched, (std::vector<std::string>{"measured: gelu:float32:1: no predicted row",
                                                   "predicted: add:float32:1: no measured row"}));
  const Verdict verdict = judge(c, {});
  EXPECT_EQ(verdict.code, ExitCode::fell_short);
  EXPECT_EQ(verdict.sentence, "copy:float32:8: 3 elements of the measured result are wrong");
  // Kernels alone are a list, too, not a training step.
  predicted.collectives.clear();
  measured.collectives.clear();
  EXPECT_EQ(compare(predicted, measured).rows.size(), 2U);
}

TEST(Comparison, UnknownAlgorithmMatchesASingleCandidate) {
  const Comparison one = compare(result_of({row("ring", 8, 1.0), row("ring", 16, 1.0)}),
                                 result_of({row("", 8, 2.0), row("native", 16, 4.0)}));
  ASSERT_EQ(one.rows.size(), 2U);
  EXPECT_EQ(one.rows[0].algorithm, "ring");
  EXPECT_TRUE(one.unmatched.empty());
  const Comparison two = compare(result_of({row("ring", 8, 1.0), row("tree", 8, 1.0)}), result_of({row("", 8, 2.0)}));
  EXPECT_TRUE(two.rows.empty());
  ASSERT_EQ(two.unmatched.size(), 3U);
  EXPECT_EQ(two.unmatched[0],
            "measured: all_reduce 4 ranks 8B: the measurement does not say which of 2 predicted rows it is (all_reduce "
            "ring 4 ranks 8B, "
            "all_reduce tree 4 ranks 8B); predict one of them alone");
}

TEST(Comparison, ExactMatchesGoBeforeLooseOnes) {
  const Comparison c =
      compare(result_of({row("ring", 8, 1.0), row("tree", 8, 3.0)}), result_of({row("", 8, 3.0), row("ring", 8, 1.0)}));
  ASSERT_EQ(c.rows.size(), 2U);
  EXPECT_EQ(c.rows[0].algorithm, "tree");
  EXPECT_EQ(c.max_error, 0);
}

TEST(Comparison, UnknownRanksMatchASingleCandidate) {
  const Comparison c = compare(result_of({row("ring", 8, 1.0, 6)}), result_of({row("", 8, 2.0, 0)}));
  ASSERT_EQ(c.rows.size(), 1U);
  EXPECT_EQ(c.rows[0].ranks, 6);
}

TEST(Comparison, WithinNoise) {
  CollectiveRow measured = row("ring", 8, 1.0);
  measured.min_s = 0.9;
  measured.p95_s = 1.2;
  const auto within = [&](double predicted) {
    return compare(result_of({row("ring", 8, predicted)}), result_of({measured})).rows[0].within_noise;
  };
  EXPECT_EQ(within(0.9), true);
  EXPECT_EQ(within(1.2), true);
  EXPECT_EQ(within(1.3), false);
  measured.p95_s.reset();
  EXPECT_EQ(within(1.0), std::nullopt);
}

TEST(Comparison, AMeasuredTimeOfZeroHasNoError) {
  const Comparison c = compare(result_of({row("ring", 8, 1.0)}), result_of({row("ring", 8, 0.0)}));
  EXPECT_TRUE(c.rows.empty());
  EXPECT_EQ(
      c.unmatched,
      (std::vector<std::string>{"measured: all_reduce ring 4 ranks 8B: its time is 0, so there is no relative error"}));
}

TEST(Comparison, TrainingStepsMatchByName) {
  Result predicted;
  predicted.ranks = 2;
  predicted.summary.step_time_s = 1.1;
  predicted.operations.push_back(
      {.role = "all", .stream = "compute", .name = "matmul", .kind = "compute", .count = 1, .mean_s = 2});
  Result measured = predicted;
  measured.summary.step_time_s = 1.0;
  measured.operations[0].mean_s = 4;
  const Comparison c = compare(predicted, measured);
  ASSERT_EQ(c.rows.size(), 2U);
  EXPECT_EQ(c.rows[0].name, "step");
  EXPECT_NEAR(c.rows[0].error, 0.1, 1e-12);
  EXPECT_EQ(c.rows[1].name, "all/compute/matmul");
  EXPECT_EQ(c.rows[1].signed_error, -0.5);
}

Comparison with_errors(const std::vector<double>& errors) {
  std::vector<CollectiveRow> predicted;
  std::vector<CollectiveRow> measured;
  for (std::size_t i = 0; i < errors.size(); ++i) {
    predicted.push_back(row("ring", static_cast<std::int64_t>(8 * (i + 1)), 1 + errors[i]));
    measured.push_back(row("ring", static_cast<std::int64_t>(8 * (i + 1)), 1));
  }
  return compare(result_of(predicted), result_of(measured));
}

TEST(Comparison, Judgement) {
  EXPECT_EQ(judge(with_errors({0.01, 0.02, 0.5}), {}).code, ExitCode::done);
  EXPECT_EQ(judge(with_errors({0.01, 0.02, 0.5}), {}).sentence,
            "the median error, 2.0%, is within the tolerance of 10.0%");
  EXPECT_EQ(judge(with_errors({0.1}), {}).code, ExitCode::done) << "the limit itself is allowed";
  const Verdict over = judge(with_errors({0.2, 0.3, 0.01}), {});
  EXPECT_EQ(over.code, ExitCode::fell_short);
  EXPECT_EQ(over.sentence, "the median error, 20.0%, is over the tolerance of 10.0%");
  const Verdict over_row = judge(with_errors({0.01, 0.02, 0.5}), {.median = 0.1, .row = 0.4});
  EXPECT_EQ(over_row.code, ExitCode::fell_short);
  EXPECT_EQ(over_row.sentence, "the error of all_reduce ring 4 ranks 24B, 50.0%, is over the row tolerance of 40.0%");
  EXPECT_EQ(judge(with_errors({0.01, 0.02, 0.3}), {.median = 0.1, .row = 0.4}).code, ExitCode::done);
  const Verdict nothing = judge(compare(result_of({row("ring", 8, 1)}), result_of({row("ring", 16, 1)})), {});
  EXPECT_EQ(nothing.code, ExitCode::bad_input);
  EXPECT_EQ(nothing.sentence,
            "nothing to compare: no predicted row matches a measured one; the first without a partner is measured: "
            "all_reduce ring 4 ranks "
            "16B: no predicted row");
  EXPECT_EQ(judge(compare({}, {}), {}).code, ExitCode::bad_input);
  CollectiveRow wrong = row("ring", 8, 1);
  wrong.wrong = 3;
  const Verdict broken = judge(compare(result_of({row("ring", 8, 1)}), result_of({wrong})), {});
  EXPECT_EQ(broken.code, ExitCode::fell_short);
  EXPECT_EQ(broken.sentence, "all_reduce ring 4 ranks 8B: 3 elements of the measured result are wrong");
}

TEST(Comparison, JsonHasTheContractsKeys) {
  const Json json = to_json(with_errors({0.25}));
  EXPECT_EQ(json["schema"], "lockstep.comparison/1");
  for (const char* key : {"name", "kind", "algorithm", "ranks", "size_bytes", "predicted_s", "measured_s", "error",
                          "signed_error", "within_noise"})
    EXPECT_TRUE(json["rows"][0].contains(key)) << key;
  EXPECT_EQ(json["median_error"], 0.25);
  EXPECT_TRUE(to_json(Comparison{})["median_error"].is_null());
  EXPECT_EQ(to_json(Comparison{})["unmatched"], Json::array());
}

TEST(Comparison, TableAndPage) {
  Comparison c = with_errors({0.25, -0.1});
  c.rows[0].measured_min_s = 0.9;
  c.rows[0].measured_p95_s = 1.5;
  c.rows[0].within_noise = true;
  c.unmatched.emplace_back("measured: <b>odd</b> & \"quoted\"");
  const std::string table = comparison_table(c);
  for (const char* part : {"predicted (us)", "measured (us)", "[900000.00 ... 1500000.00]", "+25.0%", "-10.0%", "yes",
                           "# 2 rows compared: error median 17.5%, p95 24.2%, max 25.0%\n",
                           "# 1 of 1 predictions within the measurement's noise\n"})
    EXPECT_NE(table.find(part), std::string::npos) << part << "\n" << table;
  const std::string page = comparison_html(c, "a < b");
  EXPECT_NE(page.find("<title>a &lt; b</title>"), std::string::npos);
  EXPECT_NE(page.find("measured: &lt;b&gt;odd&lt;/b&gt; &amp; &quot;quoted&quot;"), std::string::npos);
  EXPECT_EQ(page.find("<b>"), std::string::npos);
  EXPECT_EQ(page.find("http"), std::string::npos) << "self-contained";
}

}  // namespace
}  // namespace lockstep
