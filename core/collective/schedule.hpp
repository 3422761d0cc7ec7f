// Schedules: how a collective is done, step by step. Both clocks execute the same generator.
//
// Given (kind, rank, group size, count, ...), an algorithm yields one or more *threads* of steps. The steps of a thread
// run one after another; the parts of a step (up to two sends, two receives with or without a combine, one local copy)
// start together and the step is done when all its parts are. Threads progress independently of each other (channels,
// and the up and down halves of a tree), but for a step that names another thread: it begins when that thread has done
// as many steps as it says.
//
// Contract:
//  - offsets and counts are in elements, inside the buffer that Place names;
//  - a *scattered* part is one message whose elements lie in several pieces; its offset means something to its schedule
//    alone, which lists the pieces when data are moved (Schedule::pieces). A scattered send is packed when its step
//    begins and a scattered receive stored when it is complete, so these two may overlap;
//  - messages from one rank to another on one lane are matched in order; what a rank sends to another on one lane is
//    sent by one thread, and received by one;
//  - a step without parts is done at once; it stands where others count on it (after_thread, after_steps);
//  - within a step, copy happens before the sends start; combines are applied in the order receives[0], receives[1];
//  - a receive without combine never overlaps a send of the same step; one with combine may (recursive doubling): then
//  the combine waits
//    until the step's sends are done;
//  - the order of combination is fixed by the schedule: every executor gives the same bits;
//  - parts with count 0 are never yielded, except signals (barrier), which carry no bytes and still are messages.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/plan/pair_counts.hpp"
#include "core/plan/types.hpp"

