#include "sim/executor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/hash.hpp"
#include "core/base/text.hpp"
#include "core/plan/walker.hpp"
#include "core/profile/message_cost.hpp"
#include "sim/compute/processors.hpp"
#include "sim/engine/event_queue.hpp"
#include "sim/fifo.hpp"
#include "sim/network/flow.hpp"

namespace lockstep::sim {
namespace {

enum class EventKind : std::uint8_t {
  flow_end,
  buffered,
  drained,
  departure,
  request,
  clear_to_send,
  arrival,
  processor_done,
  started,
  action_done
};

class Simulation;
using SimulatedWalker = Walker<Simulation>;

constexpr std::uint32_t none = 0xFFFFFFFFU;

struct PendingReceive {
  std::uint32_t token = 0;
  std::int64_t bytes = 0;
  bool combine = false;
};

// Messages of one (sender, receiver, tag).
struct Lane {
  Rank from = 0;
  Rank to = 0;
  std::uint32_t pair = 0;
  // The k-th message of a lane is for its k-th receive, whichever arrives first; one of these is always empty.
  Fifo<std::uint32_t> unmatched;
  Fifo<PendingReceive> receives;
};

// Two ranks in one direction: the route, and the connection that orders messages where the transport has one.
struct Pair {
  std::vector<ResourceId> route;
  std::int64_t latency = 0;
  std::int64_t switches = 0;
  double payload_share = 1.0;  // payload bytes per byte on the wire
  bool busy = false;
  std::int64_t last_arrival = 0;  // where the transport orders messages
  Fifo<std::uint32_t> queue;
  // Where the transport has a send buffer: bytes of its messages so far, of those that have left, and the flow of the
  // one that is leaving (while it lives).
  std::int64_t accepted = 0;
  std::int64_t departed = 0;
  FlowId flow = none;
  Fifo<std::uint32_t> unbuffered;  // messages that are not yet all in the buffer: their sends are not done
};

struct Message {
  std::uint32_t lane = 0;
  std::uint32_t sequence = 0;  // of the sender
  std::uint32_t send_token = 0;
  std::int64_t bytes = 0;
  std::int64_t injected = 0;
  std::int64_t flow_time = 0;
  std::int64_t end = 0;  // of its bytes among those of its pair
  PendingReceive receive;
  bool rendezvous = false;
  bool bound = false;    // its receive is known
  bool arrived = false;  // and waits for its receive; or its request to send does
};

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
        processors_(static_cast<std::size_t>(plan.ranks), profile.cores.value_or(0)) {
    if (plan.ranks > topology.rank_capacity())
      throw InputError(fmt::format("{} ranks do not fit: topology '{}' has places for {}", plan.ranks, topology.name,
                                   topology.rank_capacity()));
    add_resources();
    for (const auto& role : plan.roles) programs_.push_back(compile(role));
    walkers_.reserve(static_cast<std::size_t>(plan.ranks));
    for (Rank r = 0; r < plan.ranks; ++r)
      walkers_.emplace_back(plan, programs_[plan.role_index(r)], r, *this, options.once);
    starts_.resize(walkers_.size());
    for (std::size_t r = 0; r < walkers_.size(); ++r) starts_[r].resize(walkers_[r].stream_count());
    counters_.resize(walkers_.size());
    sent_.resize(walkers_.size());
    common_starts_.resize(walkers_.size());
    keep_parts_ = recorder.wants_parts();
  }

  void run() {
    std::vector<Rank> order(walkers_.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<Rank>(i);
    if (options_.shuffle != 0) {
      std::uint64_t state = options_.shuffle;
      for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[(state = mix64(state)) % i]);
    }
    for (const Rank r : order) walkers_[static_cast<std::size_t>(r)].start();
    settle();
    std::vector<Event> batch;
    while (queue_.next(batch)) {
      now_ = queue_.now();
      statistics.events += batch.size();
      for (const Event& event : batch) handle(event);
      settle();
    }
    statistics.end = Duration{now_};
    std::vector<std::string> stuck;
    for (const auto& walker : walkers_)
      if (!walker.done() && stuck.size() < 8)
        stuck.push_back(fmt::format("rank {} waits in operation '{}'", walker.rank(), waiting_operation(walker)));
    if (!stuck.empty()) throw RunFailure("the plan cannot be completed: " + join(stuck, "; "));
  }

