// What a loader did: the same from a simulation and from a run.
//
// Definitions (docs/loader.md): a step of a rank begins when the step before it has ended; it waits for its batch (the
// stall), thinks, and perhaps takes part in an all-reduce or a barrier, whose time (communication) includes waiting for
// the other ranks. Utilisation is MLPerf Storage's: think time over all time.
// The stall of a step is dealt to its causes in proportion to what its batch's making took: reading, decoding, the rest
// of the CPU work, waiting for the lock, the copy to the device; a batch that had been made in time stalls nobody.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/loader/spec.hpp"
#include "core/timeline/result.hpp"

namespace lockstep {

enum class StallCause { storage, decode, cpu, lock, copy, start, consumer };
inline constexpr std::size_t stall_cause_count = 7;
std::string_view to_string(StallCause cause);

/// What was done about one kind of trouble.
struct TroubleCount {
  std::int64_t seen = 0, skipped = 0, retried = 0, failed = 0;
};

struct LoaderEpoch {
  double end_s = 0;  ///< of its last step, the slowest rank's
  std::int64_t samples = 0, hits = 0;
};

struct QueueDepth {
  double time_s = 0;
  std::int64_t batches = 0;  ///< ready, of rank 0, when it takes one
};

struct LoaderOutcome {
  int ranks = 1;
  std::int64_t steps = 0;    ///< of every rank
  std::int64_t samples = 0;  ///< taken, all ranks
  std::int64_t bytes = 0;    ///< stored bytes of these
  double time_s = 0;         ///< from the start to the end of the last step
  double first_step_s = 0;   ///< end of the first step, the slowest rank's
  // Means over the ranks.
  double think_s = 0, communication_s = 0, stall_s = 0;
  std::array<double, stall_cause_count> stall_by_cause_s{};
  std::int64_t hits = 0, reads = 0;  ///< of the page cache, by sample
  std::vector<LoaderEpoch> epochs;
  std::vector<QueueDepth> queue;  ///< thinned out to at most a thousand points
  std::array<TroubleCount, trouble_count> troubles{};
  std::int64_t wrong = 0;  ///< samples that came twice or not at all in an epoch, beside those counted as skipped
  std::int64_t worker_bytes = 0;  ///< simulated: memory that workers made their own by writing to it, one host
  double min_stall_s = 0, max_stall_s = 0;  ///< over ranks
  std::vector<double> step_s;               ///< measurement: every step of rank 0

  [[nodiscard]] double samples_per_s() const { return time_s > 0 ? static_cast<double>(samples) / time_s : 0; }
  /// From the end of the first step on: without the filling of the pipeline.
  [[nodiscard]] double steady_samples_per_s() const;
  [[nodiscard]] double utilisation() const { return time_s > 0 ? think_s / time_s : 0; }
  [[nodiscard]] double stall_fraction() const { return time_s > 0 ? stall_s / time_s : 0; }
  [[nodiscard]] double hit_ratio() const {
    return reads > 0 ? static_cast<double>(hits) / static_cast<double>(reads) : 0;
  }
};

/// The object `loader` of a result.
Json to_json(const LoaderOutcome& outcome);
/// Steps, samples, bytes, times, stalls by cause, troubles of such an object; not the series. Throws InputError naming
/// the key.
LoaderOutcome loader_outcome_from_json(const Json& json, const std::string& file);
/// The ranks of a run as one: sums, means over ranks, and the slowest rank's times. Needs at least one.
LoaderOutcome together(const std::vector<LoaderOutcome>& ranks);
/// Fills `summary`, `loader` and `ranks` of a result.
void add_to_result(const LoaderOutcome& outcome, Result& result);
/// For people: a few lines.
std::string loader_table(const LoaderOutcome& outcome);

/// Keeps a thousand points of any number: every second one is dropped, and half as many taken from then on.
class QueueRecord {
 public:
  void add(double time_s, std::int64_t batches);
  [[nodiscard]] std::vector<QueueDepth> points() const { return points_; }

 private:
  static constexpr std::size_t limit = 1000;
  std::vector<QueueDepth> points_;
  std::int64_t every_ = 1, seen_ = 0;
};

}  // namespace lockstep