namespace lockstep {

struct CustomAlgorithm;

enum class Place : std::uint8_t {
  source,
  target,
  scratch  ///< memory of the collective's own, for algorithms from files
};

/// Messages of one lane and one place in it, of which one may stand for all on a link that several of them cross: those
/// to one rank, which combines them, or from one, which sends the same to all. All other members of the group send, or
/// receive.
enum class Merge : std::uint8_t { none, to_one, from_one };

struct Part {
  std::int32_t peer = -1;  ///< index in the group
  std::uint16_t lane = 0;
  std::uint16_t channel = 0;    ///< which of the request's channels it belongs to: routes may depend on it
  Place place = Place::target;  ///< where the data are read or stored
  bool combine = false;         ///< receive: combined into what is there instead of stored
  bool finish = false;          ///< receive: the last combine of these elements (average divides here)
  bool scattered = false;       ///< in pieces
  Merge merge = Merge::none;    ///< what switches may do with it
  std::int64_t offset = 0;      ///< elements; scattered: the schedule's name for the pieces
  std::int64_t count = 0;       ///< elements, of all pieces together
};

struct LocalCopy {  ///< source[from, from+count) -> target[to, ...)
  std::int64_t from = 0;
  std::int64_t to = 0;
  std::int64_t count = 0;  ///< 0: no copy
  Place from_place = Place::source;
  Place to_place = Place::target;
  bool combine = false;  ///< target (reduction)= source
  bool finish = false;   ///< with it: the last combine of these elements
};

struct Step {
  std::array<Part, 2> sends;
  std::array<Part, 2> receives;
  std::uint8_t send_count = 0;
  std::uint8_t receive_count = 0;
  LocalCopy copy;
  std::int32_t after_thread = -1;  ///< of the same rank; -1: the step waits for no other thread
  std::int64_t after_steps = 0;    ///< how many steps that thread must have done
  void clear() {
    send_count = receive_count = 0;
    copy = {};
    after_thread = -1;
  }
  void add_send(const Part& part) { sends[send_count++] = part; }
  void add_receive(const Part& part) { receives[receive_count++] = part; }
  [[nodiscard]] bool empty() const { return send_count == 0 && receive_count == 0 && copy.count == 0; }
};

/// Elements [begin, end).
struct Range {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  [[nodiscard]] std::int64_t size() const { return end - begin; }
};

/// One thread of steps.
class Schedule {
 public:
  virtual ~Schedule() = default;
  /// The pieces of a scattered part of the last step, in the order in which the message has them; empty ones may be
  /// among them. Asked by those who move data only.
  [[nodiscard]] virtual std::vector<Range> pieces(const Part& part) const;
  /// Fills `step` (cleared by the callee) and returns true, or returns false at the end.
  virtual bool next(Step& step) = 0;
  /// How many of the steps to come are the step last given out again, but for the offsets of their parts.
  [[nodiscard]] virtual std::int64_t repeats() const { return 0; }
  /// Leaves out `steps` of them, at most repeats().
  virtual void skip(std::int64_t /*steps*/) {}
};

struct ScheduleRequest {
  CollectiveKind kind = CollectiveKind::all_reduce;
  int rank = 0;            ///< index in the group
  int size = 1;            ///< of the group
  std::int64_t count = 0;  ///< elements of the whole buffer of one rank
  std::size_t element_bytes = 4;
  int root = 0;
  int channels = 1;
  Bytes chunk{0};        ///< 0: the algorithm's rule
  bool in_place = true;  ///< source and target are the same span
  /// Shape of the group, where the algorithm asks for it: ranks r / ranks_per_node share a node (0: not known, every
  /// rank is a node of its own); lengths of the dimensions of a grid whose last one counts fastest (0: not given).
  int ranks_per_node = 0;
  Dimensions dimensions{};
  const PairCounts* counts = nullptr;       ///< of all_to_all_v; must outlive the schedules
  const CustomAlgorithm* custom = nullptr;  ///< an algorithm from a file; must outlive the schedules
  Reduction reduction = Reduction::sum;
};

/// `rounds` in each of which the busiest direction of a rank's link carries `bytes` of payload, in `slices` messages
/// one after another, each of which goes on in the next round as soon as it has come.
struct Phase {
  std::int64_t rounds = 0;
  std::int64_t bytes = 0;
  int slices = 1;
  bool hidden = false;   ///< follows other rounds without waiting for what they bring: its latency hides behind theirs
  bool one_way = false;  ///< who sends in it does not receive
};

/// What an algorithm costs, as a formula (docs/algorithms.md): asserted against the generated schedules in the tests.
struct Cost {
  std::int64_t steps = 0;     ///< rounds of messages that depend on each other: the longest chain
  std::int64_t messages = 0;  ///< sent by all ranks together
  std::int64_t bytes = 0;     ///< payload sent by all ranks together
  std::vector<Phase>
      phases;  ///< closed form of the time: sum of rounds x (alpha + bytes / bandwidth); rounds add up to steps
  std::vector<Phase> merged_phases;  ///< the same where switches merge messages
};

/// Which ranks of a group do the same, seen from themselves: their schedules have the same threads of the same steps,
/// with the same counts, copies and combines, and differ in offsets and in the peers alone:
///  - rotation: ranks whose difference d is a multiple of `period`; the peers are those of the other plus d, modulo n;
///  - exclusive_or: all ranks (n a power of two); the peers of r are those of rank 0, exclusive or r;
///  - none: nothing is known.
struct Symmetry {
  enum class Kind : std::uint8_t { none, rotation, exclusive_or } kind = Kind::none;
  int period = 1;
};

struct Algorithm {
  std::string name;
  std::string description;  ///< one line
  std::vector<CollectiveKind> kinds;
  /// Number of threads that rank runs.
  int (*threads)(const ScheduleRequest& request);
  std::unique_ptr<Schedule> (*make)(const ScheduleRequest& request, int thread);
  Cost (*cost)(const ScheduleRequest& request);  ///< request.rank is ignored
  /// Why it cannot do this request ("ranks_per_node: 3 does not divide 8 ranks"); empty: it can. Null: it always can.
  std::string (*refusal)(const ScheduleRequest& request) = nullptr;
  /// What a simulator may use to treat ranks as one (asserted against the schedules in the tests); null: nothing.
  Symmetry (*symmetry)(const ScheduleRequest& request) = nullptr;
  bool merges = false;  ///< its messages may be merged in switches (Merge)
  [[nodiscard]] bool supports(CollectiveKind kind) const;
};

/// The catalogue. Adding an algorithm: one new file and one line in catalogue.cpp.
std::span<const Algorithm> algorithm_catalogue();
/// Throws InputError: unknown name (with the nearest), or a kind that the algorithm does not do (with those that do).
const Algorithm& find_algorithm(CollectiveKind kind, std::string_view name);
/// The algorithm used for a kind when the workload names none.
std::string default_algorithm(CollectiveKind kind);

/// The elements of part `index` when `count` elements are dealt to `parts`: the first count % parts get one
/// more.
constexpr Range partition(std::int64_t count, int parts, int index) {
  const std::int64_t quotient = count / parts, remainder = count % parts;
  const std::int64_t begin = index * quotient + (index < remainder ? index : remainder);
  return {begin, begin + quotient + (index < remainder ? 1 : 0)};
}

/// True where source and target must be different memory (all_to_all, all_to_all_v, send_recv).
bool needs_separate_source(CollectiveKind kind);

}  // namespace lockstep