  // --- Backend of Walker ---
  bool start_send(SimulatedWalker& walker, Token token, const Outgoing& out) {
    if (keep_parts_) part_start(walker.rank(), token);
    ++statistics.messages;
    statistics.payload_bytes += static_cast<std::uint64_t>(out.bytes);
    const std::uint32_t id = new_message();
    Message& message = messages_[id];
    message = {};
    message.lane = lane_of(walker.rank(), out.peer, out.tag);
    message.sequence = ++sent_[static_cast<std::size_t>(walker.rank())];
    message.send_token = token.packed();
    message.bytes = out.bytes;
    message.rendezvous = profile_.tcp.eager_threshold && out.bytes > profile_.tcp.eager_threshold->count();
    Lane& lane = lanes_[message.lane];
    if (lane.receives.empty())
      lane.unmatched.push(id);
    else
      bind(id, lane.receives.pop());
    const std::int64_t work = costs_.send_time(out.bytes, pairs_[lane.pair].switches);
    if (work > 0)
      submit(walker.rank(), work, job_tag(Job::inject, id));
    else
      launch(id);
    return false;
  }
  bool start_receive(SimulatedWalker& walker, Token token, const Incoming& in) {
    if (keep_parts_) part_start(walker.rank(), token);
    const std::uint32_t lane_id = lane_of(in.peer, walker.rank(), in.tag);
    Lane& lane = lanes_[lane_id];
    const PendingReceive receive{token.packed(), in.bytes, in.combine};
    if (lane.unmatched.empty()) {
      lane.receives.push(receive);
      return false;
    }
    const std::uint32_t id = lane.unmatched.pop();
    bind(id, receive);
    if (!messages_[id].arrived) return false;
    if (messages_[id].rendezvous) {
      push_message(now_ + pairs_[lane.pair].latency, EventKind::clear_to_send, id);
      return false;
    }
    if (!take_in(id)) return false;
    end_receive(id);
    return true;
  }
  bool start_copy(SimulatedWalker& walker, Token token, const Move& move) {
    return after(walker.rank(), token,
                 profile_.copy_bandwidth ? transfer_time(Bytes{move.bytes}, *profile_.copy_bandwidth).count() : 0);
  }
  bool start_combine(SimulatedWalker& walker, Token token, const Combine& combine, const LoopIndices&) {
    return after(
        walker.rank(), token,
        profile_.reduction.bandwidth ? transfer_time(combine.source.bytes, *profile_.reduction.bandwidth).count() : 0);
  }
  bool start_compute(SimulatedWalker&, Token, const Compute& compute) {
    throw InputError(fmt::format("the plan computes ('{}'), and the profile '{}' does not say how fast", compute.kernel,
                                 profile_.name));
  }
  bool start_native(SimulatedWalker&, Token, const Collective& collective) {
    throw InputError(fmt::format("algorithm 'native' of {} belongs to a library: name the algorithm to simulate ({})",
                                 to_string(collective.kind), default_algorithm(collective.kind)));
  }
  bool start_fill(SimulatedWalker&, Token, const Collective&) { return true; }
  bool start_verify(SimulatedWalker&, Token, const Collective&) { return true; }
  bool start_mark(SimulatedWalker& walker, Token token, const Mark& mark) {
    if (!mark.together) return true;
    meeting_.push_back({walker.rank(), token.packed()});
    if (meeting_.size() == walkers_.size()) {
      for (const auto& [rank, packed] : meeting_) {
        // A common start is the instant that what follows is measured from; the rank runs a little later.
        const std::int64_t late = mark.common_start ? profile_.start_latency.count() : 0;
        if (mark.common_start)
          common_starts_[static_cast<std::size_t>(rank)] = CommonStart{Token::unpack(packed).stream, now_};
        push(now_ + late, mark.common_start ? EventKind::started : EventKind::action_done,
             static_cast<std::uint32_t>(rank), packed);
      }
      meeting_.clear();
      if (mark.common_start && network_.active() == 0) network_.rest(now_);  // other streams may be at work
    }
    return false;
  }
  void operation_started(SimulatedWalker& walker, std::size_t stream) {
    auto& common = common_starts_[static_cast<std::size_t>(walker.rank())];
    const bool follows = common && common->stream == stream;
    starts_[static_cast<std::size_t>(walker.rank())][stream] = follows ? common->time : now_;
    if (follows) common.reset();
  }
  void operation_done(SimulatedWalker& walker, std::size_t stream) {
    const Cursor& cursor = walker.cursor(stream);
    OperationRecord record;
    record.rank = walker.rank();
    record.role = plan_.role_index(walker.rank());
    record.stream = static_cast<std::uint32_t>(stream);
    record.operation = cursor.operation().id;
    record.ordinal = cursor.completed();
    record.iteration = cursor.indices()[0];
    record.warmup = !options_.once && cursor.warming_up();
    record.start = Duration{starts_[static_cast<std::size_t>(walker.rank())][stream]};
    const auto& common = common_starts_[static_cast<std::size_t>(walker.rank())];
    const auto* mark = std::get_if<Mark>(&cursor.operation().operation->action);
    record.end = Duration{mark != nullptr && mark->common_start && common ? common->time : now_};
    recorder_.operation(record);
  }

