// Runs a plan for real and collects what all ranks saw.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/timeline/result.hpp"
#include "core/timeline/timeline.hpp"
#include "core/workload/workload.hpp"
#include "real/executor/executor.hpp"
#include "real/measure/kept.hpp"
#include "real/transport/catalogue.hpp"

namespace lockstep::real {

struct MeasurementOptions {
  ExecutorOptions executor;
  std::string transport = "tcp";  ///< a name of the transport catalogue
  TcpOptions tcp;
  std::chrono::milliseconds rendezvous_timeout{30'000};
  const KeptFile* kept = nullptr;  ///< what rank 0 sees goes there, too; see keep_if_it_fails
  /// Fewer processes than the plan has ranks: each runs several (real/virtual_ranks). None: one for every rank.
  std::optional<int> processes;
  bool pin = false;                 ///< each rank stays on one core
  int cores = 0;                    ///< that the ranks of this machine share; 0: those this process may use
  bool machine_is_network = false;  ///< the lab: cores carry the ranks' messages, too
  bool same_machine = true;  ///< all ranks are on this machine: CPU load over the ranks says whether it was the limit
};

/// What rank 0 knows at the end.
struct Measurement {
  struct Section {
    double cpu_s = 0;                ///< CPU time of all ranks together
    double elapsed_s = 0;            ///< of the slowest rank
    std::vector<double> lateness_s;  ///< of all ranks
  };
  Timeline timeline;                            ///< operations of all ranks on the common clock
  std::map<std::uint32_t, std::int64_t> wrong;  ///< by operation id of the Verify
  std::map<std::uint32_t, Section> sections;    ///< by operation id of the common start
  int cores = 1;
  int ranks_here = 1;  ///< processes on rank 0's machine
  int processes = 0;   ///< that ran the ranks; 0: not known
  bool same_machine = true;
  bool pinned = false;   ///< a core per rank
  std::string sends_by;  ///< a name of the transport catalogue
  double load_average = 0;
  Json clock;                             ///< per rank: offset to rank 0 and its uncertainty
  Json transport;                         ///< per rank: messages and bytes sent
  std::vector<Control::Traffic> control;  ///< of rank 0 with each rank
  Json as_built;                          ///< of the lab; else null
  std::vector<std::string> notes;         ///< for people
};

/// A run that failed after part of its work: what rank 0 had seen by then, for a result that says that it is partial.
class InterruptedRun : public RunFailure {
 public:
  InterruptedRun(const std::string& message, Measurement seen) : RunFailure(message), seen_(std::move(seen)) {}
  [[nodiscard]] const Measurement& seen() const { return seen_; }

 private:
  Measurement seen_;
};

/// `measure` of `options` with a file for what rank 0 sees; its RunFailure becomes an InterruptedRun where there is
/// something in that.
Measurement keep_if_it_fails(MeasurementOptions options,
                             const std::function<Measurement(const MeasurementOptions&)>& measure);

/// How many processes a run of the plan has. Throws InputError where `options` ask for more than it has ranks.
int processes_of(const Plan& plan, const MeasurementOptions& options);

/// One process's part, which is one rank's unless options.processes says otherwise; rank 0 gets the measurement as text
/// (for the parent process), the others an empty string. Throws RunFailure.
std::string measure_rank(const JobEnvironment& environment, const Plan& plan, const MeasurementOptions& options);
Measurement parse_measurement(const std::string& text);

/// All ranks on this machine over loopback (`run --backend tcp --ranks N`).
Measurement measure_on_loopback(const Plan& plan, const MeasurementOptions& options);

/// This process is one rank of a job that a launcher started; nullopt on ranks other than 0.
std::optional<Measurement> measure_in_job(const JobEnvironment& environment, const Plan& plan,
                                          const MeasurementOptions& options);

/// Busy share of the cores from which the CPU, not the network, is said to have set a row's time.
inline constexpr double cpu_limit = 0.9;

/// What a run of several ranks per process shows, and what it does not: for people.
inline constexpr std::string_view virtual_ranks_say =
    "several ranks share a process: that every message of every rank is sent, matched and right is shown; times are "
    "not, for ranks take turns on the cores and messages within a process meet no network";

/// The result: collectives, operations, summary, run.clock and the like; the caller adds files and backend.
Result result_of(const PlannedWorkload& planned, const Measurement& measurement);
/// Of a run that failed, as far as rank 0 alone saw it: the rows of which it ended an iteration, and `run.partial` with
/// the failure.
Result partial_result_of(PlannedWorkload planned, const InterruptedRun& failure);

}  // namespace lockstep::real
