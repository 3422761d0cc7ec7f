#include "sim/executor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/hash.hpp"
#include "core/base/text.hpp"
#include "core/faults/draws.hpp"
#include "core/faults/timetable.hpp"
#include "core/plan/walker.hpp"
#include "core/profile/message_cost.hpp"
#include "sim/answers.hpp"
#include "sim/compute/kernel_times.hpp"
#include "sim/compute/processors.hpp"
#include "sim/engine/event_queue.hpp"
#include "sim/fifo.hpp"
#include "sim/folding.hpp"
#include "sim/merging.hpp"
#include "sim/network/flow.hpp"
#include "sim/network/packet/report.hpp"
#include "sim/network/packet/settings.hpp"

namespace lockstep::sim {
namespace {

enum class EventKind : std::uint8_t {
  departure,
  request,
  answer,
  clear_to_send,
  arrival,
  processor_done,
  started,
  action_done
};

class Simulation;
using SimulatedWalker = Walker<Simulation>;

constexpr std::uint32_t none = 0xFFFFFFFFU;

// A rank that is simulated: each rank, or one for all that nothing can tell from it (sim/folding.hpp).
using Actor = std::uint32_t;

struct PendingReceive {
  std::int64_t bytes = 0;
  std::uint32_t token = 0;
  bool combine = false;
};

// What simulations of thousands of ranks touch for every message fills their fast caches: these lie in as few lines of
// memory as they can, what is used together first.
inline constexpr std::size_t memory_line = 64;

// Messages of one (sender, receiver, tag).
struct alignas(memory_line) Lane {
  Actor from = 0;
  Actor to = 0;
  std::uint32_t pair = 0;
  // The k-th message of a lane is for its k-th receive, whichever arrives first; one of these is always empty.
  Fifo<std::uint32_t> unmatched;
  Fifo<PendingReceive> receives;
};

// Two ranks in one direction (and a channel, where channels take routes of their own): the route, and the connection
// that orders messages where the transport has one.
struct alignas(memory_line) Pair {
  RouteId route = none;       // or the connection, of packets; none: no link between them, and nothing that limits
  RouteId bare_route = none;  // of messages that take no rate of software; often the same
  FlowId flow = none;         // of the message that is leaving, while it lives
  std::uint32_t leaving = none;
  bool packets = false;  // else flows
  bool busy = false;
  std::int64_t latency = 0;
  std::int64_t switches = 0;
  double payload_share = 1.0;    // payload bytes per byte on the wire
  std::uint32_t merging = none;  // which of mergings_ its messages belong to
  bool free = false;             // what its messages cost in software is counted at another of these
  // Where the transport orders messages.
  std::int64_t last_arrival = 0;
  Fifo<std::uint32_t> queue;
  // Where the transport has a send buffer: bytes of its messages so far, and of those that have left.
  std::int64_t accepted = 0;
  std::int64_t departed = 0;
  Fifo<std::uint32_t> unbuffered;  // messages that are not yet all in the buffer: their sends are not done
};

struct alignas(memory_line) Message {
  std::uint32_t lane = 0;
  Actor from = 0;
  std::uint32_t sequence = 0;  // of the sender
  std::uint32_t send_token = 0;
  std::int64_t bytes = 0;
  std::int64_t created = 0;
  std::int64_t flow_time = 0;  // until it has left: when it was injected
  union {
    std::int64_t end = 0;  // of its bytes among those of its pair, where the transport has a send buffer
    std::int64_t jitter;   // of all that are merged, in their place
  };
  std::uint32_t path = none;  // where messages choose their own
  std::uint32_t receive_token = 0;
  bool combine = false;
  bool rendezvous = false;
  bool bound = false;    // its receive is known
  bool arrived = false;  // and waits for its receive; or its request to send does
  // Under packets the sender may learn later than the receiver that a message has arrived; it lives until both know.
  bool sender_done = false;
  bool receiver_done = false;
};
static_assert(sizeof(Lane) == memory_line && sizeof(Message) == memory_line);

// A path that messages of adaptive routing chose.
struct Path {
  std::vector<LinkId> links;
  std::vector<ResourceId> resources;  // those of the links, each once
  RouteId route = none;
  RouteId bare_route = none;
  std::int64_t latency = 0;
};

// Messages that switches merge (sim/merging.hpp), on one lane of every member.
struct Merging {
  bool to_one = false;
  Rank first = 0;  // of the members: what the messages of a place cost in software is counted at its own
  std::size_t members = 0;
  MergedWay way;
  RouteId route = none;
  // Those that wait for the others of their place in the lanes: a member's k-th message is for the k-th place.
  std::deque<std::vector<std::uint32_t>> places;
  std::int64_t first_place = 0;                     // of `places`
  std::unordered_map<Rank, std::int64_t> messages;  // by the member's rank: so many have come
};

// What the network says of a message: its flow has ended, or is in the send buffer but for what may be.
struct Notice {
  Actor from = 0;
  std::uint32_t sequence = 0;
  std::uint32_t message = 0;
  bool ended = false;
};

// An instant at which every running thread has just begun a step and nothing else is under way.
struct Instant {
  struct Thread {
    std::uint64_t step = 0;      // all that its time hangs on
    std::int64_t operation = 0;  // how many its stream has completed
    std::int64_t index = 0;      // of the step
    std::int64_t repeats = 0;    // steps to come that are like it
  };
  std::int64_t time = 0;
  std::vector<Thread> threads;
  std::vector<double> saved;        // in token buckets
  std::vector<std::int64_t> since;  // data left
  std::uint64_t messages = 0;
  std::uint64_t payload_bytes = 0;
};

// When a thread began its steps, from step `first` on; all of them like the one before.
struct Pace {
  std::int64_t first = 0;
  std::uint64_t step = 0;  // all that the time of a step hangs on
  std::vector<std::int64_t> begun;
  [[nodiscard]] std::int64_t last() const { return first + static_cast<std::int64_t>(begun.size()) - 1; }
};

// How often what happened between two instants will happen again after the second. They have to be alike, and so have
// all steps from the first to the last time.
std::int64_t repetitions(const Instant& before, const Instant& now) {
  if (before.threads.size() != now.threads.size() || before.saved != now.saved || before.since != now.since) return 0;
  std::int64_t times = std::numeric_limits<std::int64_t>::max();
  for (std::size_t i = 0; i < now.threads.size(); ++i) {
    const Instant::Thread& was = before.threads[i];
    const Instant::Thread& is = now.threads[i];
    const std::int64_t steps = is.index - was.index;
    if (was.step != is.step || was.operation != is.operation || steps < 1 || was.repeats < steps) return 0;
    times = std::min(times, is.repeats / steps);
  }
  return now.threads.empty() ? 0 : times;
}

// The instant that a stream left a meeting at.
struct CommonStart {
  std::size_t stream = 0;
  std::int64_t time = 0;
};

class Simulation {
 public:
  Simulation(const Topology& topology, const Routing& routing, const Profile& profile, const SimulationOptions& options,
             const Plan& plan, Recorder& recorder)
      : topology_(topology),
        routing_(routing),
        profile_(profile),
        options_(options),
        plan_(plan),
        recorder_(recorder),
        costs_(profile.tcp),
        kernel_times_(profile),
        reduction_costs_(profile.reduction.costs()),
        keep_parts_(recorder.wants_parts()),
        channels_part_ways_(!profile.tcp.ordered && !profile.tcp.send_buffer &&
                            routing.policy().mode != RoutingMode::shortest),
        sprays_(options.packets == SimulationOptions::Packets::none && routing.policy().mode == RoutingMode::spray),
        adapts_(options.packets == SimulationOptions::Packets::none && routing.policy().mode == RoutingMode::adaptive),
        faults_(options.disturbances.faults, options.disturbances.seed) {
    if (plan.ranks > topology.rank_capacity())
      throw InputError(fmt::format("{} ranks do not fit: topology '{}' has places for {}", plan.ranks, topology.name,
                                   topology.rank_capacity()));
    for (const auto& role : plan.roles) programs_.push_back(compile(role));
    const RoutingMode mode = routing.policy().mode;
    const bool wanders = mode == RoutingMode::spray || mode == RoutingMode::adaptive;
    if (options.packets == SimulationOptions::Packets::between_machines && wanders &&
        !topology.switching.packets.empty())
      throw InputError(fmt::format(
          "fidelity mixed: beside packets over some switches ('switching.packets') flows between machines keep to one "
          "way, and 'routing' asks for {}; leave out one of the two, or take fidelity packet",
          to_string(mode)));
    if (options.packets != SimulationOptions::Packets::none)
      packets_ = packet::make_transport(topology, mode, profile, options.disturbances.seed);
    list_resources();
    if (profile.tcp.eager_threshold && profile.tcp.ordered && !packets_ && !sprays_)
      answers_.emplace(resources_.size(), static_cast<double>(profile.tcp.framing.acknowledged.count()) * 8);
    fold_ranks();
    add_resources();
    walkers_.reserve(actor_count());
    for (std::size_t actor = 0; actor < actor_count(); ++actor) {
      const Rank r = folding_ ? folding_->representatives[actor] : static_cast<Rank>(actor);
      walkers_.emplace_back(plan, programs_[plan.role_index(r)], r, *this, options.once);
    }
    processors_ = Processors(walkers_.size(), profile.cores.value_or(0));
    starts_.resize(walkers_.size());
    for (std::size_t r = 0; r < walkers_.size(); ++r) starts_[r].resize(walkers_[r].stream_count());
    counters_.resize(walkers_.size());
    sent_.resize(walkers_.size());
    last_lanes_.resize(walkers_.size());
    common_starts_.resize(walkers_.size());
    replays_ = options.replay && !keep_parts_ && !adapts_ && !packets_ && options.disturbances.faults.empty();
    if (packets_ && !keep_parts_ && !disturbed() && packet::unsteady(topology, profile).empty())
      steady_ = options.disturbances.steady;
    if (steady_ > 0) paces_.resize(walkers_.size());
    if (adapts_) under_way_.resize(resources_.size(), 0);
    statistics.simulated_ranks = walkers_.size();
  }

