#include "core/timeline/timeline.hpp"

#include <algorithm>
#include <tuple>

namespace lockstep {

void Timeline::sort() {
  // The keys after (start, rank, stream, ordinal) make the order total, so that equal records alone are
  // interchangeable.
  const auto operation_key = [](const OperationRecord& r) {
    return std::tuple(r.start, r.rank, r.stream, r.ordinal, r.end, r.operation, r.iteration, r.warmup, r.role);
  };
  std::sort(operations.begin(), operations.end(),
            [&](const auto& a, const auto& b) { return operation_key(a) < operation_key(b); });
  const auto part_key = [](const PartRecord& r) {
    return std::tuple(r.start, r.rank, r.stream, r.ordinal, r.thread, r.step, r.send, r.peer, r.lane, r.end, r.bytes);
  };
  std::sort(parts.begin(), parts.end(), [&](const auto& a, const auto& b) { return part_key(a) < part_key(b); });
}

}  // namespace lockstep
