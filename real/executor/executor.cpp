#include "real/executor/executor.hpp"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "core/base/error.hpp"
#include "core/collective/data_request.hpp"
#include "core/plan/walker.hpp"
#include "real/compute/rank_kernels.hpp"
#include "real/executor/buffers.hpp"
#include "real/executor/memory.hpp"
#include "real/launch/sleep.hpp"
#include "real/transport/native.hpp"

namespace lockstep::real {
namespace {

class Rankwise;
using RealWalker = Walker<Rankwise>;

double process_cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

class Rankwise {
 public:
  Rankwise(const Plan& plan, Control& control, Transport& transport, const ExecutorOptions& options, Recorder& recorder,
           const TransportExecutor& hooks, std::map<std::uint32_t, std::int64_t>& wrong,
           std::map<std::uint32_t, TransportExecutor::Section>& sections)
      : plan_(plan),
        control_(control),
        transport_(transport),
        options_(options),
        recorder_(recorder),
        hooks_(hooks),
        wrong_(wrong),
        sections_(sections),
        rank_(control.rank()),
        program_(compile(plan.role_of(rank_))),
        memory_(transport.device()),
        buffers_(plan.role_of(rank_), memory_.device()),
        walker_(plan, program_, rank_, *this, false),
        starts_(program_.streams.size()),
        ends_(program_.streams.size()),
        threads_(program_.streams.size()),
        keep_parts_(recorder.wants_parts()) {}

  void run() {
    for (BufferId buffer = 0; buffer < buffers_.count(); ++buffer) transport_.keep(buffers_.whole(buffer));
    if (memory_.device() != nullptr) prepare_device();
    prepare_native();
    walker_.start();
    std::vector<Completion> completions;
    while (!walker_.done()) {
      // Nothing moves while a rank waits in the meeting: what other streams have begun is finished first.
      if (meeting_ && !others_active()) {
        meet();
        continue;
      }
      completions.clear();
      if (!transport_.wait(completions, WallClock::now() + options_.timeout)) time_out();
      for (const Completion& completion : completions) handle(completion);
    }
    transport_.flush(WallClock::now() + options_.timeout / 2);
    for (BufferId buffer = 0; buffer < buffers_.count(); ++buffer) transport_.forget(buffers_.whole(buffer));
    for (const auto& threads : threads_)
      for (const auto& thread : threads)
        for (const auto& reception : thread.receptions) transport_.forget(reception.scratch.bytes());
  }

  // After a failure others may still be writing here: the memory stays as long as the process.
  void abandon_memory() {
    static std::mutex mutex;
    static std::vector<std::pair<Buffers, std::vector<std::vector<Thread>>>> abandoned;
    const std::lock_guard lock(mutex);
    abandoned.emplace_back(std::move(buffers_), std::move(threads_));
  }

  // --- Backend of Walker ---
  bool start_send(RealWalker&, Token token, const Outgoing& out) {
    Thread& thread = thread_of(token);
    if (token.part < first_receive_part) thread.sends_left |= static_cast<std::uint8_t>(1U << token.part);
    part_start(token);
    if (out.scattered != nullptr) {
      AlignedBuffer& packed = thread.packed[token.part];
      packed.grow(static_cast<std::size_t>(out.bytes), memory_.device());
      const auto width = static_cast<std::int64_t>(element_bytes(out.collective->type));
      std::size_t at = 0;
      for (const Range& piece : out.scattered->pieces(*out.part)) {
        const auto from = buffers_.span(out.buffer, out.offset_bytes + piece.begin * width, piece.size() * width);
        memory_.copy(from, packed.bytes().data() + at);
        at += from.size();
      }
      transport_.send(out.peer, out.tag, packed.bytes().first(static_cast<std::size_t>(out.bytes)), token.packed());
      return false;
    }
    transport_.send(out.peer, out.tag, buffers_.span(out.buffer, out.offset_bytes, out.bytes), token.packed());
    return false;
  }

