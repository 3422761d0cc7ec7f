#include "core/collective/chain.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "core/base/error.hpp"

namespace lockstep {
namespace {

struct Thread {
  std::unique_ptr<Schedule> schedule;
  int rank = 0;
  Step step;
  std::int64_t depth = 0;  ///< messages in a row before the present step could begin
  std::int64_t next_depth = 0;
  int received = 0;  ///< receives of the present step that are done
  bool begun = false;
};

/// Messages of one (sender, receiver, lane) that nobody has received yet, as their depths; or the thread that waits.
struct Lane {
  std::vector<std::int64_t> depths;
  std::size_t taken = 0;
  std::size_t waiting = 0;  ///< index of the thread, plus 1
};

}  // namespace

ScheduleTotals schedule_totals(ScheduleRequest request, const Algorithm& algorithm) {
  ScheduleTotals totals;
  const auto ranks = static_cast<std::size_t>(request.size);
  totals.sent.resize(ranks);
  totals.received.resize(ranks);
  std::vector<Thread> threads;
  std::vector<std::size_t> ready;
  for (request.rank = 0; request.rank < request.size; ++request.rank)
    for (int i = 0; i < algorithm.threads(request); ++i) {
      Thread thread;
      thread.schedule = algorithm.make(request, i);
      thread.rank = request.rank;
      ready.push_back(threads.size());
      threads.push_back(std::move(thread));
    }
  std::map<std::tuple<int, int, int>, Lane> lanes;
  const auto width = static_cast<std::int64_t>(request.element_bytes);
  std::size_t left = threads.size();
  while (!ready.empty()) {
    const std::size_t index = ready.back();
    ready.pop_back();
    Thread& thread = threads[index];
    for (bool blocked = false; !blocked;) {
      if (!thread.begun) {
        if (!thread.schedule->next(thread.step)) {
          --left;
          break;
        }
        thread.begun = true;
        thread.received = 0;
        thread.next_depth = thread.depth;
        for (int i = 0; i < thread.step.send_count; ++i) {
          const Part& part = thread.step.sends[static_cast<std::size_t>(i)];
          totals.sent[static_cast<std::size_t>(thread.rank)] += part.count * width;
          totals.longest_chain = std::max(totals.longest_chain, thread.depth + 1);
          Lane& lane = lanes[{thread.rank, part.peer, part.lane}];
          lane.depths.push_back(thread.depth + 1);
          if (lane.waiting > 0) ready.push_back(std::exchange(lane.waiting, 0) - 1);
        }
      }
      while (thread.received < thread.step.receive_count && !blocked) {
        const Part& part = thread.step.receives[static_cast<std::size_t>(thread.received)];
        Lane& lane = lanes[{part.peer, thread.rank, part.lane}];
        if (lane.taken == lane.depths.size()) {
          lane.waiting = index + 1;
          blocked = true;
        } else {
          thread.next_depth = std::max(thread.next_depth, lane.depths[lane.taken++]);
          totals.received[static_cast<std::size_t>(thread.rank)] += part.count * width;
          ++thread.received;
        }
      }
      if (blocked) break;
      thread.depth = thread.next_depth;
      thread.begun = false;
    }
  }
  LOCKSTEP_CHECK(left == 0, "{} threads of schedules wait for messages that nobody sends", left);
  return totals;
}

}  // namespace lockstep