  void run() {
    std::vector<Actor> order(walkers_.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<Actor>(i);
    if (options_.shuffle != 0) {
      std::uint64_t state = options_.shuffle;
      for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[(state = mix64(state)) % i]);
    }
    if (next_fault_time() <= 0) change_faults();
    for (const Actor actor : order) walkers_[actor].start();
    settle();
    std::vector<Event> batch;
    for (;;) {
      const std::int64_t queue_time = queue_.next_time();
      const std::int64_t fault_time = next_fault_time();
      std::int64_t network_time = network_.next();
      if (packets_)
        network_time = std::min(network_time, next_of_packets(std::min({queue_time, fault_time, network_time})));
      const bool on_the_way = packets_ && packets_->next_time() != packet::Fabric::never;
      if (network_time == FlowNetwork::never && queue_time == EventQueue::never && !on_the_way && !may_recover()) break;
      now_ = std::min({network_time, queue_time, fault_time});
      if (fault_time == now_) change_faults();
      if (network_time == now_) take_notices();
      if (queue_time == now_) {
        queue_.next(batch);
        statistics.events += batch.size();
        idle_fault_changes_ = 0;
        for (std::size_t i = 0; i < batch.size(); ++i) {
          if (static_cast<EventKind>(batch.back().kind) == EventKind::arrival)
            prefetch(
                i, batch.size(), [&batch](std::size_t k) { return static_cast<std::uint32_t>(batch[k].data); }, false);
          handle(batch[i]);
        }
      }
      settle();
    }
    statistics.end = Duration{now_ + replayed_};
    if (packets_) {
      statistics.events += packets_->fabric().events();
      statistics.network = packet::report(topology_, *packets_, now_);
      if (steady_ > 0) statistics.network["steps_left_out"] = statistics.replayed_steps;
    }
    std::vector<std::string> stuck;
    for (const auto& walker : walkers_)
      if (!walker.done() && stuck.size() < 8)
        stuck.push_back(fmt::format("rank {} waits in operation '{}'", walker.rank(), waiting_operation(walker)));
    if (!stuck.empty()) throw RunFailure("the plan cannot be completed: " + join(stuck, "; "));
  }

  // --- Backend of Walker ---
  static constexpr bool moves_data = false;
  bool start_send(SimulatedWalker& walker, Token token, const Envelope& out) {
    if (keep_parts_) part_start(walker.rank(), token);
    note_open(token);
    const Actor actor = actor_of(walker);
    const auto alike = static_cast<std::uint64_t>(ranks_of(actor));
    statistics.messages += alike;
    statistics.payload_bytes += alike * static_cast<std::uint64_t>(out.bytes);
    const std::uint32_t id = new_message();
    Message& message = messages_[id];
    message.lane = send_lane(walker.rank(), out, last_lanes_[actor].send);
    message.from = actor;
    message.created = now_;
    message.sequence = ++sent_[actor];
    message.send_token = token.packed();
    message.bytes = out.bytes;
    message.path = none;
    message.bound = message.arrived = message.sender_done = message.receiver_done = false;
    Lane& lane = lanes_[message.lane];
    if (lane.receives.empty())
      lane.unmatched.push(id);
    else
      bind(id, lane.receives.pop());
    const Pair& pair = pairs_[lane.pair];
    message.rendezvous =
        pair.merging == none && profile_.tcp.eager_threshold && out.bytes > profile_.tcp.eager_threshold->count();
    const bool free = pair.free && out.merge == Merge::from_one;
    const std::int64_t work = free ? 0 : costs_.send_time(out.bytes, pair.switches);
    if (answers_) answers_->begins(lane.pair);
    if (work > 0)
      submit(actor, work, job_tag(Job::inject, id));
    else
      launch(id);
    return false;
  }
  bool start_receive(SimulatedWalker& walker, Token token, const Envelope& in) {
    if (keep_parts_) part_start(walker.rank(), token);
    const Actor actor = actor_of(walker);
    Lane& lane = lanes_[receive_lane(walker.rank(), in, last_lanes_[actor].receive)];
    const PendingReceive receive{in.bytes, token.packed(), in.combine};
    note_open(token);
    if (lane.unmatched.empty()) {
      lane.receives.push(receive);
      return false;
    }
    const std::uint32_t id = lane.unmatched.pop();
    bind(id, receive);
    if (!messages_[id].arrived) return false;
    if (messages_[id].rendezvous) {
      // Behind what this rank begins at the same time.
      push_message(now_, EventKind::answer, id);
      return false;
    }
    if (!take_in(id)) return false;
    if (token.part == whole_operation) --open_operations_;
    end_receive(id);
    return true;
  }
  bool start_copy(SimulatedWalker& walker, Token token, const Move& move) {
    return after(actor_of(walker), token, interval_time(profile_.copies, Bytes{move.bytes}, Bytes{move.bytes}).count());
  }
  bool start_combine(SimulatedWalker& walker, Token token, const Combine& combine, const LoopIndices&) {
    return after(actor_of(walker), token, profile_.reduction.time_of(combine.source.bytes).count());
  }
  // On the rank's processor, where it waits for a core as messages do; long work gives its core up by turns. Asleep
  // (--compute sleep) it needs none.
  bool start_compute(SimulatedWalker& walker, Token token, const Compute& compute) {
    const std::int64_t work = kernel_times_.of(compute.kernel);
    if (profile_.compute.asleep) return after(actor_of(walker), token, work);
    if (work == 0) return true;
    note_open(token);
    const bool shared = profile_.cores && *profile_.cores < plan_.ranks;
    processors_.submit(actor_of(walker), slowed(actor_of(walker), work), job_tag(Job::compute, token.packed()),
                       shared ? time_slice.count() : Processors::whole);
    return false;
  }
  bool start_prepare(SimulatedWalker&, Token, const Prepare&) { return true; }
  bool start_native(SimulatedWalker&, Token, const Collective& collective) {
    throw InputError(fmt::format("algorithm 'native' of {} belongs to a library: name the algorithm to simulate ({})",
                                 to_string(collective.kind), default_algorithm(collective.kind)));
  }
  bool start_fill(SimulatedWalker&, Token, const Collective&) { return true; }
  bool start_verify(SimulatedWalker&, Token, const Collective&) { return true; }
  bool start_mark(SimulatedWalker& walker, Token token, const Mark& mark) {
    if (!mark.together) return true;
    note_open(token);
    meeting_.push_back({actor_of(walker), token.packed()});
    if (meeting_.size() == walkers_.size()) {
      const std::int64_t quiet = mark.common_start ? quiet_time() : 0;
      const std::int64_t begin = now_ + quiet;
      quiet_so_far_ += quiet;
      for (const auto& [actor, packed] : meeting_) {
        // A common start is the instant that what follows is measured from; the rank runs a little later.
        const std::int64_t late = mark.common_start ? profile_.start_latency.count() + waking_time(actor) : 0;
        if (mark.common_start) common_starts_[actor] = CommonStart{Token::unpack(packed).stream, begin + replayed_};
        push(begin + late, mark.common_start ? EventKind::started : EventKind::action_done, actor, packed);
      }
      meeting_.clear();
      if (mark.common_start && network_idle()) rest_network();  // other streams may be at work
    }
    return false;
  }
  void operation_started(SimulatedWalker& walker, std::size_t stream) {
    auto& common = common_starts_[actor_of(walker)];
    const bool follows = common && common->stream == stream;
    // What a rank computes is timed from when it runs, not from the instant at which it was to wake up.
    const bool computes = std::holds_alternative<Compute>(walker.cursor(stream).operation().operation->action);
    starts_[actor_of(walker)][stream] = follows && !computes ? common->time : now_ + replayed_;
    if (follows) common.reset();
  }
  void operation_done(SimulatedWalker& walker, std::size_t stream) {
    const Cursor& cursor = walker.cursor(stream);
    const Actor actor = actor_of(walker);
    OperationRecord record;
    record.rank = walker.rank();
    record.ranks = ranks_of(actor);
    record.role = plan_.role_index(walker.rank());
    record.stream = static_cast<std::uint32_t>(stream);
    record.operation = cursor.operation().id;
    record.ordinal = cursor.completed();
    record.iteration = cursor.indices()[0];
    record.warmup = !options_.once && cursor.warming_up();
    record.start = Duration{starts_[actor][stream]};
    const auto& common = common_starts_[actor];
    const auto* mark = std::get_if<Mark>(&cursor.operation().operation->action);
    record.end = Duration{mark != nullptr && mark->common_start && common ? common->time : now_ + replayed_};
    recorder_.operation(record);
  }

  // Hooks that a walker calls where a backend has them.
  [[nodiscard]] std::int64_t instant() const { return now_; }
  void threads_changed(int by) { running_threads_ += by; }
  void step_begun(const SimulatedWalker& walker, std::size_t stream, std::size_t thread) {
    if (steady_ > 0) note_begun(walker, stream, thread);
    if (begun_at_ != now_) {
      begun_at_ = now_;
      begun_ = 0;
    }
    ++begun_;
  }

  SimulationStatistics statistics;

 private:
  enum class Job : std::uint8_t { inject, receive, start, compute };
  static std::uint64_t job_tag(Job job, std::uint32_t message) {
    return static_cast<std::uint64_t>(job) << 32 | message;
  }

