// One rank's way through its program: what may start, what is done, what comes next. The interpreter, the simulator and
// the real executors all drive this class and differ only in the Backend, which performs the actions and says when they
// are done.
//
// Backend (a class, called without virtual dispatch). Every start_* returns true if the action is already done, or
// false, and then calls Walker::complete(token) once later, never from inside the start_* call itself:
//   bool start_send(Walker&, Token, const Outgoing&)
//   bool start_receive(Walker&, Token, const Incoming&)
//   bool start_copy(Walker&, Token, const Move&)             local copy of a schedule step or Copy
//   bool start_combine(Walker&, Token, const Combine&, const LoopIndices&)
//   bool start_compute(Walker&, Token, const Compute&), start_prepare(Walker&, Token, const Prepare&)
//   bool start_fill(Walker&, Token, const Collective&), start_verify(...)
//   bool start_mark(Walker&, Token, const Mark&)
//   bool start_native(Walker&, Token, const Collective&)     algorithm: native
//   void operation_started(Walker&, stream), operation_done(Walker&, stream)
//   void part_started / part_done are derived by the backend from tokens where it records them
// A backend may have (the simulator has):
//   static constexpr bool moves_data = false   start_send and start_receive then take an Envelope
//   void threads_changed(int by)   so many more threads of schedules are running
//   void step_begun(const Walker&, stream, thread)   a thread issues the messages of a step
//   std::int64_t instant() const   what Walker::begun() gives back for that step
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/prefetch.hpp"
#include "core/collective/schedule.hpp"
#include "core/collective/walk.hpp"
#include "core/plan/program.hpp"

namespace lockstep {

/// Names one action in progress of one rank.
struct Token {
  std::uint8_t stream = 0;
  std::uint8_t part = 0;  ///< 0, 1: sends; 2, 3: receives; 4: the step's copy; 5: the operation as a whole
  std::uint16_t thread = 0;
  [[nodiscard]] constexpr std::uint32_t packed() const {
    return static_cast<std::uint32_t>(stream) | static_cast<std::uint32_t>(part) << 8 |
           static_cast<std::uint32_t>(thread) << 16;
  }
  static constexpr Token unpack(std::uint32_t p) {
    return {static_cast<std::uint8_t>(p & 0xFF), static_cast<std::uint8_t>(p >> 8 & 0xFF),
            static_cast<std::uint16_t>(p >> 16)};
  }
};
inline constexpr std::uint8_t first_receive_part = 2;
inline constexpr std::uint8_t copy_part = 4;
inline constexpr std::uint8_t whole_operation = 5;

/// What a message is, without where its data lie.
struct Envelope {
  Rank peer = 0;
  std::uint16_t channel = 0;  ///< of the collective: routes may depend on it
  bool combine = false;       ///< at the receiver: combined with what is there
  Merge merge = Merge::none;  ///< what switches may do with it
  std::uint64_t tag = 0;
  std::int64_t bytes = 0;
};
/// A message to send. For a schedule's part, `collective` is set and the bytes lie at offset_bytes of its source or
/// target span.
struct Outgoing : Envelope {
  BufferId buffer = 0;
  std::int64_t offset_bytes = 0;
  const Collective* collective = nullptr;
  const Schedule* scattered = nullptr;  ///< set: the bytes lie in the pieces of `part`, from offset_bytes on
  const Part* part = nullptr;
};
/// A message to receive into the span, or to combine with it.
struct Incoming : Envelope {
  BufferId buffer = 0;
  std::int64_t offset_bytes = 0;
  const Collective* collective = nullptr;
  bool finish = false;         ///< divide by group_size after combining, for averages
  bool overlaps_send = false;  ///< combine only when the step's sends are done
  int group_size = 1;
  const Schedule* scattered = nullptr;  ///< set: the bytes go to the pieces of `part`, from offset_bytes on
  const Part* part = nullptr;
};
struct Move {
  BufferId from = 0, to = 0;
  std::int64_t from_bytes = 0, to_bytes = 0, bytes = 0;
  const Collective* combine = nullptr;  ///< set: combined into `to` as this collective says
  bool finish = false;                  ///< divide by group_size after combining, for averages
  int group_size = 1;
};

template <class Backend>
class Walker {
 public:
  Walker(const Plan& plan, const Program& program, Rank rank, Backend& backend, bool once)
      : plan_(&plan), program_(&program), backend_(&backend), rank_(rank) {
    streams_.resize(program.streams.size());
    for (std::size_t s = 0; s < streams_.size(); ++s) streams_[s].cursor = Cursor(program.streams[s], once);
    unfinished_ = streams_.size();
  }