  bool start_receive(RealWalker&, Token token, const Incoming& in) {
    part_start(token);
    if (!in.combine && in.scattered == nullptr) {
      transport_.receive(in.peer, in.tag, buffers_.span(in.buffer, in.offset_bytes, in.bytes), token.packed());
      return false;
    }
    Reception& reception = reception_of(token);
    reception.incoming = in;
    reception.combined = 0;
    reception.arrived = 0;
    reception.open = true;
    grow_scratch(reception.scratch, in.bytes);
    transport_.receive(in.peer, in.tag, reception.scratch.bytes().first(static_cast<std::size_t>(in.bytes)),
                       token.packed(), in.scattered != nullptr ? 0 : options_.combine_piece);
    return false;
  }

  bool start_copy(RealWalker&, Token, const Move& move) {
    const auto from = buffers_.span(move.from, move.from_bytes, move.bytes);
    const auto to = buffers_.span(move.to, move.to_bytes, move.bytes);
    if (move.combine != nullptr) {
      const auto count = move.bytes / static_cast<std::int64_t>(element_bytes(move.combine->type));
      memory_.combine(move.combine->type, move.combine->reduction, from.data(), to.data(), count);
      if (move.finish) memory_.finish_average(move.combine->type, to.data(), count, move.group_size);
    } else {
      memory_.copy(from, to.data());
    }
    return true;
  }
  bool start_combine(RealWalker&, Token, const Combine& combine, const LoopIndices& indices) {
    const auto from =
        buffers_.span(combine.source.buffer, combine.source.offset.at(indices), combine.source.bytes.count());
    const auto to =
        buffers_.span(combine.target.buffer, combine.target.offset.at(indices), combine.target.bytes.count());
    memory_.combine(combine.type, combine.reduction, from.data(), to.data(),
                    combine.source.bytes.count() / static_cast<std::int64_t>(element_bytes(combine.type)));
    return true;
  }
  // Nothing else of this rank goes on meanwhile: it is one thread.
  bool start_compute(RealWalker&, Token, const Compute& compute) {
    if (options_.sleep) {
      sleep_until(WallClock::now() + sleep_of(compute.kernel));
    } else {
      kernels_.run(compute.kernel);
    }
    return true;
  }
  bool start_prepare(RealWalker& walker, Token token, const Prepare& prepare) {
    if (!options_.sleep) wrong_[walker.cursor(token.stream).operation().id] += kernels_.prepare(prepare.kernel);
    return true;
  }
  bool start_native(RealWalker& walker, Token token, const Collective& collective) {
    const auto place = plan_.groups[collective.group].place_of(rank_);
    const NativeCollective native = native_of(collective, place, walker.cursor(token.stream).indices());
    if (!transport_.native()->run(native, token.packed())) return false;
    if (collective.reduction == Reduction::average && reduces(collective.kind) && !transport_.native()->divides())
      finish_native(collective, place, native);
    return true;
  }
  bool start_fill(RealWalker& walker, Token token, const Collective& collective) {
    memory_.change(span_of(walker, token, collective.source), span_of(walker, token, collective.target),
                   [&](std::span<std::byte> source, std::span<std::byte> target) {
                     fill_input(data_request(plan_, collective, rank_, walker.cursor(token.stream).indices()[0]),
                                source, target);
                     if (hooks_.on_fill) hooks_.on_fill(collective, source, target);
                   });
    return true;
  }
  bool start_verify(RealWalker& walker, Token token, const Collective& collective) {
    const auto target = memory_.read(span_of(walker, token, collective.target));
    if (hooks_.on_verify) hooks_.on_verify(collective, target);
    wrong_[walker.cursor(token.stream).operation().id] +=
        count_wrong(data_request(plan_, collective, rank_, walker.cursor(token.stream).indices()[0]), target);
    return true;
  }
  bool start_mark(RealWalker&, Token token, const Mark& mark) {
    if (!mark.together) return true;
    if (section_) end_section();
    meeting_ = token;
    meeting_starts_ = mark.common_start;
    return false;
  }
  void operation_started(RealWalker& walker, std::size_t stream) {
    const bool is_collective = std::holds_alternative<Collective>(walker.cursor(stream).operation().operation->action);
    // A collective that follows a common start began at that instant, however late this rank woke up.
    const bool follows = common_start_ && common_start_stream_ == stream;
    starts_[stream] = follows && is_collective ? *common_start_ : WallClock::now();
    ends_[stream] = {};
    if (follows) common_start_.reset();
  }
  void operation_done(RealWalker& walker, std::size_t stream) {
    const Cursor& cursor = walker.cursor(stream);
    const auto end = end_of(stream);
    OperationRecord record;
    record.rank = rank_;
    record.role = plan_.role_index(rank_);
    record.stream = static_cast<std::uint32_t>(stream);
    record.operation = cursor.operation().id;
    record.ordinal = cursor.completed();
    record.iteration = cursor.indices()[0];
    record.warmup = cursor.warming_up();
    record.start = starts_[stream] - hooks_.epoch();
    record.end = (mark_end_ ? *mark_end_ : end) - hooks_.epoch();
    mark_end_.reset();
    recorder_.operation(record);
  }