  [[nodiscard]] std::size_t actor_count() const {
    return folding_ ? folding_->representatives.size() : static_cast<std::size_t>(plan_.ranks);
  }
  [[nodiscard]] Actor actor_of(const SimulatedWalker& walker) const {
    return static_cast<Actor>(&walker - walkers_.data());
  }
  [[nodiscard]] Actor actor_of(Rank rank) const {
    return folding_ ? folding_->class_of[static_cast<std::size_t>(rank)] : static_cast<Actor>(rank);
  }
  [[nodiscard]] std::int64_t ranks_of(Actor actor) const { return folding_ ? folding_->sizes[actor] : 1; }

  // Directed links first, by their shared resources; then, where the profile limits it, each rank's processor rate out
  // and in.
  void list_resources() {
    resources_.resize(topology_.resource_count());
    for (const Link& link : topology_.links) {
      resources_[link.resource].bits_per_second = static_cast<double>(link.bandwidth.bits_per_second());
      resources_[link.resource].burst_bits = link.burst ? static_cast<double>(link.burst->count()) * 8 : 0;
    }
    out_base_ = in_base_ = none;
    // The profile's rates count payload, flows the bits on the wire: the share of the largest frames converts.
    Bytes mtu{0};
    for (const Link& link : topology_.links) mtu = std::max(mtu, link.mtu);
    const double wire_per_payload =
        1.0 / costs_.payload_share(std::max(mtu, profile_.tcp.framing.packet_header + Bytes{1}));
    const auto add_rates = [&](const std::optional<Bandwidth>& rate, std::uint32_t& base) {
      if (!rate) return;
      base = static_cast<std::uint32_t>(resources_.size());
      for (Rank r = 0; r < plan_.ranks; ++r)
        resources_.push_back({static_cast<double>(rate->bits_per_second()) * wire_per_payload, 0, true});
    };
    add_rates(costs_.send_rate(), out_base_);
    add_rates(costs_.receive_rate(), in_base_);
    // Ranks that share cores share what these can copy: a byte costs the time of its sender and of its receiver.
    if (profile_.cores && costs_.send_rate() && costs_.receive_rate()) {
      const double seconds_per_bit = 1.0 / static_cast<double>(costs_.send_rate()->bits_per_second()) +
                                     1.0 / static_cast<double>(costs_.receive_rate()->bits_per_second());
      machine_ = static_cast<std::uint32_t>(resources_.size());
      resources_.push_back({static_cast<double>(*profile_.cores) / seconds_per_bit * wire_per_payload, 0, true});
    }
    for (ResourceFigures& resource : resources_) {  // in the unit of the flows' weights
      resource.bits_per_second *= grain();
      resource.burst_bits *= grain();
    }
  }

  // Ranks that share cores queue for them by rank, so none is like another; and who adapts to the others differs from
  // them.
  void fold_ranks() {
    if (!options_.fold || recorder_.wants_every_rank() || profile_.cores || disturbed() || sprays_ || adapts_ ||
        packets_ || answers_ || may_merge())
      return;
    std::vector<std::uint64_t> keys;
    keys.reserve(resources_.size());
    for (const ResourceFigures& resource : resources_)
      keys.push_back(mix64(std::bit_cast<std::uint64_t>(resource.bits_per_second) ^
                           mix64(std::bit_cast<std::uint64_t>(resource.burst_bits) + (resource.rate ? 1 : 0))));
    folding_ = fold(plan_, programs_, keys, channels_part_ways_, [this](Rank from, Rank to, std::uint16_t channel) {
      return way_between({from, to, channel});
    });
  }

  // Members whose messages are merged wait for all the others.
  [[nodiscard]] bool may_merge() const {
    for (const Program& program : programs_)
      for (const CompiledOperation* operation : program.by_id) {
        const auto* collective = std::get_if<Collective>(&operation->operation->action);
        if (collective != nullptr && collective->algorithm != "native" && algorithm_of(*collective).merges) return true;
      }
    return false;
  }

  void add_resources() {
    const auto add = [this](const ResourceFigures& resource) {
      if (resource.rate)
        network_.add_rate(resource.bits_per_second);
      else
        network_.add_resource(resource.bits_per_second, resource.burst_bits);
    };
    if (!folding_) {
      std::for_each(resources_.begin(), resources_.end(), add);
      return;
    }
    for (const ResourceId representative : folding_->resource_representatives) add(resources_[representative]);
    for (const Folding::Kind& kind : folding_->kinds) {
      Pair pair;
      take_figures(pair, kind.way);
      std::vector<FlowNetwork::Hop> hops;
      hops.reserve(kind.way.resources.size());
      for (std::size_t h = 0; h < kind.way.resources.size(); ++h)
        hops.push_back({kind.way.resources[h], kind.weights[h]});
      std::tie(pair.route, pair.bare_route) = add_routes(std::move(hops));
      pairs_.push_back(std::move(pair));
    }
  }

  void push(std::int64_t time, EventKind kind, std::uint32_t entity, std::uint64_t data) {
    Event event;
    event.time = time;
    event.kind = static_cast<std::uint8_t>(kind);
    event.entity = entity;
    event.data = data;
    event.counter = ++counters_[entity];
    queue_.push(event);
  }

  // Events of messages are told apart by sender and its count of messages, which do not hang on the order in which
  // other ranks act; numbers of messages and flows do.
  void push_message(std::int64_t time, EventKind kind, std::uint32_t id) {
    const Message& message = messages_[id];
    Event event;
    event.time = time;
    event.kind = static_cast<std::uint8_t>(kind);
    event.entity = static_cast<std::uint32_t>(message.from);
    event.counter = message.sequence;
    event.data = id;
    queue_.push(event);
  }

  bool after(Actor actor, Token token, std::int64_t duration) {
    if (duration == 0) return true;
    note_open(token);
    push(now_ + slowed(actor, duration), EventKind::action_done, actor, token.packed());
    return false;
  }

  void submit(Actor actor, std::int64_t duration, std::uint64_t tag) {
    processors_.submit(actor, slowed(actor, duration), tag);
  }
  void begin_jobs() {
    processors_.dispatch(started_);
    for (const auto& job : started_) push(now_ + job.duration, EventKind::processor_done, job.rank, 0);
    started_.clear();
  }

  void handle(const Event& event) {
    switch (static_cast<EventKind>(event.kind)) {
      case EventKind::departure:
        return left(static_cast<std::uint32_t>(event.data));
      case EventKind::request:
        return request_arrives(static_cast<std::uint32_t>(event.data));
      case EventKind::answer:
        return answer(static_cast<std::uint32_t>(event.data));
      case EventKind::clear_to_send:
        return enqueue(static_cast<std::uint32_t>(event.data));
      case EventKind::arrival:
        return arrives(static_cast<std::uint32_t>(event.data));
      case EventKind::processor_done: {
        const auto tag = processors_.finish(event.entity);
        if (!tag) return;  // a slice of it
        const auto id = static_cast<std::uint32_t>(*tag);
        switch (static_cast<Job>(*tag >> 32)) {
          case Job::inject:
            return launch(id);
          case Job::receive:
            return received(id);
          case Job::start:
          case Job::compute:
            return complete(event.entity, Token::unpack(id));
        }
        return;
      }
      case EventKind::started:
        // The rank has woken up; what that costs its processor comes before what it woke up for.
        if (profile_.start_overhead.count() == 0)
          return complete(event.entity, Token::unpack(static_cast<std::uint32_t>(event.data)));
        return submit(event.entity, profile_.start_overhead.count(),
                      job_tag(Job::start, static_cast<std::uint32_t>(event.data)));
      case EventKind::action_done:
        complete(event.entity, Token::unpack(static_cast<std::uint32_t>(event.data)));
        return;
    }
  }

  // Ends of flows and full send buffers of this moment, by sender: what one rank does first does not hang on the
  // network.
  void take_notices() {
    if (packets_ && !packets_->notices().empty()) take_notices_of_packets();
    if (network_.next() > now_) return;
    notices_.clear();
    for (const auto& due : network_.take_due(now_)) {
      const Message& message = messages_[due.tag];
      if (pairs_[lanes_[message.lane].pair].merging != none) {
        note_merged(due.tag);
        continue;
      }
      notices_.push_back({message.from, message.sequence, due.tag, due.ended});
    }
    statistics.events += notices_.size();
    sort_notices();
    for (std::size_t i = 0; i < notices_.size(); ++i) {
      prefetch(
          i, notices_.size(), [this](std::size_t k) { return notices_[k].message; }, true);
      if (notices_[i].ended) left(notices_[i].message);
    }
    for (const Notice& notice : notices_)
      if (!notice.ended) buffered(notice.message);
  }

  // --- Packets ---

  // Lets the network of packets run until it has something to say, but not beyond `limit`. The time of that, or
  // `never`.
  std::int64_t next_of_packets(std::int64_t limit) {
    packets_->run(limit);
    return packets_->notices().empty() ? FlowNetwork::never : packets_->fabric().now();
  }

  void take_notices_of_packets() {
    notices_.clear();
    for (const auto& notice : packets_->notices()) {
      const Message& message = messages_[notice.tag];
      notices_.push_back({message.from, message.sequence, notice.tag, notice.delivered});
    }
    packets_->notices().clear();
    std::sort(notices_.begin(), notices_.end(), [](const Notice& a, const Notice& b) {
      return std::tie(a.from, a.sequence, a.ended) < std::tie(b.from, b.sequence, b.ended);
    });
    for (const Notice& notice : notices_) {
      Message& message = messages_[notice.message];
      if (notice.ended) {
        message.flow_time = now_ - message.flow_time;
        const std::uint32_t number = lanes_[message.lane].pair;
        std::int64_t arrival = now_ + costs_.latency(message.bytes) + jitter(number, message);
        if (profile_.tcp.ordered)
          arrival = pairs_[number].last_arrival = std::max(arrival, pairs_[number].last_arrival);
        push_message(arrival, EventKind::arrival, notice.message);
        continue;
      }
      message.sender_done = true;
      sent(notice.message);
      if (messages_[notice.message].receiver_done) free_messages_.push_back(notice.message);
    }
  }

