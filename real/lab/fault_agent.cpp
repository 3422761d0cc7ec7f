#include "real/lab/fault_agent.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/faults/timetable.hpp"
#include "real/launch/local.hpp"

namespace lockstep::real {
namespace {

using std::chrono::nanoseconds;

// A slow rank runs and pauses once in so long. The shorter, the more it is like a slow processor: in a pause messages
// wait for it that a slow one would have begun to read. The more often, the more the signals cost. Measured with
// periods from 125 us to 8 ms (docs/lab.md).
constexpr nanoseconds slow_period{500'000};
constexpr nanoseconds least_run{50'000};  // what is shorter than that may not run at all

static_assert(FaultAgent::most_ranks == max_local_ranks);

std::optional<WallClock::time_point> earlier(std::optional<WallClock::time_point> a,
                                             std::optional<WallClock::time_point> b) {
  return !a || (b && *b < *a) ? b : a;
}

class Applier {
 public:
  Applier(const LabNetwork& network, const LabFaults& faults, const SectionClock& clock, FaultAgent::Page& page)
      : network_(network), clock_(clock), page_(page), timetable_(faults.faults, faults.seed) {
    for (const ResolvedFault& fault : faults.faults)
      for (const FaultTarget& target : fault.targets)
        for (const LinkId link : target.links)
          if ((fault.fault.effects.bandwidth || fault.fault.effects.down) && !links_.contains(link))
            links_.emplace(link, Link{TokenBucket(network.sending_end(link))});
    for (const LinkId link : links_to_relay(faults.faults)) relayed_.emplace(link, Relay{network.shaping()[link].loss});
  }

  [[noreturn]] void act() {
    advance({});
    for (;;) {
      const auto reading = clock_.read();
      const auto now = WallClock::now();
      const bool runs = reading.start && *reading.start <= now;
      std::optional<WallClock::time_point> next;
      if (runs) {
        advance(reading);
        kill();
        next = pace_ranks(now);
        if (const auto change = timetable_.next_time())
          next = earlier(next, reading.instant(std::chrono::ceil<nanoseconds>(*change)));
      } else {
        next = reading.start;
        continue_all();
      }
      set_links(runs);
      clock_.wait(reading, next);
    }
  }

 private:
  struct Link {
    TokenBucket bucket;
    double share = 1;  // of its rate, now
  };
  struct Relay {
    double loss = 0;
    Duration jitter{0};
    bool operator==(const Relay&) const = default;
  };
  struct SlowRank {
    double factor = 1;
    bool stopped = false;
    WallClock::time_point next;
  };

  // What the clock says is due begins and ends. Without a section: what holds from the start.
  void advance(const SectionClock::Reading& reading) {
    const auto time = [&] { return reading.at(WallClock::now()); };
    const auto changes =
        timetable_.advance(std::chrono::duration_cast<Duration>(reading.start ? time() : nanoseconds{0}));
    if (changes.begun.empty() && changes.ended.empty()) return;
    for (const auto& fault : changes.begun)
      if (fault.effects.kill) to_kill_.push_back(fault);
    for (const int rank : changes.ranks) {
      double factor = 1;
      for (const FaultChange& fault : timetable_.active())
        if (std::find(fault.target.ranks.begin(), fault.target.ranks.end(), rank) != fault.target.ranks.end())
          factor *= fault.effects.slow.value_or(1.0);
      slow_[rank].factor = factor;
    }
    set_links(reading.start.has_value());
    disturb_relayed();
    const std::int64_t done = (reading.start ? time() : nanoseconds{0}).count();
    for (const auto& fault : changes.ended)
      if (fault.ordinal < FaultAgent::most_records) page_.records[fault.ordinal].ended_ns = done;
    for (const auto& fault : changes.begun) {
      if (fault.ordinal < FaultAgent::most_records) page_.records[fault.ordinal].begun_ns = done;
      ++page_.begun;
    }
  }

  void set_links(bool runs) {
    for (auto& [id, link] : links_) {
      double share = 1;
      for (const FaultChange& fault : timetable_.active()) {
        if (std::find(fault.target.links.begin(), fault.target.links.end(), id) == fault.target.links.end()) continue;
        if (fault.effects.down && runs) share = 0;
        share *= fault.effects.bandwidth.value_or(1.0);
      }
      if (share == link.share) continue;
      link.share = share;
      const Shaping& shaping = network_.shaping()[id];
      const auto bits = static_cast<std::int64_t>(static_cast<double>(shaping.rate.bits_per_second()) * share);
      link.bucket.set(Bandwidth::bits_per_second(bits), shaping.burst, shaping.queue);
    }
  }

  void disturb_relayed() {
    for (auto& [id, relay] : relayed_) {
      Relay now{network_.shaping()[id].loss};
      std::optional<double> loss;
      std::uint64_t seed = 0;
      for (const FaultChange& fault : timetable_.active()) {
        if (std::find(fault.target.links.begin(), fault.target.links.end(), id) == fault.target.links.end()) continue;
        if (fault.effects.loss) loss = std::max(loss.value_or(0), *fault.effects.loss);
        if (fault.effects.jitter && *fault.effects.jitter > now.jitter) {
          now.jitter = *fault.effects.jitter;
          seed = fault.seed;
        }
      }
      now.loss = loss.value_or(now.loss);
      if (now == relay) continue;
      relay = now;
      network_.disturb(id, now.loss, now.jitter, seed);
    }
  }

  void kill() {
    for (const auto& fault : to_kill_)
      for (const int rank : fault.target.ranks) {
        if (page_.killed_rank < 0) {
          page_.killed_by = fault.ordinal;
          page_.killed_rank = rank;
        }
        signal(rank, SIGKILL);
      }
    to_kill_.clear();
  }

  // Stops and continues; the instant of the next turn.
  std::optional<WallClock::time_point> pace_ranks(WallClock::time_point now) {
    std::optional<WallClock::time_point> next;
    for (auto& [rank, state] : slow_) {
      if (state.factor <= 1) {
        if (state.stopped) turn(rank, state);
        continue;
      }
      const nanoseconds run = std::max(least_run, std::chrono::duration_cast<nanoseconds>(slow_period / state.factor));
      const auto pause = std::chrono::duration_cast<nanoseconds>(run * (state.factor - 1));
      // By the plan of turns, so that a turn that comes late does not lengthen the others; but what was missed
      // altogether is not made up for.
      if (state.next < now - run - pause) state.next = now;
      if (state.next <= now) {
        turn(rank, state);
        state.next += state.stopped ? pause : run;
      }
      next = earlier(next, state.next);
    }
    return next;
  }
  void continue_all() {
    for (auto& [rank, state] : slow_)
      if (state.stopped) turn(rank, state);
  }
  void turn(int rank, SlowRank& state) {
    state.stopped = !state.stopped;
    signal(rank, state.stopped ? SIGSTOP : SIGCONT);
  }
  void signal(int rank, int number) const {
    const pid_t process = page_.ranks[rank];
    if (process > 0) ::kill(process, number);  // one that has ended needs nothing any more
  }

  const LabNetwork& network_;
  const SectionClock& clock_;
  FaultAgent::Page& page_;
  FaultTimetable timetable_;
  std::map<LinkId, Link> links_;
  std::map<LinkId, Relay> relayed_;
  std::map<int, SlowRank> slow_;
  std::vector<FaultTimetable::Active> to_kill_;
};

nlohmann::ordered_json seconds_or_null(std::int64_t ns) {
  return ns == FaultAgent::not_yet ? nlohmann::ordered_json(nullptr)
                                   : nlohmann::ordered_json(static_cast<double>(ns) * 1e-9);
}

}  // namespace

std::vector<LinkId> links_to_relay(const std::vector<ResolvedFault>& faults) {
  std::vector<LinkId> links;
  for (const ResolvedFault& fault : faults)
    if (fault.fault.effects.loss || fault.fault.effects.jitter)
      for (const FaultTarget& target : fault.targets)
        links.insert(links.end(), target.links.begin(), target.links.end());
  return links;
}

FaultAgent::FaultAgent(const LabNetwork& network, const LabFaults& faults, const SectionClock& clock)
    : faults_(faults), owner_(::getpid()) {
  process_ = ::fork();
  if (process_ < 0)
    throw RunFailure(fmt::format("cannot start the process that applies faults: {}", std::strerror(errno)));
  if (process_ > 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::prctl(PR_SET_TIMERSLACK, 1UL);
  ::setpriority(PRIO_PROCESS, 0, -20);  // where we may
  ::signal(SIGINT, SIG_IGN);            // it ends with its parent
  ::signal(SIGTERM, SIG_IGN);
  try {
    Applier(network, faults, clock, *page_).act();
  } catch (const std::exception& error) {
    std::strncpy(page_->error, error.what(), sizeof page_->error - 1);
  }
  ::_exit(1);
}

FaultAgent::~FaultAgent() {
  if (process_ <= 0 || ::getpid() != owner_) return;  // a forked rank has a copy of this object
  ::kill(process_, SIGKILL);
  while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void FaultAgent::am_rank(int rank) {
  LOCKSTEP_CHECK(rank >= 0 && rank < most_ranks, "rank {}", rank);
  page_->ranks[rank] = ::getpid();
}

void FaultAgent::check() const {
  if (process_ > 0 && ::getpid() == owner_ && ::waitpid(process_, nullptr, WNOHANG) != 0)
    throw RunFailure(page_->error[0] != '\0' ? std::string(page_->error)
                                             : std::string("the process that applies faults has ended"));
}

std::vector<FaultChange> FaultAgent::begun() const {
  FaultStream stream(faults_.faults, faults_.seed);
  std::vector<FaultChange> changes;
  const auto count = std::min<std::size_t>(static_cast<std::size_t>(page_->begun.load()), most_records);
  while (changes.size() < count) changes.push_back(*stream.next());
  return changes;
}

std::int64_t FaultAgent::not_listed() const {
  return std::max<std::int64_t>(0, page_->begun - static_cast<std::int64_t>(most_records));
}

std::string FaultAgent::explained(const std::string& failure) const {
  const auto changes = begun();
  if (page_->killed_rank >= 0) {
    FaultStream stream(faults_.faults, faults_.seed);
    std::optional<FaultChange> change;
    for (std::size_t i = 0; i <= page_->killed_by; ++i) change = stream.next();
    return killed_by_fault(page_->killed_rank, change->at, change->target.name);
  }
  std::vector<std::string> in_force;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const FaultChange& change = changes[i];
    if (page_->records[i].ended_ns != not_yet || (!change.effects.down && !change.effects.slow)) continue;
    in_force.push_back(fmt::format("{} is {} since {}", change.target.name, change.effects.down ? "down" : "slow",
                                   format_duration(change.at)));
  }
  return in_force.empty() ? failure : fmt::format("{}; by a fault, {}", failure, join(in_force, ", "));
}

nlohmann::ordered_json FaultAgent::as_built() const {
  using Json = nlohmann::ordered_json;
  Json rows = Json::array();
  const auto changes = begun();
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const FaultChange& change = changes[i];
    const FaultEffects& effects = change.effects;
    Json row{{"target", change.target.name}};
    if (effects.bandwidth) row["bandwidth"] = *effects.bandwidth;
    if (effects.down) row["down"] = true;
    if (effects.loss) row["loss"] = *effects.loss;
    if (effects.jitter) row["jitter_s"] = to_seconds(*effects.jitter);
    if (effects.slow) row["slow"] = *effects.slow;
    if (effects.kill) row["kill"] = true;
    row["at_s"] = to_seconds(change.at);
    row["until_s"] = change.until ? Json(to_seconds(*change.until)) : Json(nullptr);
    row["begun_s"] = seconds_or_null(page_->records[i].begun_ns);
    row["ended_s"] = seconds_or_null(page_->records[i].ended_ns);
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace lockstep::real