 private:
  // A receive whose data are combined, or stored in pieces when it is complete.
  struct Reception {
    Incoming incoming;
    AlignedBuffer scratch;
    std::int64_t arrived = 0;
    std::int64_t combined = 0;
    bool open = false;
  };
  struct Thread {
    std::array<Reception, 2> receptions;
    std::array<AlignedBuffer, 2> packed;  // what scattered sends send
    std::uint8_t sends_left = 0;
  };

  [[nodiscard]] std::chrono::nanoseconds sleep_of(const std::string& kernel) const {
    const auto time = options_.sleep->find(kernel);
    if (time == options_.sleep->end())
      throw InputError(fmt::format("--compute sleep: nothing says how long '{}' takes", kernel));
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time->second);
  }

  [[nodiscard]] std::vector<int> members_of(GroupId group, const GroupFamily::Place& place) const {
    std::vector<int> members;
    for (int i = 0; i < place.size; ++i) members.push_back(plan_.groups[group].member(place.instance, i));
    return members;
  }

  // With a device, all messages and all memory are made known to it before anything is timed: it connects and allocates
  // while nothing runs on it.
  void prepare_device() {
    for (const CompiledOperation* operation : program_.by_id)
      if (const auto* prepare = std::get_if<Prepare>(&operation->operation->action); prepare && !options_.sleep)
        throw InputError(
            fmt::format("kernel '{}': there are kernels for processors alone yet; --compute sleep lets them "
                        "take their predicted time",
                        prepare->kernel));
    std::set<MessageChannel> channels;
    const auto talk = [&](bool send, Rank peer, std::uint64_t tag) {
      channels.insert(send ? MessageChannel{rank_, peer, tag} : MessageChannel{peer, rank_, tag});
    };
    for (std::size_t stream = 0; stream < program_.streams.size(); ++stream)
      for (const CompiledOperation& operation : program_.streams[stream].operations) {
        const Action& action = operation.operation->action;
        if (const auto* send = std::get_if<Send>(&action))
          talk(true, peer_rank(plan_, rank_, send->to), message_tag(send->to.group, send->tag));
        if (const auto* receive = std::get_if<Receive>(&action))
          talk(false, peer_rank(plan_, rank_, receive->from), message_tag(receive->from.group, receive->tag));
        if (const auto* collective = std::get_if<Collective>(&action))
          prepare_schedules(static_cast<std::uint8_t>(stream), *collective, talk);
      }
    memory_.device()->connect({channels.begin(), channels.end()});
  }

  template <class Talk>
  void prepare_schedules(std::uint8_t stream, const Collective& collective, Talk&& talk) {
    const GroupFamily& group = plan_.groups[collective.group];
    const auto place = group.place_of(rank_);
    if (collective.algorithm == "native" || place.instance < 0) return;
    const ScheduleRequest request = request_for(collective, place);
    const Algorithm& algorithm = algorithm_of(collective);
    const int threads = algorithm.threads(request);
    Step step;
    for (int t = 0; t < threads; ++t) {
      Thread& thread = thread_of({stream, 0, static_cast<std::uint16_t>(t)});
      const auto schedule = algorithm.make(request, t);
      const auto message = [&](bool send, const Part& part, AlignedBuffer& beside, bool needs) {
        talk(send, group.member(place.instance, part.peer), collective_tag(collective.group, part.lane));
        if (needs) beside.grow(static_cast<std::size_t>(part.count) * request.element_bytes, memory_.device());
      };
      while (schedule->next(step)) {
        for (std::size_t i = 0; i < step.send_count; ++i)
          message(true, step.sends[i], thread.packed[i], step.sends[i].scattered);
        for (std::size_t i = 0; i < step.receive_count; ++i)
          message(false, step.receives[i], thread.receptions[i].scratch,
                  step.receives[i].combine || step.receives[i].scattered);
      }
    }
  }