  // Before a common start whoever measures waits until all is quiet. That matters where the network remembers.
  [[nodiscard]] std::int64_t quiet_time() const {
    constexpr std::int64_t least = 1'000'000'000;  // 1 ms
    return packets_ && !options_.once ? least + packets_->longest_round_trip() : 0;
  }
  // Ranks wake up one after the other. Where packets are dropped that decides whose: were all as exact as the model,
  // the packets of some schedules would never meet. Drawn for each rank and start, up to the time that waking takes.
  [[nodiscard]] std::int64_t waking_time(Actor actor) const {
    if (quiet_time() == 0 || profile_.start_latency.count() == 0) return 0;
    Draws draws(options_.disturbances.seed ^ mix64(std::uint64_t{actor} << 32 | sent_[actor]));
    return static_cast<std::int64_t>(draws.below(static_cast<std::uint64_t>(profile_.start_latency.count())));
  }
  [[nodiscard]] bool network_idle() const { return network_.active() == 0 && (!packets_ || packets_->idle()); }
  void rest_network() {
    if (packets_) packets_->fabric().rest();
    network_.rest(now_);
  }

  // A connection's software moves no more than that, in bit/s on the wire; 0: no limit.
  [[nodiscard]] double software_rate(Rank from, Rank to) const {
    double least = 0;
    const auto limit = [&](std::uint32_t base, Rank rank) {
      if (base == none) return;
      const double slow = slow_.empty() ? 1.0 : slow_[actor_of(rank)];
      const double rate = resources_[base + static_cast<std::uint32_t>(rank)].bits_per_second / slow;
      least = least == 0 ? rate : std::min(least, rate);
    };
    limit(out_base_, from);
    limit(in_base_, to);
    return least;
  }

  // Thousands of ranks do not fit into a fast cache: what the messages coming up need is fetched ahead, a pointer a few
  // messages after what it stands in. Of a batch of which only the end are arrivals, `message` may give any number.
  template <class MessageAt>
  void prefetch(std::size_t i, std::size_t count, MessageAt message_at, bool of_sender) const {
    constexpr std::size_t distance = 4;
    const auto walker = [&](std::size_t k) -> const SimulatedWalker* {
      const std::uint32_t id = message_at(k);
      if (id >= messages_.size()) return nullptr;
      const Message& message = messages_[id];
      return &walkers_[of_sender ? message.from : lanes_[message.lane].to];
    };
    if (i + 2 * distance < count)
      if (const auto* w = walker(i + 2 * distance)) w->prefetch_streams();
    if (i + distance < count)
      if (const auto* w = walker(i + distance)) w->prefetch_threads();
  }

  void sort_notices() {
    const auto before = [](const Notice& a, const Notice& b) {
      return a.from != b.from ? a.from < b.from : a.sequence < b.sequence;
    };
    if (std::is_sorted(notices_.begin(), notices_.end(), before)) return;
    if (notices_.size() * 8 < walkers_.size()) return std::sort(notices_.begin(), notices_.end(), before);
    // Many at once: dealt out by sender.
    places_.assign(walkers_.size() + 1, 0);
    for (const Notice& notice : notices_) ++places_[notice.from + 1];
    for (std::size_t i = 1; i < places_.size(); ++i) places_[i] += places_[i - 1];
    sorted_notices_.resize(notices_.size());
    for (const Notice& notice : notices_) sorted_notices_[places_[notice.from]++] = notice;
    notices_.swap(sorted_notices_);
    for (std::size_t i = 1; i < notices_.size(); ++i)
      for (std::size_t j = i; j > 0 && before(notices_[j], notices_[j - 1]); --j)
        std::swap(notices_[j], notices_[j - 1]);
  }

  // The message has got into the send buffer of its pair.
  void buffered(std::uint32_t id) {
    Pair& pair = pairs_[lanes_[messages_[id].lane].pair];
    const std::uint32_t first = pair.unbuffered.pop();
    await_buffer(pair);
    sent(first);
  }

  // The sender's processor is done with it.
  void launch(std::uint32_t id) {
    const Message& message = messages_[id];
    const std::uint32_t pair = lanes_[message.lane].pair;
    if (message.rendezvous)
      push_message(now_ + pairs_[pair].latency, EventKind::request, id);
    else
      enqueue(id);
    if (!answers_) return;
    answers_->begun(pair);
    give_answers(pair);
  }

  /// The receiver of a message says: send.
  void answer(std::uint32_t id) {
    const Lane& lane = lanes_[messages_[id].lane];
    if (!answers_) return clear(id, 0);
    const std::uint32_t back = pair_of({static_cast<Rank>(lane.to), static_cast<Rank>(lane.from), 0});
    if (!answers_->holds(back, id, now_)) clear(id, answers_->behind_train(back, network_, now_));
  }

  /// Those that waited for what went over this pair.
  void give_answers(std::uint32_t pair) {
    for (std::uint32_t id = answers_->next_answer(pair); id != Answers::none; id = answers_->next_answer(pair))
      clear(id, answers_->behind_train(pair, network_, now_));
  }

  void clear(std::uint32_t id, std::int64_t wait) {
    push_message(now_ + wait + pairs_[lanes_[messages_[id].lane].pair].latency, EventKind::clear_to_send, id);
  }

  void enqueue(std::uint32_t id) {
    const std::uint32_t number = lanes_[messages_[id].lane].pair;
    if (answers_) answers_->enters(number, now_);
    hand_over(id);
    Pair& pair = pairs_[number];
    if (!profile_.tcp.send_buffer || pair.packets || pair.merging != none) return;
    pair.accepted += messages_[id].bytes + profile_.tcp.message_header.count();
    messages_[id].end = pair.accepted;
    pair.unbuffered.push(id);
    if (pair.unbuffered.size() == 1) await_buffer(pair);
  }

  // When will the first message that is not yet in the pair's send buffer be there? Its last byte gets in when no more
  // than the buffer's size has not left before it and with it. The network will say so, or the end of the flow before.
  void await_buffer(Pair& pair) {
    if (pair.unbuffered.empty()) return;
    const std::uint32_t id = pair.unbuffered.front();
    const std::int64_t leave_first = messages_[id].end - profile_.tcp.send_buffer->count() - pair.departed;
    if (pair.flow == none) return;
    const std::int64_t flowing = messages_[pair.leaving].bytes + profile_.tcp.message_header.count();
    if (leave_first > flowing) return;
    network_.watch(pair.flow, static_cast<double>(flowing - leave_first) * 8 / pair.payload_share, now_);
  }

  void hand_over(std::uint32_t id) {
    Pair& pair = pairs_[lanes_[messages_[id].lane].pair];
    if (profile_.tcp.ordered && !pair.packets) {
      if (pair.busy) {
        pair.queue.push(id);
        return;
      }
      pair.busy = true;
    }
    inject(id);
  }

  void inject(std::uint32_t id) {
    Message& message = messages_[id];
    Pair& pair = pairs_[lanes_[message.lane].pair];
    message.flow_time = now_;
    if (answers_) answers_->flows(lanes_[message.lane].pair, now_);
    if (pair.merging != none) return merge(id, pair);
    const std::int64_t wire = message.bytes + profile_.tcp.message_header.count();
    const RouteId route = pair.packets || costs_.goes_by_rate(message.bytes) ? pair.route : pair.bare_route;
    if (wire == 0 || route == none) {
      push_message(now_, EventKind::departure, id);
      return;
    }
    if (pair.packets) return packets_->send(pair.route, static_cast<std::uint64_t>(wire), id, now_);
    if (adapts_) {
      choosing_.push_back(id);
      return;
    }
    pair.flow = network_.start(route, static_cast<double>(wire) * 8 / pair.payload_share, now_, id);
    pair.leaving = id;
  }

  // Those of all members that have one place flow as one, from when the last of them is there.
  void merge(std::uint32_t id, const Pair& pair) {
    Merging& merging = mergings_[pair.merging];
    const Lane& lane = lanes_[messages_[id].lane];
    const Rank member = static_cast<Rank>(merging.to_one ? lane.from : lane.to);
    const auto at = static_cast<std::size_t>(merging.messages[member]++ - merging.first_place);
    while (merging.places.size() <= at) merging.places.emplace_back();
    merging.places[at].push_back(id);
    if (merging.places[at].size() < merging.members) return;
    LOCKSTEP_CHECK(at == 0, "messages of place {} are merged before those of the one before", at);
    std::vector<std::uint32_t> together = std::move(merging.places.front());
    merging.places.pop_front();
    ++merging.first_place;
    for (const std::uint32_t one : together) messages_[one].flow_time = now_;
    const std::int64_t wire = messages_[id].bytes + profile_.tcp.message_header.count();
    network_.start(merging.route, static_cast<double>(wire) * 8 / pair.payload_share, now_, id);
    merged_.emplace(id, std::move(together));
  }

  void note_merged(std::uint32_t id) {
    const auto flow = merged_.find(id);
    const Merging& merging = mergings_[pairs_[lanes_[messages_[id].lane].pair].merging];
    std::int64_t late = 0;
    for (const std::uint32_t one : flow->second) {
      const Message& message = messages_[one];
      const Lane& lane = lanes_[message.lane];
      notices_.push_back({message.from, message.sequence, one, true});
      if (static_cast<Rank>(merging.to_one ? lane.from : lane.to) == merging.first) late = jitter(lane.pair, message);
    }
    for (const std::uint32_t one : flow->second) messages_[one].jitter = late;
    merged_.erase(flow);
  }