  /// Starts whatever can start.
  void start() { drive(); }

  /// An action is done.
  void complete(Token token) {
    Stream& stream = streams_[token.stream];
    if (token.part == whole_operation) {
      finish_operation(token.stream);
    } else {
      Thread& thread = stream.threads[token.thread];
      if (token.part == copy_part) {
        thread.outstanding = 1;
        issue_messages(token.stream, token.thread);
        if (--thread.outstanding == 0) step_done(token.stream, token.thread);
      } else if (--thread.outstanding == 0) {
        step_done(token.stream, token.thread);
      }
      if (stream.threads_running == 0)
        finish_operation(token.stream);
      else
        return;  // nothing else of this rank can have become ready
    }
    drive();
  }

  [[nodiscard]] bool done() const { return unfinished_ == 0; }
  [[nodiscard]] Rank rank() const { return rank_; }
  [[nodiscard]] const Plan& plan() const { return *plan_; }
  [[nodiscard]] const Program& program() const { return *program_; }

  [[nodiscard]] const Cursor& cursor(std::size_t stream) const { return streams_[stream].cursor; }
  [[nodiscard]] std::int64_t step_index(Token token) const {
    return streams_[token.stream].threads[token.thread].index;
  }
  [[nodiscard]] const Step& step(Token token) const { return streams_[token.stream].threads[token.thread].step; }
  [[nodiscard]] std::size_t stream_count() const { return streams_.size(); }
  [[nodiscard]] bool active(std::size_t stream) const { return streams_[stream].active; }
  [[nodiscard]] std::size_t running_threads(std::size_t stream) const {
    return streams_[stream].threads_running > 0 ? streams_[stream].threads.size() : 0;
  }
  /// Null: the thread is at its end.
  [[nodiscard]] const Schedule* running_schedule(std::size_t stream, std::size_t thread) const {
    const Thread& t = streams_[stream].threads[thread];
    return t.ended ? nullptr : t.schedule.get();
  }
  /// The instant at which the thread issued its step, by the backend's clock.
  [[nodiscard]] std::int64_t begun(std::size_t stream, std::size_t thread) const {
    return streams_[stream].threads[thread].begun;
  }
  /// Leaves out steps to come that are like the present one, see Schedule::skip.
  void skip(std::size_t stream, std::size_t thread, std::int64_t steps) {
    Thread& t = streams_[stream].threads[thread];
    if (t.ended) return;
    t.schedule->skip(steps);
    t.index += steps;
    t.steps_done += steps;
  }
  /// Hints to the processor: complete() will follow soon. First the one, a little later the next.
  void prefetch_streams() const { prefetch(streams_.data(), offsetof(Stream, request)); }
  void prefetch_threads() const {
    if (streams_.empty() || streams_.front().threads.empty()) return;
    prefetch(&streams_.front().threads.front(), sizeof(Thread));
  }
  [[nodiscard]] std::size_t thread_count(std::size_t stream) const { return streams_[stream].threads.size(); }