  [[nodiscard]] NativeCollective native_of(const Collective& collective, const GroupFamily::Place& place,
                                           const LoopIndices& indices) const {
    const auto bytes_of = [&](const Span& span) {
      return buffers_.span(span.buffer, span.offset.at(indices), span.bytes.count());
    };
    NativeCollective native;
    native.kind = collective.kind;
    native.members = members_of(collective.group, place);
    native.own = place.index;
    native.root = collective.root;
    native.type = collective.type;
    native.reduction = collective.reduction;
    native.count = collective.count;
    native.source = bytes_of(collective.source);
    native.target = bytes_of(collective.target);
    if (!collective.counts.empty())
      for (int other = 0; other < place.size; ++other) {
        native.send_counts.push_back(collective.counts.at(place.index, other));
        native.receive_counts.push_back(collective.counts.at(other, place.index));
      }
    return native;
  }

  // Collectives that the library does are made known to it before anything is timed: by group, and in a group in the
  // order of the plan, which is an order that all its members share.
  void prepare_native() {
    std::multimap<GroupId, NativeCollective> by_group;
    for (const CompiledOperation* operation : program_.by_id) {
      const auto* collective = std::get_if<Collective>(&operation->operation->action);
      if (collective == nullptr || collective->algorithm != "native") continue;
      const auto place = plan_.groups[collective->group].place_of(rank_);
      if (place.instance < 0) continue;
      if (transport_.native() == nullptr)
        throw InputError(fmt::format("this backend has no native {}: name an algorithm ({})",
                                     to_string(collective->kind), default_algorithm(collective->kind)));
      by_group.emplace(collective->group, native_of(*collective, place, {}));
    }
    if (transport_.native() == nullptr) return;
    std::vector<NativeCollective> natives;
    for (auto& [group, native] : by_group) natives.push_back(std::move(native));
    transport_.native()->prepare(natives);
  }

  // The library has summed; an average is ours to finish, where this rank has a result.
  void finish_native(const Collective& collective, const GroupFamily::Place& place, const NativeCollective& native) {
    if (collective.kind == CollectiveKind::reduce && place.index != collective.root) return;
    Range range{0, collective.count};
    if (collective.kind == CollectiveKind::reduce_scatter) range = partition(collective.count, place.size, place.index);
    memory_.finish_average(
        collective.type, native.target.data() + range.begin * static_cast<std::int64_t>(element_bytes(collective.type)),
        range.size(), place.size);
  }

  // Scratch that grows moves.
  void grow_scratch(AlignedBuffer& scratch, std::int64_t bytes) {
    if (static_cast<std::size_t>(bytes) <= scratch.bytes().size()) return;
    transport_.forget(scratch.bytes());
    scratch.grow(static_cast<std::size_t>(bytes), memory_.device());
    transport_.keep(scratch.bytes());
  }

  Thread& thread_of(Token token) {
    auto& threads = threads_[token.stream];
    if (threads.size() <= token.thread) threads.resize(token.thread + std::size_t{1});
    return threads[token.thread];
  }
  Reception& reception_of(Token token) { return thread_of(token).receptions[token.part - first_receive_part]; }

  std::span<std::byte> span_of(RealWalker& walker, Token token, const Span& span) {
    return buffers_.span(span.buffer, span.offset.at(walker.cursor(token.stream).indices()), span.bytes.count());
  }

  [[nodiscard]] bool others_active() const {
    for (std::size_t s = 0; s < walker_.stream_count(); ++s)
      if (s != meeting_->stream && walker_.active(s)) return true;
    return false;
  }

  void meet() {
    const Token token = *meeting_;
    meeting_.reset();
    if (std::exchange(in_section_, meeting_starts_) && options_.on_section_end) options_.on_section_end();
    transport_.flush(WallClock::now() + options_.timeout / 2);
    if (meeting_starts_) {
      const auto start = control_.start_together(options_.quiet, options_.waking);
      if (options_.on_section_start) options_.on_section_start(start);
      common_start_ = mark_end_ = start;
      common_start_stream_ = token.stream;
      const Cursor& cursor = walker_.cursor(token.stream);
      if (!cursor.warming_up()) {
        section_ = &sections_[cursor.operation().id];
        section_start_ = start;
        section_->lateness_s.push_back(std::chrono::duration<double>(WallClock::now() - start).count());
        section_cpu_ = process_cpu_seconds();
      }
    } else {
      control_.barrier();
    }
    walker_.complete(token);
  }