  // Messages that begin now choose their ways, one after the other.
  void choose_paths() {
    std::sort(choosing_.begin(), choosing_.end(), [this](std::uint32_t a, std::uint32_t b) {
      const Message& x = messages_[a];
      const Message& y = messages_[b];
      return x.from != y.from ? x.from < y.from : x.sequence < y.sequence;
    });
    for (const std::uint32_t id : choosing_) {
      Message& message = messages_[id];
      const std::uint32_t number = lanes_[message.lane].pair;
      Pair& pair = pairs_[number];
      message.path = path_of(number);
      const Path& path = paths_[message.path];
      for (const ResourceId resource : path.resources) ++under_way_[resource];
      const std::int64_t wire = message.bytes + profile_.tcp.message_header.count();
      pair.flow = network_.start(costs_.goes_by_rate(message.bytes) ? path.route : path.bare_route,
                                 static_cast<double>(wire) * 8 / pair.payload_share, now_, id);
      pair.leaving = id;
      await_buffer(pair);
    }
    choosing_.clear();
  }

  std::uint32_t path_of(std::uint32_t pair) {
    const Ends& ends = ends_of_pair_[pair];
    auto links = routing_.route_by_load(
        topology_.endpoint(ends.from), topology_.endpoint(ends.to),
        [this](LinkId link) {
          const std::uint32_t resource = topology_.links[link].resource;
          return (under_way_[resource] + 1) / network_.capacity(resource);  // a link that is down: infinite
        },
        ends.label);
    const auto [entry, fresh] = path_index_.try_emplace({pair, links}, static_cast<std::uint32_t>(paths_.size()));
    if (fresh) {
      const Way way = way_over(links, ends);
      Path path;
      std::tie(path.route, path.bare_route) = add_routes(hops_of(way));
      path.latency = way.latency;
      path.resources = way.resources;
      path.links = std::move(links);
      paths_.push_back(std::move(path));
    }
    return entry->second;
  }

  // The last byte has left the sender.
  void left(std::uint32_t id) {
    Message& message = messages_[id];
    const Lane& lane = lanes_[message.lane];
    Pair& pair = pairs_[lane.pair];
    message.flow_time = now_ - message.flow_time;
    const bool chose = message.path != none;
    if (chose)
      for (const ResourceId resource : paths_[message.path].resources) --under_way_[resource];
    const std::int64_t latency = chose ? paths_[message.path].latency : pair.latency;
    std::int64_t arrival = now_ + latency + costs_.latency(message.bytes) +
                           (pair.merging != none ? message.jitter : jitter(lane.pair, message));
    if (profile_.tcp.ordered) arrival = pair.last_arrival = std::max(arrival, pair.last_arrival);
    push_message(arrival, EventKind::arrival, id);
    pair.flow = none;
    if (pair.packets) {  // nothing lies between the two
      message.sender_done = true;
      return sent(id);
    }
    if (answers_) {
      answers_->left(lane.pair, now_);
      give_answers(lane.pair);
    }
    if (profile_.tcp.ordered) {
      pair.busy = false;
      if (!pair.queue.empty()) {
        pair.busy = true;
        inject(pair.queue.pop());
      }
    }
    if (profile_.tcp.send_buffer && pair.merging == none) {
      pair.departed += messages_[id].bytes + profile_.tcp.message_header.count();
      const bool waited = !pair.unbuffered.empty() && pair.unbuffered.front() == id;
      if (waited) pair.unbuffered.pop();
      await_buffer(pair);
      if (!waited) return;
    }
    sent(id);
  }

  // The sender's data may change from now on.
  void sent(std::uint32_t id) {
    const Token token = Token::unpack(messages_[id].send_token);
    if (keep_parts_)
      part_end(walkers_[messages_[id].from].rank(), token, true, walkers_[lanes_[messages_[id].lane].to].rank(),
               messages_[id].bytes);
    complete(messages_[id].from, token);
  }

  void bind(std::uint32_t id, const PendingReceive& receive) {
    Message& message = messages_[id];
    const Lane& lane = lanes_[message.lane];
    if (message.bytes != receive.bytes)
      throw RunFailure(fmt::format("rank {} sent {} bytes to rank {}, which expects {}", walkers_[lane.from].rank(),
                                   message.bytes, walkers_[lane.to].rank(), receive.bytes));
    message.receive_token = receive.token;
    message.combine = receive.combine;
    message.bound = true;
  }

  void request_arrives(std::uint32_t id) {
    Message& message = messages_[id];
    if (message.bound)
      answer(id);
    else
      message.arrived = true;
  }

  void arrives(std::uint32_t id) {
    if (!messages_[id].bound)
      messages_[id].arrived = true;
    else if (take_in(id))
      received(id);
  }

  // Message and receive have met. True if that costs the receiver no time.
  bool take_in(std::uint32_t id) {
    const Message& message = messages_[id];
    const Pair& pair = pairs_[lanes_[message.lane].pair];
    if (pair.free && mergings_[pair.merging].to_one) return true;
    std::int64_t work = costs_.receive_time(message.bytes);
    if (message.combine && reduction_costs_) {
      const std::int64_t whole = profile_.reduction.time_of(Bytes{message.bytes}).count();
      const std::int64_t piece = profile_.reduction.granularity.count() > 0
                                     ? std::min(message.bytes, profile_.reduction.granularity.count())
                                     : message.bytes;
      const std::int64_t last = profile_.reduction.time_of_piece(Bytes{piece}, Bytes{message.bytes}).count();
      // While it came the processor was free, but for what it copied.
      const std::int64_t idle = std::max<std::int64_t>(0, message.flow_time - costs_.time_in_flow(message.bytes));
      work += std::max(last, whole - idle);
    }
    if (work > 0) submit(lanes_[message.lane].to, work, job_tag(Job::receive, id));
    return work <= 0;
  }

  void received(std::uint32_t id) {
    const Token token = Token::unpack(messages_[id].receive_token);
    const Actor to = lanes_[messages_[id].lane].to;
    end_receive(id);
    complete(to, token);
  }

  void end_receive(std::uint32_t id) {
    const Message& message = messages_[id];
    const Lane& lane = lanes_[message.lane];
    if (keep_parts_)
      part_end(walkers_[lane.to].rank(), Token::unpack(message.receive_token), false, walkers_[lane.from].rank(),
               message.bytes);
    --live_messages_;
    if (message.created < created_at_) --older_messages_;
    if (pairs_[lane.pair].packets && !message.sender_done)
      messages_[id].receiver_done = true;
    else
      free_messages_.push_back(id);
  }

  void settle() {
    if (replays_) replay();
    if (steady_ > 0) extrapolate();
    begin_jobs();
    if (!choosing_.empty()) choose_paths();
    network_.settle(now_);
  }

  std::uint32_t new_message() {
    if (created_at_ != now_) {
      created_at_ = now_;
      older_messages_ = live_messages_;
    }
    ++live_messages_;
    if (free_messages_.empty()) {
      messages_.emplace_back();
      return static_cast<std::uint32_t>(messages_.size() - 1);
    }
    const std::uint32_t id = free_messages_.back();
    free_messages_.pop_back();
    return id;
  }

  struct LaneKey {
    std::uint64_t ranks;  // or the kind of message, where ranks are folded
    std::uint64_t tag;
    bool operator==(const LaneKey&) const = default;
  };
  struct LaneHash {
    std::size_t operator()(const LaneKey& key) const { return mix64(key.ranks ^ mix64(key.tag)); }
  };
  // Two ranks, and the label of the route between them.
  struct Ends {
    Rank from = -1;
    Rank to = -1;
    std::uint16_t label = 0;
    bool operator==(const Ends&) const = default;
    [[nodiscard]] std::uint64_t key() const { return pair_key(from, to, label); }
  };
  // A connection is one route, whatever its channels are.
  [[nodiscard]] std::uint16_t route_label(std::uint16_t channel) const { return channels_part_ways_ ? channel : 0; }

  // What a rank used last in one direction: mostly the same again.
  struct LastLane {
    Rank peer = -1;
    std::uint32_t lane = none;
    std::uint64_t tag = 0;
    std::uint16_t channel = 0;
    [[nodiscard]] bool serves(Rank its_peer, std::uint64_t its_tag, std::uint16_t its_channel) const {
      return peer == its_peer && tag == its_tag && channel == its_channel;
    }
  };
  // Lanes whose messages may be merged are others than those of the same number whose may not.
  static std::uint64_t tag_of(const Envelope& envelope) {
    return envelope.tag | static_cast<std::uint64_t>(envelope.merge) << 62;
  }
  std::uint32_t send_lane(Rank rank, const Envelope& out, LastLane& last) {
    const std::uint64_t tag = tag_of(out);
    if (!last.serves(out.peer, tag, out.channel))
      last = {out.peer, find_lane({rank, out.peer, route_label(out.channel)}, tag, out), tag, out.channel};
    return last.lane;
  }
  std::uint32_t receive_lane(Rank rank, const Envelope& in, LastLane& last) {
    const std::uint64_t tag = tag_of(in);
    if (!last.serves(in.peer, tag, in.channel))
      last = {in.peer, find_lane({in.peer, rank, route_label(in.channel)}, tag, in), tag, in.channel};
    return last.lane;
  }

  std::uint32_t find_lane(const Ends& ends, std::uint64_t tag, const Envelope& envelope) {
    const LaneKey key{folding_ ? folding_->kind_of(ends.from, ends.to, ends.label) : ends.key(), tag};
    const auto [entry, fresh] = lane_index_.try_emplace(key, static_cast<std::uint32_t>(lanes_.size()));
    if (fresh) {
      Lane lane;
      lane.from = actor_of(ends.from);
      lane.to = actor_of(ends.to);
      // A connection of packets keeps its messages in order: where the transport does not, lanes have their own.
      const std::uint32_t merging = envelope.merge != Merge::none ? merging_of(ends, envelope) : none;
      if (folding_)
        lane.pair = static_cast<std::uint32_t>(key.ranks);
      else if (merging != none)
        lane.pair = add_merging_pair(ends, merging);
      else
        lane.pair = packets_ && !profile_.tcp.ordered && are_packets(ends) ? add_pair(ends) : pair_of(ends);
      lanes_.push_back(std::move(lane));
    }
    return entry->second;
  }

