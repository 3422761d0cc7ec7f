// The plan in virtual time: an Executor over the event queue and the flow network.
//
// A message of s bytes from rank a to rank b:
//   a's processor for `overhead`   -> its flow over the route, s payload bytes with framing  -> the sum of the route's
//   latencies and of `latency`
//   -> b's processor for `receive_overhead` (once the receive is posted)  -> the combine.
// The send is done when its flow has left; above `eager_threshold` the flow waits for the receiver (request and answer,
// one latency each; over connections the answer waits for what is before it: sim/answers.hpp). A rank's processor
// serves one message at a time; with Profile::cores, all ranks share so many processors, first come first served. A
// kernel (Compute) takes the profile's time on the rank's processor, in slices where ranks share cores. Per-byte costs
// of the largest messages are rates: the flow also passes a resource of that rate at either end. A combine goes on
// while data arrive, in pieces of `granularity`; what is left at the end is the last piece, or what a slow reduction
// has not kept up with.
//
// The route of a message is that of its ranks and its channel (without a channel where the transport keeps connections
// or a send buffer: these have one route). Under routing `spray` a message is one flow that crosses every link of its
// shortest paths with the share of its bytes that packets choosing anew at every switch would take there; its latency
// is that of the slowest path, and packets out of order cost nothing. Under `adaptive` each message takes, when it
// begins, the next link with the fewest messages under way for its bandwidth at every switch, and keeps it; messages
// that begin at one instant choose one after the other, by sender.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "core/faults/changes.hpp"
#include "core/plan/executor.hpp"
#include "core/profile/profile.hpp"
#include "core/topology/routing.hpp"
#include "core/topology/topology.hpp"

namespace lockstep::sim {

/// What disturbs a run (docs/faults.md), and the seed of what it draws.
struct Disturbances {
  std::vector<ResolvedFault> faults;
  std::uint64_t seed = 1;
  /// Fidelities packet and mixed: where all threads take their steps at one pace, but for this share, those like them
  /// to come are not simulated but take as long (docs/models/packet.md). 0: all are simulated; so they are where there
  /// are faults, where parts of steps are recorded, and where packet::unsteady() has a reason.
  double steady = 0;
};

struct SimulationOptions {
  bool once = true;    ///< independent loops run one iteration, which stands for all (there is no noise)
  bool fold = true;    ///< ranks that nothing tells apart are simulated as one: the same numbers (sim/folding.hpp)
  bool replay = true;  ///< steps that are done again are not simulated again: the same numbers
  /// Whatever they hit is no longer like the rest: with any of them, nothing is folded or replayed.
  Disturbances disturbances{};
  /// Which messages are packets (sim/network/packet/); the others are flows, which packets do not meet. With any
  /// packets nothing is folded or replayed.
  enum class Packets : std::uint8_t { none, between_machines, all } packets = Packets::none;
  std::uint64_t shuffle =
      0;  ///< not 0: simultaneous starts are pushed in an order drawn from it; no result may change (a test)
};

struct SimulationStatistics {
  std::uint64_t events = 0;  ///< simulated
  std::uint64_t messages = 0;
  std::uint64_t payload_bytes = 0;
  Duration end{0};
  std::uint64_t simulated_ranks = 0;
  std::uint64_t replayed_steps = 0;  ///< of all simulated ranks
  config::Json network{};            ///< what a network of packets has counted (docs/results.md); null for flows
};

class SimulatedExecutor final : public Executor {
 public:
  SimulatedExecutor(const Topology& topology, const Routing& routing, const Profile& profile,
                    SimulationOptions options = {})
      : topology_(topology), routing_(routing), profile_(profile), options_(std::move(options)) {}
  /// Throws InputError if the plan has more ranks than the topology has places, RunFailure if the plan gets stuck.
  void execute(const Plan& plan, Recorder& recorder) override;
  [[nodiscard]] const SimulationStatistics& statistics() const { return statistics_; }

 private:
  const Topology& topology_;
  const Routing& routing_;
  const Profile& profile_;
  SimulationOptions options_;
  SimulationStatistics statistics_;
};

}  // namespace lockstep::sim