  SimulationStatistics statistics;

 private:
  enum class Job : std::uint8_t { inject, receive, start };
  static std::uint64_t job_tag(Job job, std::uint32_t message) {
    return static_cast<std::uint64_t>(job) << 32 | message;
  }

  // Directed links first, by their shared resources; then, where the profile limits it, each rank's processor rate out
  // and in.
  void add_resources() {
    std::vector<double> capacity(topology_.resource_count(), 0);
    std::vector<double> burst(topology_.resource_count(), 0);
    for (const Link& link : topology_.links) {
      capacity[link.resource] = static_cast<double>(link.bandwidth.bits_per_second());
      burst[link.resource] = link.burst ? static_cast<double>(link.burst->count()) * 8 : 0;
    }
    for (std::size_t r = 0; r < capacity.size(); ++r) network_.add_resource(capacity[r], burst[r]);
    out_base_ = in_base_ = none;
    // The profile's rates count payload, flows the bits on the wire: the share of the largest frames converts.
    Bytes mtu{0};
    for (const Link& link : topology_.links) mtu = std::max(mtu, link.mtu);
    const double wire_per_payload =
        1.0 / costs_.payload_share(std::max(mtu, profile_.tcp.framing.packet_header + Bytes{1}));
    const auto add_rates = [&](const std::optional<Bandwidth>& rate, std::uint32_t& base) {
      if (!rate) return;
      base = static_cast<std::uint32_t>(network_.resource_count());
      for (Rank r = 0; r < plan_.ranks; ++r)
        network_.add_rate(static_cast<double>(rate->bits_per_second()) * wire_per_payload);
    };
    add_rates(costs_.send_rate(), out_base_);
    add_rates(costs_.receive_rate(), in_base_);
    // Ranks that share cores share what these can copy: a byte costs the time of its sender and of its receiver.
    if (profile_.cores && costs_.send_rate() && costs_.receive_rate()) {
      const double seconds_per_bit = 1.0 / static_cast<double>(costs_.send_rate()->bits_per_second()) +
                                     1.0 / static_cast<double>(costs_.receive_rate()->bits_per_second());
      machine_ = network_.add_rate(static_cast<double>(*profile_.cores) / seconds_per_bit * wire_per_payload);
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
  void push_message(std::int64_t time, EventKind kind, std::uint32_t id) { push_message(time, kind, id, id); }
  void push_message(std::int64_t time, EventKind kind, std::uint32_t id, std::uint64_t data) {
    const Message& message = messages_[id];
    Event event;
    event.time = time;
    event.kind = static_cast<std::uint8_t>(kind);
    event.entity = static_cast<std::uint32_t>(lanes_[message.lane].from);
    event.counter = message.sequence;
    event.data = data;
    queue_.push(event);
  }

  bool after(Rank rank, Token token, std::int64_t duration) {
    if (duration == 0) return true;
    push(now_ + duration, EventKind::action_done, static_cast<std::uint32_t>(rank), token.packed());
    return false;
  }

  void submit(Rank rank, std::int64_t duration, std::uint64_t tag) {
    processors_.submit(static_cast<std::uint32_t>(rank), duration, tag);
  }
  void begin_jobs() {
    processors_.dispatch(started_);
    for (const auto& job : started_) push(now_ + job.duration, EventKind::processor_done, job.rank, 0);
    started_.clear();
  }

  void handle(const Event& event) {
    switch (static_cast<EventKind>(event.kind)) {
      case EventKind::flow_end: {
        const auto flow = static_cast<FlowId>(event.data >> 32);
        if (!network_.current(flow, static_cast<std::uint32_t>(event.data))) return;
        const std::uint32_t id = message_of_flow_[flow];
        network_.finish(flow);
        left(id);
        return;
      }
      case EventKind::buffered: {
        const auto flow = static_cast<FlowId>(event.data >> 32);
        if (!network_.current(flow, static_cast<std::uint32_t>(event.data))) return;
        Pair& pair = pairs_[lanes_[messages_[message_of_flow_[flow]].lane].pair];
        if (pair.unbuffered.empty()) return;
        const std::uint32_t id = pair.unbuffered.front();
        if (messages_[id].sequence != event.counter) return;
        pair.unbuffered.pop();
        await_buffer(pair);
        return sent(id);
      }
      case EventKind::drained:
        return network_.drain(event.entity, static_cast<std::uint32_t>(event.data));
      case EventKind::departure:
        return left(static_cast<std::uint32_t>(event.data));
      case EventKind::request:
        return request_arrives(static_cast<std::uint32_t>(event.data));
      case EventKind::clear_to_send:
        return enqueue(static_cast<std::uint32_t>(event.data));
      case EventKind::arrival:
        return arrives(static_cast<std::uint32_t>(event.data));
      case EventKind::processor_done: {
        const std::uint64_t tag = processors_.finish(event.entity);
        const auto id = static_cast<std::uint32_t>(tag);
        switch (static_cast<Job>(tag >> 32)) {
          case Job::inject:
            return launch(id);
          case Job::receive:
            return received(id);
          case Job::start:
            return walkers_[event.entity].complete(Token::unpack(id));
        }
        return;
      }
      case EventKind::started:
        // The rank has woken up; what that costs its processor comes before what it woke up for.
        if (profile_.start_overhead.count() == 0)
          return walkers_[event.entity].complete(Token::unpack(static_cast<std::uint32_t>(event.data)));
        return submit(static_cast<Rank>(event.entity), profile_.start_overhead.count(),
                      job_tag(Job::start, static_cast<std::uint32_t>(event.data)));
      case EventKind::action_done:
        walkers_[event.entity].complete(Token::unpack(static_cast<std::uint32_t>(event.data)));
        return;
    }
  }

  // The sender's processor is done with it.
  void launch(std::uint32_t id) {
    const Message& message = messages_[id];
    if (message.rendezvous)
      push_message(now_ + pairs_[lanes_[message.lane].pair].latency, EventKind::request, id);
    else
      enqueue(id);
  }

  void enqueue(std::uint32_t id) {
    const std::uint32_t number = lanes_[messages_[id].lane].pair;
    hand_over(id);
    if (!profile_.tcp.send_buffer) return;
    Pair& pair = pairs_[number];
    pair.accepted += messages_[id].bytes + profile_.tcp.message_header.count();
    messages_[id].end = pair.accepted;
    pair.unbuffered.push(id);
    if (pair.unbuffered.size() == 1) await_buffer(pair);
  }

  // When will the first message that is not yet in the pair's send buffer be there? Its last byte gets in when no more
  // than the buffer's size has not left before it and with it. An event will say so, or the end of the flow before.
  void await_buffer(Pair& pair) {
    if (pair.unbuffered.empty()) return;
    const std::uint32_t id = pair.unbuffered.front();
    const std::int64_t leave_first = messages_[id].end - profile_.tcp.send_buffer->count() - pair.departed;
    if (pair.flow == none) return;
    const Message& leaving = messages_[message_of_flow_[pair.flow]];
    const std::int64_t flowing = leaving.bytes + profile_.tcp.message_header.count();
    if (leave_first > flowing) return;
    const double bits = static_cast<double>(flowing - leave_first) * 8 / pair.payload_share;
    const auto time = network_.left_at(pair.flow, bits, now_);
    if (time)
      push_message(*time, EventKind::buffered, id,
                   static_cast<std::uint64_t>(pair.flow) << 32 | network_.version(pair.flow));
  }

  void hand_over(std::uint32_t id) {
    Pair& pair = pairs_[lanes_[messages_[id].lane].pair];
    if (profile_.tcp.ordered) {
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
    message.injected = now_;
    const std::int64_t wire = message.bytes + profile_.tcp.message_header.count();
    if (wire == 0 || pair.route.empty()) {
      push_message(now_, EventKind::departure, id);
      return;
    }
    const FlowId flow = network_.start(pair.route, static_cast<double>(wire) * 8 / pair.payload_share);
    if (message_of_flow_.size() <= flow) message_of_flow_.resize(flow + 1);
    message_of_flow_[flow] = id;
    pair.flow = flow;
  }

  // The last byte has left the sender.
  void left(std::uint32_t id) {
    Message& message = messages_[id];
    const Lane& lane = lanes_[message.lane];
    Pair& pair = pairs_[lane.pair];
    message.flow_time = now_ - message.injected;
    std::int64_t arrival = now_ + pair.latency + costs_.latency(message.bytes);
    if (profile_.tcp.ordered) arrival = pair.last_arrival = std::max(arrival, pair.last_arrival);
    push_message(arrival, EventKind::arrival, id);
    pair.flow = none;
    if (profile_.tcp.ordered) {
      pair.busy = false;
      if (!pair.queue.empty()) {
        pair.busy = true;
        inject(pair.queue.pop());
      }
    }
    if (profile_.tcp.send_buffer) {
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
    const Rank sender = lanes_[messages_[id].lane].from;
    if (keep_parts_) part_end(sender, token, true, lanes_[messages_[id].lane].to, messages_[id].bytes);
    walkers_[static_cast<std::size_t>(sender)].complete(token);
  }

  void bind(std::uint32_t id, const PendingReceive& receive) {
    Message& message = messages_[id];
    const Lane& lane = lanes_[message.lane];
    if (message.bytes != receive.bytes)
      throw RunFailure(fmt::format("rank {} sent {} bytes to rank {}, which expects {}", lane.from, message.bytes,
                                   lane.to, receive.bytes));
    message.receive = receive;
    message.bound = true;
  }

  void request_arrives(std::uint32_t id) {
    Message& message = messages_[id];
    if (message.bound)
      push_message(now_ + pairs_[lanes_[message.lane].pair].latency, EventKind::clear_to_send, id);
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
    std::int64_t work = costs_.receive_time(message.bytes);
    if (message.receive.combine && profile_.reduction.bandwidth) {
      const std::int64_t whole = transfer_time(Bytes{message.bytes}, *profile_.reduction.bandwidth).count();
      const std::int64_t piece = profile_.reduction.granularity.count() > 0
                                     ? std::min(message.bytes, profile_.reduction.granularity.count())
                                     : message.bytes;
      const std::int64_t last = transfer_time(Bytes{piece}, *profile_.reduction.bandwidth).count();
      work += std::max(last, whole - message.flow_time);
    }
    if (work > 0) submit(lanes_[message.lane].to, work, job_tag(Job::receive, id));
    return work <= 0;
  }

  void received(std::uint32_t id) {
    const Token token = Token::unpack(messages_[id].receive.token);
    const Rank to = lanes_[messages_[id].lane].to;
    end_receive(id);
    walkers_[static_cast<std::size_t>(to)].complete(token);
  }

  void end_receive(std::uint32_t id) {
    const Message& message = messages_[id];
    const Lane& lane = lanes_[message.lane];
    if (keep_parts_) part_end(lane.to, Token::unpack(message.receive.token), false, lane.from, message.bytes);
    free_messages_.push_back(id);
  }

  void settle() {
    begin_jobs();
    if (!network_.needs_settling()) return;
    for (const auto& end : network_.settle(now_)) {
      push_message(end.time, EventKind::flow_end, message_of_flow_[end.flow],
                   static_cast<std::uint64_t>(end.flow) << 32 | end.version);
      if (profile_.tcp.send_buffer) await_buffer(pairs_[lanes_[messages_[message_of_flow_[end.flow]].lane].pair]);
    }
    for (const auto& drain : network_.drains()) {
      Event event;
      event.time = drain.time;
      event.kind = static_cast<std::uint8_t>(EventKind::drained);
      event.entity = drain.resource;
      event.counter = drain.version;
      event.data = drain.version;
      queue_.push(event);
    }
  }

  std::uint32_t new_message() {
    if (free_messages_.empty()) {
      messages_.emplace_back();
      return static_cast<std::uint32_t>(messages_.size() - 1);
    }
    const std::uint32_t id = free_messages_.back();
    free_messages_.pop_back();
    return id;
  }

  struct LaneKey {
    std::uint64_t ranks;
    std::uint64_t tag;
    bool operator==(const LaneKey&) const = default;
  };
  struct LaneHash {
    std::size_t operator()(const LaneKey& key) const { return mix64(key.ranks ^ mix64(key.tag)); }
  };

  std::uint32_t lane_of(Rank from, Rank to, std::uint64_t tag) {
    const std::uint64_t ranks =
        static_cast<std::uint64_t>(static_cast<std::uint32_t>(from)) << 32 | static_cast<std::uint32_t>(to);
    const auto [entry, fresh] = lane_index_.try_emplace(LaneKey{ranks, tag}, static_cast<std::uint32_t>(lanes_.size()));
    if (fresh) {
      Lane lane;
      lane.from = from;
      lane.to = to;
      lane.pair = pair_of(ranks, from, to);
      lanes_.push_back(std::move(lane));
    }
    return entry->second;
  }

  std::uint32_t pair_of(std::uint64_t ranks, Rank from, Rank to) {
    const auto [entry, fresh] = pair_index_.try_emplace(ranks, static_cast<std::uint32_t>(pairs_.size()));
    if (fresh) {
      Pair pair;
      const auto links = routing_.route(topology_.endpoint(from), topology_.endpoint(to));
      pair.latency = route_latency(topology_, links).count();
      pair.switches = route_switches(topology_, links);
      Bytes mtu{0};
      for (const LinkId link : links) {
        const ResourceId resource = topology_.links[link].resource;
        if (std::find(pair.route.begin(), pair.route.end(), resource) == pair.route.end())
          pair.route.push_back(resource);
        mtu = mtu.count() == 0 ? topology_.links[link].mtu : std::min(mtu, topology_.links[link].mtu);
      }
      if (!links.empty()) pair.payload_share = costs_.payload_share(mtu);
      if (out_base_ != none) pair.route.push_back(out_base_ + static_cast<std::uint32_t>(from));
      if (in_base_ != none) pair.route.push_back(in_base_ + static_cast<std::uint32_t>(to));
      if (machine_ != none) pair.route.push_back(machine_);
      pairs_.push_back(std::move(pair));
    }
    return entry->second;
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
  Processors processors_;
  FlowNetwork network_;
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
  std::vector<std::uint32_t> message_of_flow_;
  std::unordered_map<LaneKey, std::uint32_t, LaneHash> lane_index_;
  std::unordered_map<std::uint64_t, std::uint32_t> pair_index_;
  std::unordered_map<std::uint64_t, std::int64_t> part_starts_;
  std::vector<std::pair<Rank, std::uint32_t>> meeting_;
  std::vector<Processors::Started> started_;
  std::uint32_t machine_ = none;
  std::uint32_t out_base_ = none;
  std::uint32_t in_base_ = none;
  std::int64_t now_ = 0;
  bool keep_parts_ = false;
};

}  // namespace

void SimulatedExecutor::execute(const Plan& plan, Recorder& recorder) {
  Simulation simulation(topology_, routing_, profile_, options_, plan, recorder);
  simulation.run();
  statistics_ = simulation.statistics;
}

}  // namespace lockstep::sim