  // The messages of all members on this lane, if switches merge them; else none.
  std::uint32_t merging_of(const Ends& ends, const Envelope& envelope) {
    const Merge merge = envelope.merge;
    const Rank one = merge == Merge::to_one ? ends.to : ends.from;
    const auto [entry, fresh] = merging_index_.try_emplace(std::pair{tag_of(envelope), one}, none);
    if (!fresh) return entry->second;
    std::vector<DeviceId> devices;
    const std::vector<Rank> others = others_of(one, group_of_tag(envelope.tag));
    for (const Rank other : others) devices.push_back(topology_.endpoint(other));
    const auto merged = merged_way(topology_, routing_, devices, topology_.endpoint(one), merge, ends.label);
    if (!merged) return none;
    if (packets_)
      throw InputError(
          "algorithm in_network: fidelities packet and mixed know no switches that combine messages; take flow or "
          "analytic, or 'switching: {reduction: none}'");
    Merging merging;
    merging.to_one = merge == Merge::to_one;
    merging.first = others.front();
    merging.members = others.size();
    merging.way = *merged;
    merging.route = network_.add_route(hops_of_merging(*merged, one, others, merge));
    mergings_.push_back(std::move(merging));
    return entry->second = static_cast<std::uint32_t>(mergings_.size() - 1);
  }

  // The members of a collective's group beside `one`.
  [[nodiscard]] std::vector<Rank> others_of(Rank one, GroupId id) const {
    const GroupFamily& group = plan_.groups[id];
    const auto place = group.place_of(one);
    std::vector<Rank> others;
    for (int i = 0; i < place.size; ++i)
      if (i != place.index) others.push_back(group.member(place.instance, i));
    return others;
  }

  [[nodiscard]] std::vector<FlowNetwork::Hop> hops_of_merging(const MergedWay& merged, Rank one,
                                                              const std::vector<Rank>& others, Merge merge) const {
    std::vector<FlowNetwork::Hop> hops;
    std::unordered_set<ResourceId> seen;
    const auto add = [&](ResourceId resource, double share) {
      if (seen.insert(resource).second)
        hops.push_back({resource, static_cast<std::uint32_t>(std::max(1.0, std::round(share * grain())))});
    };
    for (const LinkId link : merged.links) add(topology_.links[link].resource, 1);
    const auto add_software = [&](std::uint32_t base, Rank rank) {
      if (base != none) add(base + static_cast<std::uint32_t>(rank), 1);
    };
    add_software(merge == Merge::to_one ? in_base_ : out_base_, one);
    for (const Rank other : others) add_software(merge == Merge::to_one ? out_base_ : in_base_, other);
    if (machine_ != none) {
      // Counted in messages, each of them a byte's time of a sender and of a receiver: here there are more of one kind.
      const double send = 1.0 / static_cast<double>(costs_.send_rate()->bits_per_second());
      const double receive = 1.0 / static_cast<double>(costs_.receive_rate()->bits_per_second());
      const auto many = static_cast<double>(others.size());
      const double work = merge == Merge::to_one ? many * send + receive : send + many * receive;
      add(machine_, std::ceil(work / (send + receive)));
    }
    return hops;
  }

  std::uint32_t add_merging_pair(const Ends& ends, std::uint32_t number) {
    const Merging& merging = mergings_[number];
    Pair pair;
    take_figures(pair, way_over(merging.way.longest, ends));
    pair.switches = merging.way.switches;
    pair.merging = number;
    pair.free = (merging.to_one ? ends.from : ends.to) != merging.first;
    pairs_.push_back(std::move(pair));
    if (answers_) answers_->add_pair(Answers::none, 0);
    if (disturbed()) links_of_pair_.push_back(merging.way.links);
    if (adapts_) ends_of_pair_.push_back(ends);
    return static_cast<std::uint32_t>(pairs_.size() - 1);
  }

  std::uint32_t pair_of(const Ends& ends) {
    const auto [entry, fresh] = pair_index_.try_emplace(ends.key(), static_cast<std::uint32_t>(pairs_.size()));
    if (fresh) add_pair(ends);
    return entry->second;
  }

  std::uint32_t add_pair(const Ends& ends) {
    const Way way = way_between(ends);
    Pair pair;
    take_figures(pair, way);
    const DeviceId from = topology_.endpoint(ends.from), to = topology_.endpoint(ends.to);
    pair.packets = packets_ && are_packets(ends);
    if (pair.packets && from != to)
      pair.route = packets_->connect(routing_, from, to, ends.label, software_rate(ends.from, ends.to));
    else if (!pair.packets && !way.resources.empty())
      std::tie(pair.route, pair.bare_route) = add_routes(hops_of(way));
    pairs_.push_back(std::move(pair));
    if (answers_) add_to_answers(ends);
    if (disturbed()) links_of_pair_.push_back(links_between(ends));
    if (adapts_ || (packets_ && disturbed())) ends_of_pair_.push_back(ends);
    return static_cast<std::uint32_t>(pairs_.size() - 1);
  }

  void add_to_answers(const Ends& ends) {
    const auto links = routing_.route(topology_.endpoint(ends.from), topology_.endpoint(ends.to), ends.label);
    if (links.empty()) return answers_->add_pair(Answers::none, 0);
    const auto resource_of = [this](LinkId link) { return topology_.links[link].resource; };
    double narrowest = resources_[resource_of(links.front())].bits_per_second;
    for (const LinkId link : links) narrowest = std::min(narrowest, resources_[resource_of(link)].bits_per_second);
    answers_->add_pair(resource_of(links.front()), narrowest);
  }

  static void take_figures(Pair& pair, const Way& way) {
    pair.latency = way.latency;
    pair.switches = way.switches;
    pair.payload_share = way.payload_share;
  }

  [[nodiscard]] bool are_packets(const Ends& ends) const {
    return options_.packets == SimulationOptions::Packets::all || packet::are_packets(topology_, links_between(ends));
  }

  // All that a message may cross.
  [[nodiscard]] std::vector<LinkId> links_between(const Ends& ends) const {
    const Routing& routing = packets_ ? packets_->ways_of(routing_) : routing_;
    const auto routes = routing.routes(topology_.endpoint(ends.from), topology_.endpoint(ends.to), ends.label);
    std::vector<LinkId> links;
    for (const auto& route : routes) links.insert(links.end(), route.links.begin(), route.links.end());
    return links;
  }

  [[nodiscard]] Way way_between(const Ends& ends) const {
    if (!sprays_)
      return way_over(routing_.route(topology_.endpoint(ends.from), topology_.endpoint(ends.to), ends.label), ends);
    Way spread;
    for (const auto& route : routing_.routes(topology_.endpoint(ends.from), topology_.endpoint(ends.to), ends.label)) {
      const Way way = way_over(route.links, ends);
      spread.latency = std::max(spread.latency, way.latency);
      spread.switches = std::max(spread.switches, way.switches);
      spread.payload_share = std::min(spread.payload_share, way.payload_share);
      for (const ResourceId resource : way.resources) {
        const auto found = std::find(spread.resources.begin(), spread.resources.end(), resource);
        if (found == spread.resources.end()) {
          spread.resources.push_back(resource);
          spread.shares.push_back(route.share);
        } else {
          spread.shares[static_cast<std::size_t>(found - spread.resources.begin())] += route.share;
        }
      }
    }
    return spread;
  }

  // Whole numbers are what the network counts in: shares are parts of this many, which thirds, sevenths and
  // sixty-fourths are without a remainder.
  static constexpr std::uint32_t parts_of_a_message = 20160;
  [[nodiscard]] double grain() const { return sprays_ ? parts_of_a_message : 1; }

  [[nodiscard]] std::vector<FlowNetwork::Hop> hops_of(const Way& way) const {
    std::vector<FlowNetwork::Hop> hops;
    hops.reserve(way.resources.size());
    for (std::size_t i = 0; i < way.resources.size(); ++i) {
      const double share = way.shares.empty() ? 1 : way.shares[i];
      hops.push_back({way.resources[i], static_cast<std::uint32_t>(std::max(1.0, std::round(share * grain())))});
    }
    return hops;
  }

  // A processor's rate, not a link.
  [[nodiscard]] bool is_software(ResourceId resource) const {
    return (folding_ ? folding_->resource_representatives[resource] : resource) >=
           std::min({out_base_, in_base_, machine_});
  }

  // Of all that a message crosses, and of its links alone where some messages' intervals say what software takes.
  std::pair<RouteId, RouteId> add_routes(std::vector<FlowNetwork::Hop> hops) {
    const auto add = [&] { return hops.empty() ? none : network_.add_route(hops); };
    const RouteId route = add();
    if (!costs_.some_go_by_no_rate()) return {route, route};
    const auto removed = std::erase_if(hops, [&](const FlowNetwork::Hop& hop) { return is_software(hop.resource); });
    return {route, removed == 0 ? route : add()};
  }

  [[nodiscard]] Way way_over(const std::vector<LinkId>& links, const Ends& ends) const {
    Way way;
    way.latency = route_latency(topology_, links).count();
    way.switches = route_switches(topology_, links);
    Bytes mtu{0};
    for (const LinkId link : links) {
      const ResourceId resource = topology_.links[link].resource;
      if (std::find(way.resources.begin(), way.resources.end(), resource) == way.resources.end())
        way.resources.push_back(resource);
      mtu = mtu.count() == 0 ? topology_.links[link].mtu : std::min(mtu, topology_.links[link].mtu);
    }
    if (!links.empty()) way.payload_share = costs_.payload_share(mtu);
    if (out_base_ != none) way.resources.push_back(out_base_ + static_cast<std::uint32_t>(ends.from));
    if (in_base_ != none) way.resources.push_back(in_base_ + static_cast<std::uint32_t>(ends.to));
    if (machine_ != none) way.resources.push_back(machine_);
    return way;
  }