 private:
  static constexpr bool moves_data = !requires { requires !Backend::moves_data; };
  struct Thread {
    std::unique_ptr<Schedule> schedule;
    int outstanding = 0;
    bool ended = false;
    std::int64_t index = -1;
    std::int64_t begun = -1;
    std::int64_t steps_done = 0;
    Step step;
    std::vector<std::uint16_t> waiting;  ///< threads whose next step counts on this one
  };
  struct Stream {
    std::vector<Thread> threads;
    int threads_running = 0;
    bool active = false;
    bool finished = false;
    GroupId group = 0;
    GroupFamily::Place place;
    std::int64_t element_bytes = 0;
    Cursor cursor;
    std::vector<std::uint16_t> released;  ///< threads whose wait is over, to be gone on with
    ScheduleRequest request;
  };

  [[nodiscard]] bool ready(const Stream& stream) const {
    for (const auto& wait : stream.cursor.operation().waits)
      if (streams_[wait.stream].cursor.completed() < wait.needed(stream.cursor.indices())) return false;
    return true;
  }

  // Starts operations until every stream is active, waiting or at its end.
  void drive() {
    bool moved = true;
    while (moved) {
      moved = false;
      for (std::size_t s = 0; s < streams_.size(); ++s) {
        Stream& stream = streams_[s];
        while (!stream.active && !stream.cursor.done() && ready(stream)) {
          moved = true;
          stream.active = true;
          backend_->operation_started(*this, s);
          if (begin(s)) finish_operation(s);
        }
        if (!stream.active && stream.cursor.done() && !stream.finished) {
          stream.finished = true;
          --unfinished_;
        }
      }
    }
  }

  void finish_operation(std::size_t s) {
    Stream& stream = streams_[s];
    backend_->operation_done(*this, s);
    stream.active = false;
    stream.cursor.advance();
  }

  // True: the operation is done already.
  bool begin(std::size_t s) {
    Stream& stream = streams_[s];
    const Operation& operation = *stream.cursor.operation().operation;
    const LoopIndices& indices = stream.cursor.indices();
    const Token token{static_cast<std::uint8_t>(s), whole_operation, 0};
    if (const auto* a = std::get_if<Collective>(&operation.action)) return begin_collective(s, *a);
    if (const auto* a = std::get_if<Mark>(&operation.action)) return backend_->start_mark(*this, token, *a);
    if (const auto* a = std::get_if<Fill>(&operation.action))
      return !takes_part(a->collective) || backend_->start_fill(*this, token, a->collective);
    if (const auto* a = std::get_if<Verify>(&operation.action))
      return !takes_part(a->collective) || backend_->start_verify(*this, token, a->collective);
    if (const auto* a = std::get_if<Compute>(&operation.action)) return backend_->start_compute(*this, token, *a);
    if (const auto* a = std::get_if<Prepare>(&operation.action)) return backend_->start_prepare(*this, token, *a);
    if (const auto* a = std::get_if<Combine>(&operation.action))
      return backend_->start_combine(*this, token, *a, indices);
    if (const auto* a = std::get_if<Copy>(&operation.action))
      return backend_->start_copy(*this, token,
                                  Move{a->source.buffer, a->target.buffer, a->source.offset.at(indices),
                                       a->target.offset.at(indices), a->source.bytes.count()});
    if (const auto* a = std::get_if<Send>(&operation.action))
      return backend_->start_send(*this, token, message_over<Outgoing>(a->to, a->tag, a->span, indices));
    if (const auto* a = std::get_if<Receive>(&operation.action))
      return backend_->start_receive(*this, token, message_over<Incoming>(a->from, a->tag, a->span, indices));
    LOCKSTEP_CHECK(false, "operation '{}' is of a kind that no walker knows", operation.name);
    return true;
  }

  template <class Message>
  Message message_over(const Peer& peer, std::uint16_t tag, const Span& span, const LoopIndices& indices) const {
    Message message;
    message.peer = peer_rank(*plan_, rank_, peer);
    message.tag = message_tag(peer.group, tag);
    message.bytes = span.bytes.count();
    message.buffer = span.buffer;
    message.offset_bytes = span.offset.at(indices);
    return message;
  }

  [[nodiscard]] bool takes_part(const Collective& collective) const {
    return plan_->groups[collective.group].place_of(rank_).instance >= 0;
  }