  void end_section() {
    section_->cpu_s += process_cpu_seconds() - section_cpu_;
    section_->elapsed_s += std::chrono::duration<double>(WallClock::now() - section_start_).count();
    section_ = nullptr;
  }

  void handle(const Completion& completion) {
    const Token token = Token::unpack(static_cast<std::uint32_t>(completion.token));
    if (completion.when > ends_[token.stream]) ends_[token.stream] = completion.when;
    if (token.part == whole_operation) return walker_.complete(token);
    Thread& thread = thread_of(token);
    if (token.part < first_receive_part) {
      thread.sends_left &= static_cast<std::uint8_t>(~(1U << token.part));
      part_end(token);
      // Completing the send may end the step, but only if no combine waits for it.
      const bool released = combine_what_may(token.stream, token.thread);
      walker_.complete(token);
      if (released) finish_receptions(token.stream, token.thread);
      return;
    }
    Reception& reception = reception_of(token);
    if (!reception.open) {
      part_end(token);
      return walker_.complete(token);
    }
    reception.arrived = completion.kind == Completion::Kind::progress ? static_cast<std::int64_t>(completion.bytes)
                                                                      : reception.incoming.bytes;
    combine_what_may(token.stream, token.thread);
    finish_receptions(token.stream, token.thread);
  }

  // Combines arrived pieces in the order of the schedule; true if anything was combined.
  bool combine_what_may(std::uint8_t stream, std::uint16_t thread_index) {
    Thread& thread = threads_[stream][thread_index];
    bool any = false;
    for (std::size_t i = 0; i < thread.receptions.size(); ++i) {
      Reception& reception = thread.receptions[i];
      if (!reception.open) continue;
      // The second operand of the same elements waits for the whole first one.
      if (i == 1 && thread.receptions[0].open && thread.receptions[0].combined < thread.receptions[0].incoming.bytes)
        return any;
      if (reception.incoming.overlaps_send && thread.sends_left != 0) return any;
      const auto& in = reception.incoming;
      const auto width = static_cast<std::int64_t>(element_bytes(in.collective->type));
      if (in.scattered != nullptr) {
        if (reception.arrived == in.bytes && reception.combined < in.bytes) store_pieces(reception, width);
        any = true;
        continue;
      }
      const std::int64_t until = reception.arrived / width * width;
      if (until > reception.combined) {
        const auto target = buffers_.span(in.buffer, in.offset_bytes + reception.combined, until - reception.combined);
        const std::int64_t count = (until - reception.combined) / width;
        memory_.combine(in.collective->type, in.collective->reduction,
                        reception.scratch.bytes().data() + reception.combined, target.data(), count);
        if (in.finish) memory_.finish_average(in.collective->type, target.data(), count, in.group_size);
        reception.combined = until;
      }
      any = true;
    }
    return any;
  }

  void store_pieces(Reception& reception, std::int64_t width) {
    const auto& in = reception.incoming;
    const std::byte* data = reception.scratch.bytes().data();
    for (const Range& piece : in.scattered->pieces(*in.part)) {
      if (piece.size() == 0) continue;
      const auto target = buffers_.span(in.buffer, in.offset_bytes + piece.begin * width, piece.size() * width);
      if (in.combine) {
        memory_.combine(in.collective->type, in.collective->reduction, data, target.data(), piece.size());
        if (in.finish) memory_.finish_average(in.collective->type, target.data(), piece.size(), in.group_size);
      } else {
        memory_.copy({data, target.size()}, target.data());
      }
      data += target.size();
    }
    reception.combined = in.bytes;
  }

  // Tells the walker of receives that are combined to their end.
  void finish_receptions(std::uint8_t stream, std::uint16_t thread_index) {
    std::array<bool, 2> done{};
    {
      Thread& thread = threads_[stream][thread_index];
      for (std::size_t i = 0; i < 2; ++i) {
        Reception& reception = thread.receptions[i];
        done[i] = reception.open && reception.arrived == reception.incoming.bytes &&
                  reception.combined == reception.incoming.bytes;
      }
      // The first stays open until both are done if the second still refers to it: order is by `combined`, so closing
      // is safe.
      for (std::size_t i = 0; i < 2; ++i)
        if (done[i]) thread.receptions[i].open = false;
    }
    for (std::size_t i = 0; i < 2; ++i) {
      if (!done[i]) continue;
      const Token token{stream, static_cast<std::uint8_t>(first_receive_part + i), thread_index};
      part_end(token);
      walker_.complete(token);
    }
  }