  // --- Faults ---

  [[nodiscard]] bool disturbed() const { return !options_.disturbances.faults.empty(); }

  [[nodiscard]] std::int64_t next_fault_time() const {
    if (!disturbed()) return FlowNetwork::never;
    const auto next = faults_.next_time();
    return next ? next->count() + quiet_so_far_ : FlowNetwork::never;
  }

  // Nothing moves by itself any more: will the end of a fault set it going? Flows have to wait for it.
  [[nodiscard]] bool may_recover() {
    constexpr std::int64_t patience = 1'000'000;  // changes; random faults never end
    return disturbed() && !network_idle() && next_fault_time() != FlowNetwork::never &&
           ++idle_fault_changes_ < patience;
  }

  void change_faults() {
    const auto changes = faults_.advance(Duration{now_ - quiet_so_far_});
    for (const auto& fault : changes.begun)
      if (fault.effects.kill) kill(fault);
    for (const LinkId link : changes.links) set_link(link);
    for (const int rank : changes.ranks) set_rank(rank);
  }

  void kill(const FaultChange& change) {
    for (const int rank : change.target.ranks) {
      if (rank >= plan_.ranks || walkers_[actor_of(static_cast<Rank>(rank))].done()) continue;
      throw RunFailure(killed_by_fault(rank, change.at, change.target.name));
    }
  }

  void set_link(LinkId link) {
    const std::uint32_t resource = topology_.links[link].resource;
    double share = 1;
    for (const FaultChange& fault : faults_.active()) {
      const auto& hit = fault.target.links;
      // A half-duplex cable is one resource for both its links, and counts once.
      if (std::find_if(hit.begin(), hit.end(),
                       [&](LinkId other) { return topology_.links[other].resource == resource; }) == hit.end())
        continue;
      if (fault.effects.down) share = 0;
      share *= fault.effects.bandwidth.value_or(1.0);
    }
    if (packets_) disturb_packets(link, share);
    network_.set_capacity(resource, resources_[resource].bits_per_second * share, now_);
  }

  void disturb_packets(LinkId link, double share) {
    std::optional<double> of_faults;
    for (const FaultChange& fault : faults_.active())
      if (fault.effects.loss &&
          std::find(fault.target.links.begin(), fault.target.links.end(), link) != fault.target.links.end())
        of_faults = std::max(of_faults.value_or(0), *fault.effects.loss);
    const double loss = of_faults.value_or(topology_.links[link].loss);
    packets_->fabric().set_now(now_);
    packets_->fabric().set_loss(link, loss);
    packets_->fabric().set_rate(link, static_cast<double>(topology_.links[link].bandwidth.bits_per_second()) * share);
  }

  void set_rank(int rank) {
    if (rank >= plan_.ranks) return;
    double factor = 1;
    for (const FaultChange& fault : faults_.active()) {
      const auto& hit = fault.target.ranks;
      if (std::find(hit.begin(), hit.end(), rank) != hit.end()) factor *= fault.effects.slow.value_or(1.0);
    }
    slow_.resize(walkers_.size(), 1.0);
    slow_[actor_of(static_cast<Rank>(rank))] = factor;
    if (packets_) {
      for (std::size_t p = 0; p < pairs_.size(); ++p)
        if (pairs_[p].packets && pairs_[p].route != none &&
            (ends_of_pair_[p].from == rank || ends_of_pair_[p].to == rank))
          packets_->set_software_rate(pairs_[p].route, software_rate(ends_of_pair_[p].from, ends_of_pair_[p].to));
    }
    for (const std::uint32_t base : {out_base_, in_base_})
      if (base != none) {
        const auto resource = base + static_cast<std::uint32_t>(rank);
        network_.set_capacity(resource, resources_[resource].bits_per_second / factor, now_);
      }
  }

  // What begins while a rank is slow takes so much longer.
  [[nodiscard]] std::int64_t slowed(Actor actor, std::int64_t duration) const {
    if (slow_.empty() || slow_[actor] == 1.0) return duration;
    const double picoseconds = static_cast<double>(duration) * slow_[actor] + 0.5;
    return static_cast<std::int64_t>(picoseconds);
  }

  // A draw per message and fault: uniform between 0 and the largest jitter on the way.
  [[nodiscard]] std::int64_t jitter(std::uint32_t pair, const Message& message) const {
    if (faults_.active().empty()) return 0;
    std::int64_t most = 0;
    std::uint64_t seed = 0;
    for (const FaultChange& fault : faults_.active()) {
      if (!fault.effects.jitter || fault.effects.jitter->count() <= most) continue;
      const auto& hit = fault.target.links;
      for (const LinkId link : message.path != none ? paths_[message.path].links : links_of_pair_[pair])
        if (std::find(hit.begin(), hit.end(), link) != hit.end()) {
          most = fault.effects.jitter->count();
          seed = fault.seed;
          break;
        }
    }
    if (most == 0) return 0;
    Draws draws(seed ^ mix64(std::uint64_t{message.from} << 32 | message.sequence));
    return static_cast<std::int64_t>(draws.below(static_cast<std::uint64_t>(most) + 1));
  }

  // --- Replay: steps that are done again are not simulated again ---
  //
  // At an instant at which every rank that runs a collective has just begun a step, and nothing older is under way,
  // what happens until the next such instant hangs on these steps alone (and on the token buckets, and on data that
  // have just left, where answers wait for those). If they are the steps of the instant before, and the rest is as it
  // was then, the time between the two will pass again; as often as all schedules repeat their step, the ranks are set
  // forward and the clock's offset with them. Nothing under way has to be moved: it began now.

  void note_open(Token token) {
    if (token.part == whole_operation) ++open_operations_;
  }
  void complete(Actor actor, Token token) {
    if (token.part == whole_operation) --open_operations_;
    walkers_[actor].complete(token);
  }

  void replay() {
    if (begun_at_ != now_ || begun_ != running_threads_ || open_operations_ > 0) return;
    if (created_at_ != now_ || older_messages_ > 0) return;
    Instant instant;
    instant.time = now_;
    instant.messages = statistics.messages;
    instant.payload_bytes = statistics.payload_bytes;
    bool quiet = true;
    for_each_running_thread([&](const SimulatedWalker& walker, std::size_t s, std::size_t t) {
      quiet = quiet && walker.begun(s, t) == now_;  // else one thread began twice, another not at all
      const Token token{static_cast<std::uint8_t>(s), 0, static_cast<std::uint16_t>(t)};
      instant.threads.push_back({signature(walker, s, t), walker.cursor(s).completed(), walker.step_index(token),
                                 walker.running_schedule(s, t)->repeats()});
    });
    if (!quiet) return;
    instant.saved = network_.saved_bits(now_);
    if (answers_) instant.since = answers_->ages(now_);
    const std::int64_t times = last_instant_ ? repetitions(*last_instant_, instant) : 0;
    if (times > 0) {
      std::size_t i = 0;
      for_each_running_thread([&](SimulatedWalker& walker, std::size_t s, std::size_t t) {
        const std::int64_t steps = times * (instant.threads[i].index - last_instant_->threads[i].index);
        walker.skip(s, t, steps);
        statistics.replayed_steps += static_cast<std::uint64_t>(steps);
        ++i;
      });
      replayed_ += times * (now_ - last_instant_->time);
      statistics.messages += static_cast<std::uint64_t>(times) * (instant.messages - last_instant_->messages);
      statistics.payload_bytes +=
          static_cast<std::uint64_t>(times) * (instant.payload_bytes - last_instant_->payload_bytes);
      last_instant_.reset();
      return;
    }
    last_instant_ = std::move(instant);
  }

  // --- Steady steps of packets ---
  //
  // Packets that meet in queues leave no instant at which all begin anew. But where all threads take their steps at one
  // pace they will go on so: all are set forward by as many whole windows as their schedules repeat the step. A window
  // is the least number of steps that takes equally long again and again: in a ring over a fat tree what a rank feels
  // comes from links ever farther back, near ones and far ones in turn. Every thread has to have kept the pace over as
  // many steps of its own: what is slow somewhere reaches the others a rank per step. What is under way stays: the
  // messages of a lane are alike, and those that are left out are left out at either end.
  void note_begun(const SimulatedWalker& walker, std::size_t stream, std::size_t thread) {
    auto& threads = paces_[actor_of(walker)];
    if (threads.size() <= thread) threads.resize(thread + 1);
    Pace& pace = threads[thread];
    const std::int64_t index =
        walker.step_index(Token{static_cast<std::uint8_t>(stream), 0, static_cast<std::uint16_t>(thread)});
    const std::uint64_t step = signature(walker, stream, thread);
    if (pace.step != step || pace.last() + 1 != index) {
      pace.step = step;
      pace.first = index;
      pace.begun.clear();
    }
    pace.begun.push_back(now_);
    if (&walker == &walkers_.front() && thread == 0) paced_ = true;
  }

  void extrapolate() {
    if (!std::exchange(paced_, false) || open_operations_ > 0) return;
    const Pace& reference = paces_.front().front();
    // Enough to have felt every kind of link: on a fat tree a pod is a quarter of the ranks at most.
    const std::size_t felt = std::max<std::size_t>(12, static_cast<std::size_t>(plan_.ranks) / 4);
    for (std::size_t steps = 1; 2 * steps < reference.begun.size(); ++steps) {
      const std::size_t windows = std::max<std::size_t>(2, (felt + steps - 1) / steps);
      if (windows * steps >= reference.begun.size() || !keeps_pace(reference, steps, windows)) continue;
      const std::int64_t time = reference.begun.back() - reference.begun[reference.begun.size() - 1 - windows * steps];
      const std::int64_t times = windows_to_come(steps, windows * steps, time);
      if (times < 1) continue;
      replayed_ += times * time / static_cast<std::int64_t>(windows);
      for_each_running_thread([&](SimulatedWalker& walker, std::size_t s, std::size_t t) {
        leave_out(walker, s, t, times * static_cast<std::int64_t>(steps));
      });
      for (auto& threads : paces_) threads.clear();
      return;
    }
  }