  bool begin_collective(std::size_t s, const Collective& collective) {
    Stream& stream = streams_[s];
    stream.group = collective.group;
    stream.place = plan_->groups[collective.group].place_of(rank_);
    if (stream.place.instance < 0) return true;
    if (collective.algorithm == "native")
      return backend_->start_native(*this, Token{static_cast<std::uint8_t>(s), whole_operation, 0}, collective);
    stream.request = request_for(collective, stream.place);
    stream.element_bytes = static_cast<std::int64_t>(stream.request.element_bytes);
    const Algorithm& algorithm = algorithm_of(collective);
    const int threads = algorithm.threads(stream.request);
    stream.threads.resize(static_cast<std::size_t>(threads));
    stream.threads_running = threads;
    for (int t = 0; t < threads; ++t) {
      Thread& thread = stream.threads[static_cast<std::size_t>(t)];
      thread.schedule = algorithm.make(stream.request, t);
      thread.index = -1;
      thread.ended = false;
      thread.steps_done = 0;
      thread.waiting.clear();
    }
    note_threads(threads);
    for (int t = 0; t < threads; ++t) {
      next_step(s, static_cast<std::uint16_t>(t));
      go_on_with_released(s);
    }
    return stream.threads_running == 0;
  }

  // A step of the thread is done: on with it, and with those that waited for it.
  void step_done(std::size_t s, std::uint16_t t) {
    count_step(streams_[s], t);
    next_step(s, t);
    go_on_with_released(s);
  }

  void count_step(Stream& stream, std::uint16_t t) {
    Thread& thread = stream.threads[t];
    ++thread.steps_done;
    if (thread.waiting.empty()) return;
    std::size_t kept = 0;
    for (const std::uint16_t waiter : thread.waiting) {
      if (stream.threads[waiter].step.after_steps > thread.steps_done)
        thread.waiting[kept++] = waiter;
      else
        stream.released.push_back(waiter);
    }
    thread.waiting.resize(kept);
  }

  void go_on_with_released(std::size_t s) {
    Stream& stream = streams_[s];
    for (std::size_t i = 0; i < stream.released.size(); ++i) {
      const std::uint16_t t = stream.released[i];
      if (!issue_step(s, t)) continue;
      count_step(stream, t);
      next_step(s, t);
    }
    stream.released.clear();
  }

  // Goes on with a thread whose step is done, until an action is in progress, the thread has to wait for another one or
  // is at its end.
  void next_step(std::size_t s, std::uint16_t t) {
    Stream& stream = streams_[s];
    Thread& thread = stream.threads[t];
    for (;;) {
      if (!thread.schedule->next(thread.step)) {
        thread.ended = true;
        --stream.threads_running;
        note_threads(-1);
        return;
      }
      ++thread.index;
      if (thread.step.after_thread >= 0) {
        Thread& other = stream.threads[static_cast<std::size_t>(thread.step.after_thread)];
        if (other.steps_done < thread.step.after_steps) {
          other.waiting.push_back(t);
          return;
        }
      }
      if (!issue_step(s, t)) return;
      count_step(stream, t);
    }
  }

  void note_threads(int by) {
    if constexpr (requires { backend_->threads_changed(by); }) backend_->threads_changed(by);
  }

  // Begins the thread's step; true if it is done already.
  bool issue_step(std::size_t s, std::uint16_t t) {
    Stream& stream = streams_[s];
    Thread& thread = stream.threads[t];
    if (const LocalCopy& copy = thread.step.copy; copy.count > 0) {
      const auto& collective = std::get<Collective>(stream.cursor.operation().operation->action);
      const std::int64_t width = stream.element_bytes;
      const LoopIndices& indices = stream.cursor.indices();
      const Span& from = span_of(collective, copy.from_place);
      const Span& to = span_of(collective, copy.to_place);
      Move move{from.buffer, to.buffer, from.offset.at(indices) + copy.from * width,
                to.offset.at(indices) + copy.to * width, copy.count * width};
      if (copy.combine) {
        move.combine = &collective;
        move.finish = copy.finish && collective.reduction == Reduction::average;
        move.group_size = stream.place.size;
      }
      if (!backend_->start_copy(*this, Token{static_cast<std::uint8_t>(s), copy_part, t}, move)) return false;
    }
    thread.outstanding = 1;  // held while issuing
    issue_messages(s, t);
    return --thread.outstanding == 0;
  }