  // When what the stream does now ended. On a device: its last message or collective by the device's clock, or the work
  // on its bytes that came after, for which this waits.
  WallClock::time_point end_of(std::size_t stream) {
    if (memory_.device() == nullptr) return WallClock::now();
    auto end = ends_[stream];
    if (const auto worked = memory_.device()->finish()) end = std::max(end, *worked);
    return end == WallClock::time_point{} ? WallClock::now() : end;
  }

  void part_start(Token token) {
    if (keep_parts_) part_starts_[token.packed()] = WallClock::now();
  }
  void part_end(Token token) {
    if (!keep_parts_) return;
    const Step& step = walker_.step(token);
    const bool send = token.part < first_receive_part;
    const Part& part = send ? step.sends[token.part] : step.receives[token.part - first_receive_part];
    const auto& collective = std::get<Collective>(walker_.cursor(token.stream).operation().operation->action);
    const auto& group = plan_.groups[collective.group];
    PartRecord record;
    record.rank = rank_;
    record.stream = token.stream;
    record.ordinal = walker_.cursor(token.stream).completed();
    record.thread = token.thread;
    record.step = walker_.step_index(token);
    record.send = send;
    record.peer = group.member(group.place_of(rank_).instance, part.peer);
    record.lane = part.lane;
    record.bytes = part.count * static_cast<std::int64_t>(element_bytes(collective.type));
    record.start = part_starts_[token.packed()] - hooks_.epoch();
    record.end = WallClock::now() - hooks_.epoch();
    recorder_.part(record);
  }

  [[noreturn]] void time_out() {
    std::string where;
    for (std::size_t s = 0; s < walker_.stream_count(); ++s)
      if (!walker_.cursor(s).done()) {
        if (!where.empty()) where += ", ";
        where += fmt::format("'{}'", walker_.cursor(s).operation().operation->name);
      }
    const std::string message =
        fmt::format("rank {} has made no progress for {:.3g} s in operation {}: {} (--timeout waits longer)", rank_,
                    std::chrono::duration<double>(options_.timeout).count(), where, transport_.outstanding());
    control_.fail(message);
    throw RunFailure(message);
  }

  const Plan& plan_;
  Control& control_;
  Transport& transport_;
  ExecutorOptions options_;
  Recorder& recorder_;
  const TransportExecutor& hooks_;
  std::map<std::uint32_t, std::int64_t>& wrong_;
  std::map<std::uint32_t, TransportExecutor::Section>& sections_;
  TransportExecutor::Section* section_ = nullptr;
  WallClock::time_point section_start_;
  double section_cpu_ = 0;
  Rank rank_;
  Program program_;
  Memory memory_;
  Buffers buffers_;
  RankKernels kernels_;
  RealWalker walker_;
  std::vector<WallClock::time_point> starts_;
  std::vector<WallClock::time_point> ends_;  // of the streams' latest completions, where the transport says when
  std::vector<std::vector<Thread>> threads_;
  std::map<std::uint32_t, WallClock::time_point> part_starts_;
  std::optional<Token> meeting_;
  bool meeting_starts_ = false;
  bool in_section_ = false;  // between a common start and the next meeting
  std::optional<WallClock::time_point> common_start_;
  std::size_t common_start_stream_ = 0;
  std::optional<WallClock::time_point> mark_end_;
  bool keep_parts_;
};

}  // namespace

void TransportExecutor::execute(const Plan& plan, Recorder& recorder) {
  if (plan.ranks != control_.size())
    throw InputError(fmt::format("the plan is for {} ranks, the job has {}", plan.ranks, control_.size()));
  Rankwise rankwise(plan, control_, transport_, options_, recorder, *this, wrong_, sections_);
  try {
    rankwise.run();
  } catch (...) {
    rankwise.abandon_memory();
    throw;
  }
}

}  // namespace lockstep::real