  // Times of the last windows of one thread that differ by less than is asked for.
  [[nodiscard]] bool keeps_pace(const Pace& pace, std::size_t steps, std::size_t windows) const {
    std::int64_t least = std::numeric_limits<std::int64_t>::max();
    std::int64_t most = 0;
    const std::size_t end = pace.begun.size() - 1;
    for (std::size_t w = 0; w < windows; ++w) {
      const std::int64_t time = pace.begun[end - w * steps] - pace.begun[end - (w + 1) * steps];
      least = std::min(least, time);
      most = std::max(most, time);
      if (static_cast<double>(most - least) > steady_ * static_cast<double>(most)) return false;
    }
    return true;
  }

  // How many windows all threads may be set forward by; 0: one of them has not kept the pace, `all` steps in `time`.
  [[nodiscard]] std::int64_t windows_to_come(std::size_t steps, std::size_t all, std::int64_t time) {
    std::int64_t repeats = std::numeric_limits<std::int64_t>::max();
    for_each_running_thread([&](const SimulatedWalker& walker, std::size_t s, std::size_t t) {
      if (repeats == 0) return;
      const auto& threads = paces_[actor_of(walker)];
      const Token token{static_cast<std::uint8_t>(s), 0, static_cast<std::uint16_t>(t)};
      repeats = std::min(repeats, walker.running_schedule(s, t)->repeats());
      if (t >= threads.size() || threads[t].begun.size() <= all || threads[t].last() != walker.step_index(token) ||
          walker.step(token).after_thread >= 0) {
        repeats = 0;
        return;
      }
      const auto& begun = threads[t].begun;
      const std::int64_t own = begun.back() - begun[begun.size() - 1 - all];
      if (static_cast<double>(std::abs(own - time)) > 2 * steady_ * static_cast<double>(time)) repeats = 0;
    });
    return (repeats - 1) / static_cast<std::int64_t>(steps);
  }

  void leave_out(SimulatedWalker& walker, std::size_t stream, std::size_t thread, std::int64_t steps) {
    const Step& step = walker.step(Token{static_cast<std::uint8_t>(stream), 0, static_cast<std::uint16_t>(thread)});
    const auto& collective = std::get<Collective>(walker.cursor(stream).operation().operation->action);
    const auto width = static_cast<std::int64_t>(element_bytes(collective.type));
    for (std::uint8_t i = 0; i < step.send_count; ++i)
      statistics.payload_bytes += static_cast<std::uint64_t>(steps * step.sends[i].count * width);
    statistics.messages += static_cast<std::uint64_t>(steps) * step.send_count;
    statistics.replayed_steps += static_cast<std::uint64_t>(steps);
    walker.skip(stream, thread, steps);
  }

  template <class Visit>
  void for_each_running_thread(Visit visit) {
    for (SimulatedWalker& walker : walkers_)
      for (std::size_t s = 0; s < walker.stream_count(); ++s)
        for (std::size_t t = 0; t < walker.running_threads(s); ++t)
          if (walker.running_schedule(s, t) != nullptr) visit(walker, s, t);
  }

  // All that the time of a step hangs on: whom it sends to and receives from, how much, and what is combined.
  [[nodiscard]] std::uint64_t signature(const SimulatedWalker& walker, std::size_t stream, std::size_t thread) const {
    const Step& step = walker.step(Token{static_cast<std::uint8_t>(stream), 0, static_cast<std::uint16_t>(thread)});
    std::uint64_t hash = mix64(actor_of(walker) ^ mix64(stream << 32 | thread));
    const auto add = [&hash](const Part& part, std::uint64_t kind) {
      hash = mix64(hash ^ mix64(static_cast<std::uint64_t>(part.count) ^
                                mix64(static_cast<std::uint64_t>(static_cast<std::uint32_t>(part.peer)) << 32 |
                                      std::uint64_t{part.lane} << 8 | kind)));
    };
    for (std::uint8_t i = 0; i < step.send_count; ++i) add(step.sends[i], 0);
    for (std::uint8_t i = 0; i < step.receive_count; ++i)
      add(step.receives[i], 1U + (step.receives[i].combine ? 1U : 0U));
    return mix64(hash ^ static_cast<std::uint64_t>(step.copy.count));
  }

  static std::string waiting_operation(const SimulatedWalker& walker) {
    for (std::size_t s = 0; s < walker.stream_count(); ++s)
      if (!walker.cursor(s).done()) return walker.cursor(s).operation().operation->name;
    return {};
  }

  void part_start(Rank rank, Token token) {
    part_starts_[static_cast<std::uint64_t>(rank) << 32 | token.packed()] = now_;
  }
  void part_end(Rank rank, Token token, bool send, Rank peer, std::int64_t bytes) {
    if (token.part == whole_operation) return;
    const auto& walker = walkers_[static_cast<std::size_t>(rank)];
    PartRecord record;
    record.rank = rank;
    record.stream = token.stream;
    record.ordinal = walker.cursor(token.stream).completed();
    record.thread = token.thread;
    record.step = walker.step_index(token);
    record.send = send;
    record.peer = peer;
    const Step& step = walker.step(token);
    record.lane = send ? step.sends[token.part].lane : step.receives[token.part - first_receive_part].lane;
    record.bytes = bytes;
    record.start = Duration{part_starts_[static_cast<std::uint64_t>(rank) << 32 | token.packed()]};
    record.end = Duration{now_};
    recorder_.part(record);
  }

  const Topology& topology_;
  const Routing& routing_;
  const Profile& profile_;
  SimulationOptions options_;
  const Plan& plan_;
  Recorder& recorder_;
  MessageCosts costs_;
  KernelTimes kernel_times_;
  bool reduction_costs_;
  bool keep_parts_;
  bool channels_part_ways_;  // else all messages between two ranks go the same way
  bool sprays_;
  bool adapts_;
  struct ResourceFigures {
    double bits_per_second = 0;
    double burst_bits = 0;
    bool rate = false;  // of a processor, not a link
  };
  FaultTimetable faults_;
  std::int64_t quiet_so_far_ = 0;                   // before common starts: the clock of faults stands still there
  std::int64_t idle_fault_changes_ = 0;             // since anything else happened
  std::vector<double> slow_;                        // factor by actor; empty: nobody is slow
  std::vector<std::vector<LinkId>> links_of_pair_;  // where there are faults
  // Adaptive routing
  std::vector<Ends> ends_of_pair_;
  std::vector<Path> paths_;
  std::map<std::pair<std::uint32_t, std::vector<LinkId>>, std::uint32_t> path_index_;  // by pair
  std::vector<double> under_way_;                                                      // messages, by resource
  std::vector<std::uint32_t> choosing_;                                                // messages that begin now
  std::vector<ResourceFigures> resources_;
  std::optional<Folding> folding_;
  Processors processors_{0, 0};
  FlowNetwork network_;
  std::optional<Answers> answers_;              // where messages ask first, over connections
  std::unique_ptr<packet::Transport> packets_;  // beside network_, or none
  EventQueue queue_;
  std::vector<Program> programs_;
  std::vector<SimulatedWalker> walkers_;
  std::vector<std::vector<std::int64_t>> starts_;
  std::vector<std::optional<CommonStart>> common_starts_;  // by rank, until the operation behind it starts
  std::vector<std::uint32_t> counters_;
  std::vector<std::uint32_t> sent_;
  std::vector<Lane> lanes_;
  std::vector<Pair> pairs_;
  std::vector<Message> messages_;
  std::vector<std::uint32_t> free_messages_;
  std::vector<Notice> notices_;
  std::vector<Notice> sorted_notices_;
  std::vector<std::uint32_t> places_;
  struct LastLanes {
    LastLane send;
    LastLane receive;
  };
  std::vector<LastLanes> last_lanes_;  // by rank
  std::unordered_map<LaneKey, std::uint32_t, LaneHash> lane_index_;
  std::unordered_map<std::uint64_t, std::uint32_t> pair_index_;
  std::unordered_map<std::uint64_t, std::int64_t> part_starts_;
  // Messages that switches merge
  std::vector<Merging> mergings_;
  std::map<std::pair<std::uint64_t, Rank>, std::uint32_t> merging_index_;  // by tag and the one
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> merged_;   // by the message that flows for all
  std::vector<std::pair<Actor, std::uint32_t>> meeting_;
  std::vector<Processors::Started> started_;
  std::uint32_t machine_ = none;
  std::uint32_t out_base_ = none;
  std::uint32_t in_base_ = none;
  std::int64_t now_ = 0;
  // Replay
  bool replays_ = false;
  std::int64_t replayed_ = 0;  // time that replays stand for: the clock is now_ + replayed_
  std::int64_t running_threads_ = 0;
  std::int64_t begun_at_ = -1;
  std::int64_t begun_ = 0;  // steps, at that instant
  std::int64_t open_operations_ = 0;
  std::int64_t live_messages_ = 0;
  std::int64_t created_at_ = -1;
  std::int64_t older_messages_ = 0;  // live ones created before that
  std::optional<Instant> last_instant_;
  double steady_ = 0;
  std::vector<std::vector<Pace>> paces_;  // by actor and thread
  bool paced_ = false;                    // the first thread of all has begun a step
};

}  // namespace

void SimulatedExecutor::execute(const Plan& plan, Recorder& recorder) {
  Simulation simulation(topology_, routing_, profile_, options_, plan, recorder);
  simulation.run();
  statistics_ = simulation.statistics;
}

}  // namespace lockstep::sim
