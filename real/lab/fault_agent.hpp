// Applies the faults of a run to the lab while it runs: a process of its own, which sleeps until the clock of faults
// (section_clock.hpp) comes to the next change.
//
//   bandwidth   the rate of the token bucket of each direction
//   down        a rate of almost nothing: the queue holds what is under way. Nothing is lost, so TCP goes on where it
//               was as soon as the rate is back. To drop instead costs a retransmission timeout, 200 ms and then twice
//               as much each time; to set the interface down, the routes and neighbours with it
//   loss        in the delay line, in place of the link's own
//   jitter      likewise
//   slow        the rank's process is stopped and continued (SIGSTOP, SIGCONT): of `slow: 2` it runs half the time,
//               while the kernel's part of TCP goes on
//   kill        SIGKILL
//
// While the clock stands still links are not down and no rank is stopped: ranks that meet then are no part of the plan,
// and would wait for an end of the fault that does not come.
//
// Contract:
//  - made inside run_isolated(), before the ranks are forked; each rank calls am_rank() first of all;
//  - the process ends with this object and with its parent; what it cannot do ends it, and check() says why;
//  - what as_built() and explained() say is right once the ranks have ended.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/faults/changes.hpp"
#include "real/lab/network.hpp"
#include "real/lab/section_clock.hpp"
#include "real/lab/shared_memory.hpp"

namespace lockstep::real {

struct LabFaults {
  std::vector<ResolvedFault> faults;
  std::uint64_t seed = 1;  ///< of the run
};

/// Links that LabOptions::relayed has to name.
std::vector<LinkId> links_to_relay(const std::vector<ResolvedFault>& faults);

class FaultAgent {
 public:
  /// All of which outlive it. Throws RunFailure.
  FaultAgent(const LabNetwork& network, const LabFaults& faults, const SectionClock& clock);
  ~FaultAgent();
  FaultAgent(const FaultAgent&) = delete;
  FaultAgent& operator=(const FaultAgent&) = delete;

  /// In the process of a rank: this is it.
  void am_rank(int rank);
  /// Throws RunFailure if the process has ended. Of the process that made this object alone.
  void check() const;
  /// The message of a run that failed, with the faults that have to do with it.
  [[nodiscard]] std::string explained(const std::string& failure) const;
  /// The faults that have come, in order: what was planned and when it was done, in time of the plan.
  [[nodiscard]] nlohmann::ordered_json as_built() const;
  /// Faults that as_built() has no room for.
  [[nodiscard]] std::int64_t not_listed() const;

  static constexpr int most_ranks = 256;
  static constexpr std::size_t most_records = 16384;
  static constexpr std::int64_t not_yet = -1;
  /// What the process and this object share.
  struct Page {
    struct Record {
      std::atomic<std::int64_t> begun_ns{not_yet}, ended_ns{not_yet};
    };
    std::atomic<std::int64_t> begun{0};
    Record records[most_records];
    std::atomic<pid_t> ranks[most_ranks]{};
    std::atomic<int> killed_rank{-1};
    std::atomic<std::size_t> killed_by{0};  ///< the ordinal of the fault
    char error[512]{};
  };

 private:
  /// Those that have begun and have a record.
  [[nodiscard]] std::vector<FaultChange> begun() const;

  const LabFaults& faults_;
  SharedMemory<Page> page_;
  pid_t process_ = -1;
  pid_t owner_ = -1;
};

}  // namespace lockstep::real
