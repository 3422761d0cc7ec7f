// Which operation ran when: the same type from both clocks, so that a prediction can be laid on its measurement
// operation by operation.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "core/plan/plan.hpp"
#include "core/units/duration.hpp"

namespace lockstep {

/// One operation of one rank. Times count from the start of the run on the common clock.
struct OperationRecord {
  Rank rank = 0;
  std::uint32_t role = 0;
  std::uint32_t stream = 0;
  std::uint32_t operation = 0;  ///< CompiledOperation::id
  std::int64_t ordinal = 0;     ///< operations of this stream completed before it, see Cursor::completed
  std::int64_t iteration = 0;   ///< index of the outermost loop
  bool warmup = false;
  Duration start{0};
  Duration end{0};
  std::int64_t ranks = 1;  ///< how many ranks it stands for: a simulator may run one for all that do the same
};

/// One part of one schedule step (recorded only when asked for).
struct PartRecord {
  Rank rank = 0;
  std::uint32_t stream = 0;
  std::int64_t ordinal = 0;  ///< of the collective in its stream
  std::int32_t thread = 0;
  std::int64_t step = 0;
  bool send = false;
  Rank peer = 0;
  std::uint16_t lane = 0;
  std::int64_t bytes = 0;
  Duration start{0};
  Duration end{0};
};

class Recorder {
 public:
  virtual ~Recorder() = default;
  virtual void operation(const OperationRecord& record) = 0;
  virtual void part(const PartRecord&) {}
  /// Executors ask once; parts are reported only where it says true.
  [[nodiscard]] virtual bool wants_parts() const { return false; }
  /// False: one record may stand for several ranks (OperationRecord::ranks).
  [[nodiscard]] virtual bool wants_every_rank() const { return wants_parts(); }
};

/// Keeps everything in memory.
class Timeline final : public Recorder {
 public:
  explicit Timeline(bool keep_parts = false, bool every_rank = false)
      : keep_parts_(keep_parts), every_rank_(every_rank || keep_parts) {}
  void operation(const OperationRecord& record) override { operations.push_back(record); }
  void part(const PartRecord& record) override { parts.push_back(record); }
  [[nodiscard]] bool wants_parts() const override { return keep_parts_; }
  [[nodiscard]] bool wants_every_rank() const override { return every_rank_; }
  /// Orders records by (start, rank, stream, ordinal), whatever order they came in.
  void sort();

  std::vector<OperationRecord> operations;
  std::vector<PartRecord> parts;

 private:
  bool keep_parts_;
  bool every_rank_;
};

/// Does this timeline keep the order that the plan asks for? Streams in order, waits honoured, a receive not before the
/// matching send has started, steps of a schedule thread one after another. Returns what is violated (empty: nothing).
/// Needs parts. `once`: the executor ran independent loops once.
std::vector<std::string> order_violations(const Plan& plan, const Timeline& timeline, bool once = false);

/// Chrome trace event JSON (opens in Perfetto): one process per rank, one thread per stream, complete events in
/// microseconds. Times are exact: microseconds with up to six decimals, which are picoseconds. Parts of schedule steps
/// get tracks of their own.
std::string chrome_trace(const Plan& plan, const Timeline& timeline);
/// The same, written piece by piece, so that a large timeline needs no second copy in memory. The stream's state says
/// whether writing succeeded.
void write_chrome_trace(std::ostream& out, const Plan& plan, const Timeline& timeline);

}  // namespace lockstep