  static const Span& span_of(const Collective& collective, Place place) {
    switch (place) {
      case Place::source:
        return collective.source;
      case Place::target:
        return collective.target;
      case Place::scratch:
        return collective.scratch;
    }
    LOCKSTEP_CHECK(false, "place {}", static_cast<int>(place));
  }

  void issue_messages(std::size_t s, std::uint16_t t) {
    Stream& stream = streams_[s];
    Thread& thread = stream.threads[t];
    const GroupFamily& group = plan_->groups[stream.group];
    const Step& step = thread.step;
    if constexpr (requires { backend_->step_begun(*this, s, t); }) {
      backend_->step_begun(*this, s, t);
      thread.begun = backend_->instant();
    }
    // Receives first: a message that finds its receive posted needs no buffer in between.
    for (std::uint8_t i = 0; i < step.receive_count; ++i) {
      const Part& part = step.receives[i];
      auto incoming = message_of<Incoming>(part, stream, group);
      incoming.combine = part.combine;
      if constexpr (moves_data) locate(incoming, part, stream, thread);
      ++thread.outstanding;
      if (backend_->start_receive(
              *this, Token{static_cast<std::uint8_t>(s), static_cast<std::uint8_t>(first_receive_part + i), t},
              incoming))
        --thread.outstanding;
    }
    for (std::uint8_t i = 0; i < step.send_count; ++i) {
      const Part& part = step.sends[i];
      auto outgoing = message_of<Outgoing>(part, stream, group);
      if constexpr (moves_data) locate(outgoing, part, stream, thread);
      ++thread.outstanding;
      if (backend_->start_send(*this, Token{static_cast<std::uint8_t>(s), i, t}, outgoing)) --thread.outstanding;
    }
  }

  template <class Message>
  static auto message_of(const Part& part, const Stream& stream, const GroupFamily& group) {
    std::conditional_t<moves_data, Message, Envelope> message;
    message.peer = group.member(stream.place.instance, part.peer);
    message.tag = collective_tag(stream.group, part.lane);
    message.bytes = part.count * stream.element_bytes;
    message.channel = part.channel;
    message.merge = part.merge;
    return message;
  }

  // Where the data of a schedule's message lie.
  template <class Message>
  void locate(Message& message, const Part& part, const Stream& stream, const Thread& thread) const {
    const auto& collective = std::get<Collective>(stream.cursor.operation().operation->action);
    const Span& span = span_of(collective, part.place);
    message.buffer = span.buffer;
    message.offset_bytes =
        span.offset.at(stream.cursor.indices()) + (part.scattered ? 0 : part.offset * stream.element_bytes);
    message.collective = &collective;
    if (part.scattered) {
      message.scattered = thread.schedule.get();
      message.part = &part;
    }
    if constexpr (std::is_same_v<Message, Incoming>) {
      message.finish = part.finish && collective.reduction == Reduction::average;
      message.group_size = stream.place.size;
      const auto overlaps = [&](const Part& out) {
        return !out.scattered && !part.scattered && span_of(collective, out.place) == span &&
               out.offset < part.offset + part.count && part.offset < out.offset + out.count;
      };
      const auto sends = std::span(thread.step.sends).first(thread.step.send_count);
      message.overlaps_send = part.combine && std::any_of(sends.begin(), sends.end(), overlaps);
    }
  }

  const Plan* plan_;
  const Program* program_;
  Backend* backend_;
  Rank rank_;
  std::vector<Stream> streams_;
  std::size_t unfinished_ = 0;  // streams
};

}  // namespace lockstep
