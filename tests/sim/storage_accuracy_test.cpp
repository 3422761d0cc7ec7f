// Does the simulated loader say what MLPerf Storage measured, and pass and fail the right systems?
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "bench/storage/rows.hpp"
#include "core/base/statistics.hpp"

namespace lockstep::storage {
namespace {

const std::string table = LOCKSTEP_SOURCE_DIR "/tests/data/measurements/dataloader/mlperf_storage_v1.0_half.csv";
const std::string workloads = LOCKSTEP_SOURCE_DIR "/workloads";

TEST(StorageAccuracy, ThroughputOfMlperfStorage) {
  auto rows = load_rows(table);
  ASSERT_EQ(rows.size(), 63U);
  predict(rows, workloads);
  std::vector<double> errors;
  for (const auto& row : rows)
    if (!row.fitted()) errors.push_back(std::abs(row.error()));
  EXPECT_EQ(errors.size(), 60U);
  EXPECT_LT(median(errors), 0.15);
  // Where the other workloads show a storage that is fast enough, the verdict is that of the submission.
  int judged = 0;
  for (const auto& row : rows) {
    if (row.storage_Bps < 1.1 * row.read_Bps / row.utilisation) continue;
    ++judged;
    EXPECT_GE(row.predicted_utilisation, threshold(row.workload)) << row.system << " " << row.workload;
  }
  EXPECT_GT(judged, 30);
}

TEST(StorageAccuracy, VerdictsOfConstructedSystems) {
  for (const auto* workload : {"unet3d", "resnet50", "cosmoflow"}) {
    for (const auto* accelerator : {"h100", "a100"}) {
      constexpr int accelerators = 8;
      const auto spec = demand(workloads, workload, accelerator);
      const double rate = static_cast<double>(spec.batch.size * spec.dataset.size.expected()) /
                          to_seconds(spec.consumer.think) * accelerators;
      for (const double times : {0.5, 0.6, 0.8, 1.1, 1.25, 1.5, 2.0}) {
        const auto steady = steady_state(spec, accelerators, 1, times * rate, false);
        EXPECT_NEAR(steady.utilisation, std::min(1.0, times), 0.03) << workload << " " << accelerator << " " << times;
        const bool should_pass = times >= threshold(workload);
        EXPECT_EQ(steady.utilisation >= threshold(workload), should_pass)
            << workload << " " << accelerator << " " << times;
      }
    }
  }
}

}  // namespace
}  // namespace lockstep::storage
